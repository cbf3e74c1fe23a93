/* storage - options, opening and closing, numbers. */
#include "storage/storage.h"

#include <stdio.h>

#include "alloc/memstats.h"
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

SUITE(storage, options_that_make_no_sense_are_named, opening_and_closing_leaves_no_memory_behind,
      an_open_that_finds_no_memory_leaves_nothing, the_numbers_add_up,
      what_growing_tables_leave_behind_goes_without_maintenance)
