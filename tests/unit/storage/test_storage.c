/* storage - options, numbers, and every allocation failing in turn. */
#include "storage/storage.h"

#include <stdio.h>

#include "alloc/memstats.h"
#include "tests/unit/level.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

static void check_refused(struct storage_options options, const char *word)
{
    struct storage *db;
    struct error err;
    ck_assert_int_eq(storage_open(&options, &db, &err), ERR_INVALID);
    ck_assert_msg(strstr(err.text, word) != NULL, "%s", err.text);
}

START_TEST(options_that_make_no_sense_are_named)
{
    struct storage_options options = storage_options_default();
    options.chunk_ms = 0;
    check_refused(options, "chunk_ms");
    options = storage_options_default();
    options.windows = 0;
    check_refused(options, "windows");
    options.windows = 65;
    check_refused(options, "windows");
    options = storage_options_default();
    options.future_ms = -1;
    check_refused(options, "future_ms");
    options.future_ms = INT64_MAX;
    check_refused(options, "ahead of the clock");
    options = storage_options_default();
    options.shards = 3;
    check_refused(options, "shards");
}
END_TEST

START_TEST(opening_and_closing_leaves_no_memory_behind)
{
    struct memstats before;
    struct memstats after;
    memstats_read(&before);
    for (uint32_t shards = 0; shards <= 64; shards = shards ? shards * 2 : 1) {
        struct store s;
        size_t samples;
        struct storage_options options = storage_options_default();
        options.shards = shards;
        store_open_with(&s, options);
        store_append(&s, store_labels(&s.arena, "__name__", "up", NULL), STORE_NOW_MS, 1);
        ck_assert_uint_eq(store_count(&s, &samples), 1);
        store_close(&s);
    }
    memstats_read(&after);
    ck_assert_uint_eq(after.heap_alloc, before.heap_alloc);
}
END_TEST

START_TEST(an_open_that_finds_no_memory_leaves_nothing)
{
    struct storage_options options = storage_options_default();
    struct storage *db = NULL;
    struct memstats before;
    struct memstats after;
    struct error err;
    enum status st = ERR_NO_MEMORY;
    memstats_read(&before);
    for (uint64_t n = 0; st; n++) {
        heap_fail_after(n);
        st = storage_open(&options, &db, &err);
        heap_fail_after(UINT64_MAX);
        ck_assert(st == OK || st == ERR_NO_MEMORY);
    }
    storage_close(db);
    memstats_read(&after);
    ck_assert_uint_eq(after.heap_alloc, before.heap_alloc);
}
END_TEST

START_TEST(the_numbers_add_up)
{
    struct store s;
    struct storage_stats stats;
    store_open(&s);
    storage_stats_read(s.db, &stats);
    ck_assert_int_eq(stats.min_time_ms, INT64_MAX);
    ck_assert_int_eq(stats.max_time_ms, INT64_MIN);
    struct labels labels = store_labels(&s.arena, "__name__", "up", "job", "node", NULL);
    store_append(&s, labels, STORE_NOW_MS, 1);
    store_append(&s, labels, STORE_NOW_MS - 10, 1);
    store_append(&s, labels, STORE_NOW_MS, 1);
    store_append(&s, labels, STORE_NOW_MS, 2);
    store_append(&s, labels, 0, 2);
    storage_stats_read(s.db, &stats);
    ck_assert_uint_eq(stats.series, 1);
    ck_assert_uint_eq(stats.series_created, 1);
    ck_assert_uint_eq(stats.chunks, 1);
    ck_assert_uint_eq(stats.chunks_created, 1);
    ck_assert_uint_eq(stats.samples, 2);
    ck_assert_uint_eq(stats.samples_appended, 2);
    ck_assert_uint_eq(stats.samples_late, 1);
    ck_assert_uint_eq(stats.samples_duplicate, 1);
    ck_assert_uint_eq(stats.refused[REFUSED_CONFLICT], 1);
    ck_assert_uint_eq(stats.refused[REFUSED_TOO_OLD], 1);
    ck_assert_uint_eq(stats.symbols, 4);
    ck_assert_uint_eq(stats.symbol_bytes, strlen("__name__"
                                                 "up"
                                                 "job"
                                                 "node"));
    ck_assert_uint_eq(stats.label_pairs, 2);
    ck_assert_int_eq(stats.min_time_ms, STORE_NOW_MS - 10);
    ck_assert_int_eq(stats.max_time_ms, STORE_NOW_MS);
    ck_assert_uint_gt(stats.chunk_bytes, 0);
    ck_assert_str_eq(sample_refusal_name(REFUSED_MAX_SERIES), "max_series");
    store_close(&s);
}
END_TEST

START_TEST(what_growing_tables_leave_behind_goes_without_maintenance)
{
    enum { SERIES = 5000, ROUNDS = 4 };
    struct store s;
    size_t samples;
    char text[32];
    store_open(&s);
    for (int i = 0; i < SERIES; i++) {
        snprintf(text, sizeof(text), "pod-%d", i);
        (void)store_append(&s, store_labels(&s.arena, "pod", text, NULL), STORE_NOW_MS, i);
    }
    ck_assert(storage_has_garbage(s.db));
    for (int i = 0; i < ROUNDS; i++)
        storage_tidy(s.db);
    ck_assert(!storage_has_garbage(s.db));
    storage_check(s.db);
    ck_assert_uint_eq(store_count(&s, &samples), SERIES);
    store_close(&s);
}
END_TEST

enum { BATCH = 6 };

/* A batch of a known series, new ones and a late sample, on an arena that exists already, so that
 * all failures happen inside storage. */
static enum status append_batch(struct storage *db, struct arena *a, const struct labels *labels,
                                int64_t t_ms, struct append_result *result)
{
    static struct sample samples[BATCH][2];
    struct appender *app;
    struct error err;
    enum status st = appender_begin(db, a, &app, &err);
    if (st) return st;
    for (int i = 0; i < BATCH && !st; i++) {
        samples[i][0] = (struct sample){t_ms + i, i};
        samples[i][1] = (struct sample){t_ms - 100 + i, i};
        st = appender_add(app, labels[i], samples[i], 2, &err);
        if (st) appender_abort(app);
    }
    return st ? st : appender_commit(app, result, &err);
}

START_TEST(an_append_survives_the_failure_of_any_allocation)
{
    bool complete = false;
    for (uint64_t n = 0; !complete; n = level_next(n)) {
        struct store s;
        struct append_result result = {0};
        struct storage_stats stats;
        struct labels labels[BATCH];
        struct arena a;
        store_open(&s);
        arena_init(&a, HEAP_HTTP, 1 << 20);
        for (int i = 0; i < BATCH; i++)
            labels[i] = store_labels(&s.arena, "__name__", "m", "i",
                                     arena_printf(&s.arena, "%d", i).data, NULL);
        store_append(&s, labels[0], STORE_NOW_MS - 1000, 1);

        heap_fail_after(n);
        enum status st = append_batch(s.db, &a, labels, STORE_NOW_MS, &result);
        heap_fail_after(UINT64_MAX);
        ck_assert(st == OK || st == ERR_NO_MEMORY);
        storage_check(s.db);
        storage_stats_read(s.db, &stats);
        ck_assert_uint_eq(stats.samples, 1 + result.stored);
        complete = st == OK && result.refused[REFUSED_NO_MEMORY] == 0;
        if (st == OK)
            ck_assert_uint_eq(result.stored + result.refused[REFUSED_NO_MEMORY], 2 * BATCH);

        /* What was refused can be sent again. */
        arena_reset(&a);
        ck_assert(append_batch(s.db, &a, labels, STORE_NOW_MS, &result) == OK);
        storage_stats_read(s.db, &stats);
        ck_assert_uint_eq(stats.samples, 1 + 2 * BATCH);
        ck_assert_uint_eq(stats.series, BATCH);
        arena_release(&a);
        store_close(&s);
    }
}
END_TEST

/* Everything a query does; the first failure ends it. */
static enum status query_all(struct storage *db, struct arena *a, const struct matcher *matchers,
                             size_t count)
{
    struct select_request r = {
        .matchers = matchers, .matcher_count = count, .t_min_ms = INT64_MIN, .t_max_ms = INT64_MAX};
    struct columns columns = {.arena = a};
    struct selection selection;
    struct cardinality cardinality;
    struct str_list list;
    struct querier *q;
    struct error err;
    enum status st = querier_open(db, a, &q, &err);
    if (st) return st;
    st = querier_select(q, &r, &selection, &err);
    for (size_t i = 0; !st && i < selection.count; i++)
        st = series_read(q, selection.series[i], INT64_MIN, INT64_MAX, &columns, &err);
    if (!st) st = querier_label_names(q, &r, &list, &err);
    if (!st) st = querier_label_values(q, STR("i"), &r, &list, &err);
    r.matcher_count = 0;
    if (!st) st = querier_label_values(q, STR("i"), &r, &list, &err);
    if (!st) st = storage_cardinality(db, 10, a, &cardinality, &err);
    querier_close(q);
    return st;
}

START_TEST(a_query_survives_the_failure_of_any_allocation)
{
    struct store s;
    struct arena a;
    store_open(&s);
    for (int i = 0; i < 700; i++) {
        struct str text = arena_printf(&s.arena, "%d", i);
        struct labels labels = store_labels(&s.arena, "__name__", "m", "i", text.data, NULL);
        store_append(&s, labels, STORE_NOW_MS + i, 1);
        store_append(&s, labels, STORE_NOW_MS - i - 1, 1);
    }
    struct matcher matchers[] = {store_matcher(MATCH_REGEX, "i", ".*1.*"),
                                 store_matcher(MATCH_EQUAL, "__name__", "m"),
                                 store_matcher(MATCH_NOT_EQUAL, "i", "11")};
    enum status st = ERR_NO_MEMORY;
    arena_init(&a, HEAP_QUERY, 1 << 26);
    for (uint64_t n = 0; st; n++) {
        heap_fail_after(n);
        st = query_all(s.db, &a, matchers, ARRAY_COUNT(matchers));
        heap_fail_after(UINT64_MAX);
        ck_assert(st == OK || st == ERR_NO_MEMORY);
        arena_reset(&a);
    }
    arena_release(&a);
    for (size_t i = 0; i < ARRAY_COUNT(matchers); i++)
        matcher_release(&matchers[i]);
    store_close(&s);
}
END_TEST

START_TEST(background_work_survives_the_failure_of_any_allocation)
{
    for (uint64_t n = 0; n < 200; n++) {
        struct store s;
        size_t samples;
        store_open(&s);
        struct labels stays = store_labels(&s.arena, "__name__", "stays", NULL);
        for (int i = 0; i < 300; i++) {
            struct str text = arena_printf(&s.arena, "%d", i);
            store_append(&s, store_labels(&s.arena, "i", text.data, NULL), STORE_NOW_MS, 1);
            store_append(&s, stays, STORE_NOW_MS - i * 1000, i); /* late */
        }
        clock_advance(4 * HOUR_MS); /* merges a late run */
        heap_fail_after(n);
        for (int round = 0; round < 10; round++)
            storage_maintain(s.db);
        clock_advance(36 * HOUR_MS);
        for (int round = 0; round < 10; round++)
            storage_maintain(s.db);
        heap_fail_after(UINT64_MAX);
        store_settle(&s);
        ck_assert_uint_eq(store_count(&s, &samples), 0);
        store_close(&s);
    }
}
END_TEST

SUITE(storage, options_that_make_no_sense_are_named, opening_and_closing_leaves_no_memory_behind,
      an_open_that_finds_no_memory_leaves_nothing, the_numbers_add_up,
      what_growing_tables_leave_behind_goes_without_maintenance,
      an_append_survives_the_failure_of_any_allocation,
      a_query_survives_the_failure_of_any_allocation,
      background_work_survives_the_failure_of_any_allocation)
