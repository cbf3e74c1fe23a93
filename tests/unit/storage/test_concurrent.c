/*
 * storage under everything at once: writers, queries, expiry, export and a clock that runs.
 *
 * A value says which time and series it belongs to, so a torn or misplaced sample shows. A writer
 * publishes what was acknowledged; a querier opened after that must see it, or the clock has
 * overtaken it.
 */
#include <stdio.h>

#include "base/hash.h"
#include "base/lock.h"
#include "base/thread.h"
#include "storage/series.h"
#include "tests/unit/storage/known.h"
#include "tests/unit/suite.h"

enum { WRITERS = 2, READERS = 2, STEADY = 24, ROUNDS = 1000 };

static _Atomic int selecting_done;

struct race {
    struct store store;
    struct storage *copy; /* what is exported is imported here */
    struct labels labels[STEADY];
    struct str messages[STEADY]; /* as remote write sends the labels */
    _Atomic int64_t acknowledged_ms[STEADY];
    _Atomic uint32_t writers_left;
    _Atomic uint32_t next_writer;
    _Atomic uint64_t logged;
};

static double value_of(int64_t t_ms, int series)
{
    return (double)(t_ms - STORE_NOW_MS) * STEADY + series;
}

static int number_in(struct str text)
{
    int number = 0;
    for (size_t i = 0; i < text.size; i++)
        number = number * 10 + text.data[i] - '0';
    return number;
}

static bool running(struct race *race)
{
    return atomic_load(&race->writers_left) > 0;
}

static enum status count_batch(void *self, const struct journal_batch *batch, struct error *err)
{
    struct race *race = self;
    (void)err;
    for (size_t i = 0; i < batch->series_count; i++)
        atomic_store(batch->series[i].defined_in, 1); /* lives in the series: must still be there */
    atomic_fetch_add(&race->logged, batch->sample_count);
    return OK;
}

/* Its share of the steady series, now and a little earlier, and one series nobody sees again. */
static void write_round(struct race *race, struct arena *a, int writer, int round)
{
    struct sample samples[STEADY][2];
    struct append_result result;
    struct appender *app;
    struct error err;
    int64_t now_ms = clock_wall_ms();
    int64_t late_ms = now_ms - (int64_t)(hash_mix((uint64_t)round, 1) % 300);
    EXPECT(appender_begin(race->store.db, a, &app, &err) == OK);
    for (int i = writer; i < STEADY; i += WRITERS) {
        samples[i][0] = (struct sample){now_ms, value_of(now_ms, i)};
        samples[i][1] = (struct sample){late_ms, value_of(late_ms, i)};
        known_add(app, race->messages[i], race->labels[i], samples[i], 2);
    }
    struct str name = arena_printf(a, "%d-%d", writer, round);
    struct labels passing = store_labels(a, "__name__", "passing", "i", name.data, NULL);
    struct sample sample = {now_ms, 1};
    EXPECT(appender_add(app, passing, &sample, 1, &err) == OK);
    EXPECT(appender_commit(app, &result, &err) == OK);
    ck_assert_uint_eq(result.refused[REFUSED_CONFLICT], 0);
    if (result.refused[REFUSED_TOO_OLD] > 0) return; /* the clock ran past: nothing to promise */
    for (int i = writer; i < STEADY; i += WRITERS)
        atomic_store(&race->acknowledged_ms[i], now_ms);
}

static void write_samples(void *arg)
{
    struct race *race = arg;
    struct arena a;
    int writer = (int)atomic_fetch_add(&race->next_writer, 1);
    arena_init(&a, HEAP_HTTP, 1 << 24);
    for (int round = 0; round < ROUNDS; round++) {
        write_round(race, &a, writer, round);
        arena_reset(&a);
        clock_advance(1); /* however fast or slow this machine is, a window takes 200 rounds */
    }
    arena_release(&a);
    heap_flush_thread();
    atomic_fetch_sub(&race->writers_left, 1);
}

static void check_columns(const struct columns *columns, int series, int64_t oldest_ms)
{
    for (size_t i = 0; i < columns->count; i++) {
        EXPECT(columns->t_ms[i] >= oldest_ms);
        EXPECT(i == 0 || columns->t_ms[i - 1] < columns->t_ms[i]);
        EXPECT(columns->v[i] == value_of(columns->t_ms[i], series));
    }
}

/* Whoever has a sample in a window is listed for it. */
static void check_listed(struct querier *q, const struct matcher *matcher, int series, int64_t t_ms)
{
    struct select_request then = {
        .matchers = matcher, .matcher_count = matcher != NULL, .t_min_ms = t_ms, .t_max_ms = t_ms};
    struct str_list list;
    struct error err;
    bool listed = false;
    EXPECT(querier_label_values(q, STR("i"), &then, &list, &err) == OK);
    for (size_t n = 0; n < list.count; n++) {
        bool steady = !memchr(list.items[n].data, '-', list.items[n].size);
        listed = listed || (steady && number_in(list.items[n]) == series);
    }
    EXPECT(listed);
}

static void read_round(struct race *race, struct arena *a, const struct matcher *steady)
{
    int64_t acknowledged_ms[STEADY];
    bool seen[STEADY] = {false};
    struct error err;
    struct querier *q;
    struct selection selection;
    struct columns columns = {.arena = a};
    struct select_request request = {.matchers = steady,
                                     .matcher_count = 1,
                                     .t_min_ms = INT64_MIN,
                                     .t_max_ms = INT64_MAX,
                                     .sorted = true};
    for (int i = 0; i < STEADY; i++)
        acknowledged_ms[i] = atomic_load(&race->acknowledged_ms[i]);
    struct storage_bounds before = storage_bounds(race->store.db);
    EXPECT(querier_open(race->store.db, a, &q, &err) == OK);
    struct storage_bounds after = storage_bounds(race->store.db);
    ck_assert_msg(querier_select(q, &request, &selection, &err) == OK, "%s", err.text);
    struct str names[] = {STR("i")};
    struct series_classes_request by = {.names = names, .name_count = 1};
    struct series_classes *classes;
    EXPECT(series_classes_create(q, &by, a, &classes, &err) == OK);
    struct series_reader_request all = {.series = selection.series,
                                        .count = selection.count,
                                        .t_min_ms = INT64_MIN,
                                        .t_max_ms = INT64_MAX};
    struct series_reader *reader;
    EXPECT(series_reader_create(q, &all, a, &reader, &err) == OK);
    for (size_t n = 0; n < selection.count; n++) {
        uint32_t number;
        bool is_new;
        int i = number_in(series_label(selection.series[n], STR("i")));
        EXPECT(series_classes_find(classes, selection.series[n], &number, &is_new, &err) == OK);
        const struct series *next;
        struct columns *read;
        EXPECT(series_reader_next(reader, &next, &read, &err) == OK);
        EXPECT(next == selection.series[n]);
        check_columns(read, i, before.oldest_ms);
        seen[i] = read->count > 0 && read->t_ms[read->count - 1] >= acknowledged_ms[i];
        int64_t last_ms = read->count > 0 ? read->t_ms[read->count - 1] : INT64_MIN;
        const struct series *view = selection.series[n];
        EXPECT(series_read_newest(q, view, INT64_MIN, INT64_MAX, &columns, &err) == OK);
        check_columns(&columns, i, before.oldest_ms);
        seen[i] &= columns.count > 0 && columns.t_ms[columns.count - 1] >= last_ms;
    }
    for (int i = 0; i < STEADY; i++)
        EXPECT(seen[i] || acknowledged_ms[i] < after.oldest_ms);
    if (acknowledged_ms[0] >= after.oldest_ms) {
        check_listed(q, NULL, 0, acknowledged_ms[0]);
        check_listed(q, steady, 0, acknowledged_ms[0]);
    }
    querier_close(q);
}

static void read_lists(struct race *race, struct arena *a, const struct matcher *matcher)
{
    struct select_request all = {.t_min_ms = INT64_MIN, .t_max_ms = INT64_MAX};
    struct cardinality cardinality;
    struct storage_stats stats;
    struct str_list list;
    struct error err;
    struct querier *q;
    ck_assert(querier_open(race->store.db, a, &q, &err) == OK);
    ck_assert(querier_label_values(q, STR("i"), &all, &list, &err) == OK);
    for (size_t i = 1; i < list.count; i++)
        ck_assert(str_compare(list.items[i - 1], list.items[i]) < 0);
    ck_assert(querier_label_names(q, &all, &list, &err) == OK);
    ck_assert(list.count <= 2);
    all.matchers = matcher;
    all.matcher_count = 1;
    ck_assert(querier_label_values(q, STR("i"), &all, &list, &err) == OK);
    for (size_t i = 1; i < list.count; i++)
        ck_assert(str_compare(list.items[i - 1], list.items[i]) < 0);
    ck_assert(querier_label_names(q, &all, &list, &err) == OK);
    ck_assert(list.count <= 2);
    querier_close(q);
    ck_assert(storage_cardinality(race->store.db, 5, a, &cardinality, &err) == OK);
    storage_stats_read(race->store.db, &stats);
}

static void read_samples(void *arg)
{
    struct race *race = arg;
    struct matcher steady[] = {store_matcher(MATCH_EQUAL, "__name__", "steady"),
                               store_matcher(MATCH_REGEX, "__name__", "ste.+dy"),
                               store_matcher(MATCH_REGEX, "i", "[0-9]+[0-9]*")};
    struct arena a;
    arena_init(&a, HEAP_QUERY, 1 << 26);
    for (int round = 0; running(race); round++) {
        read_round(race, &a, &steady[round % 2]);
        if (round % 8 == 0) read_lists(race, &a, &steady[round / 8 % 3]);
        arena_reset(&a);
    }
    for (size_t i = 0; i < ARRAY_COUNT(steady); i++)
        matcher_release(&steady[i]);
    arena_release(&a);
    heap_flush_thread();
}

static void export_samples(void *arg)
{
    struct race *race = arg;
    struct window_info windows[STORAGE_WINDOWS_MAX];
    struct chunk_image image;
    struct exporter *e;
    struct error err;
    struct arena a;
    arena_init(&a, HEAP_SNAPSHOT, 1 << 26);
    while (running(race)) {
        size_t count = export_windows(race->store.db, windows);
        for (size_t i = 0; i < count; i++) {
            bool more;
            ck_assert(export_open(race->store.db, windows[i].window, &a, &e, &err) == OK);
            while (ck_assert(export_next(e, &image, &more, &err) == OK), more) {
                size_t done;
                enum status st = import_chunks(race->copy, &image, 1, &done, &err);
                ck_assert_msg(st == OK || st == ERR_OUT_OF_RANGE, "%s", err.text);
            }
            export_close(e);
            arena_reset(&a);
        }
    }
    arena_release(&a);
    heap_flush_thread();
}

static void maintain(void *arg)
{
    struct race *race = arg;
    while (running(race)) {
        storage_maintain(race->store.db);
        storage_maintain(race->copy);
        thread_sleep_ms(1);
    }
    heap_flush_thread();
}

START_TEST(writers_readers_expiry_and_export_do_not_disturb_each_other)
{
    static void (*const roles[])(void *) = {write_samples, write_samples,  read_samples,
                                            read_samples,  export_samples, maintain};
    struct storage_options options = {.chunk_ms = 200, .windows = 4, .future_ms = 50, .shards = 4};
    struct race *race = heap_calloc(1, sizeof(*race), HEAP_PROCESS);
    struct thread threads[ARRAY_COUNT(roles)];
    struct storage_stats stats;
    struct error err;
    struct arena names;
    ck_assert_ptr_nonnull(race);
    store_open_with(&race->store, options);
    ck_assert(storage_open(&options, &race->copy, &err) == OK);
    storage_set_journal(race->store.db, (struct journal){.self = race, .log = count_batch});
    arena_init(&names, HEAP_PROCESS, 1 << 20);
    for (int i = 0; i < STEADY; i++) {
        race->labels[i] = store_labels(&names, "__name__", "steady", "i",
                                       arena_printf(&names, "%d", i).data, NULL);
        race->messages[i] = known_message(&names, race->labels[i]);
        atomic_store(&race->acknowledged_ms[i], INT64_MIN);
    }
    atomic_store(&race->writers_left, WRITERS);
    for (size_t i = 0; i < ARRAY_COUNT(roles); i++)
        ck_assert(thread_start(&threads[i], "race", roles[i], race, &err) == OK);
    for (size_t i = 0; i < ARRAY_COUNT(roles); i++)
        thread_join(&threads[i]);

    storage_stats_read(race->store.db, &stats);
    ck_assert_uint_eq(atomic_load(&race->logged), stats.samples_appended + stats.samples_duplicate);
    printf("appended %llu, late %llu, forgotten %llu, windows passed %lld\n",
           (unsigned long long)stats.samples_appended, (unsigned long long)stats.samples_late,
           (unsigned long long)stats.series_forgotten,
           (long long)((clock_wall_ms() - STORE_NOW_MS) / options.chunk_ms));
    ck_assert_uint_gt(stats.samples_late, 0);
    ck_assert_uint_gt(stats.series_forgotten, 0);
    clock_advance(INT64_C(1000) * options.chunk_ms);
    store_settle(&race->store);
    storage_stats_read(race->store.db, &stats);
    ck_assert_uint_eq(stats.series, 0);
    ck_assert_uint_eq(stats.samples, 0);
    ck_assert_uint_eq(stats.symbols, 0);
    storage_check(race->copy);
    storage_close(race->copy);
    arena_release(&names);
    store_close(&race->store);
    heap_free(race, sizeof(*race), HEAP_PROCESS);
}
END_TEST

enum { ALONE = 8, ALONE_ROUNDS = 2000 };

/* A writer of series that are all in its shards, and a reader that decodes. */
struct apart {
    struct store *store;
    struct labels labels[ALONE];
    uint64_t shard; /* of its own */
    _Atomic uint32_t *left;
};

static void write_alone(void *arg)
{
    struct apart *w = arg;
    struct arena a;
    arena_init(&a, HEAP_HTTP, 1 << 20);
    for (int round = 0; round < ALONE_ROUNDS; round++) {
        struct sample sample = {STORE_NOW_MS + round, round};
        struct append_result result;
        struct appender *app;
        struct error err;
        EXPECT(appender_begin(w->store->db, &a, &app, &err) == OK);
        for (int i = 0; i < ALONE; i++)
            EXPECT(appender_add(app, w->labels[i], &sample, 1, &err) == OK);
        EXPECT(appender_commit(app, &result, &err) == OK);
        EXPECT(result.stored + result.duplicates == ALONE);
        arena_reset(&a);
    }
    arena_release(&a);
    heap_flush_thread();
    atomic_fetch_sub(w->left, 1);
}

/* Which of four shards the series of these labels is in. */
static uint32_t shard_of(struct store *s, struct labels labels)
{
    struct appender *app;
    struct error err;
    ck_assert(appender_begin(s->db, &s->arena, &app, &err) == OK);
    const struct series *series = appender_find(app, labels);
    ck_assert_ptr_nonnull(series);
    uint32_t shard = series->id & 3;
    appender_abort(app);
    return shard;
}

/* Series of one shard, and each with a sample. */
static void choose_series(struct apart *w)
{
    int chosen = 0;
    for (int i = 0; chosen < ALONE; i++) {
        const char *name = arena_printf(&w->store->arena, "%d", i).data;
        struct labels labels = store_labels(&w->store->arena, "__name__", "apart", "i", name, NULL);
        store_append(w->store, labels, STORE_NOW_MS - 1, 0);
        if (shard_of(w->store, labels) == w->shard) w->labels[chosen++] = labels;
    }
}

static void read_while_written(void *arg)
{
    struct apart *w = arg;
    struct matcher apart = store_matcher(MATCH_EQUAL, "__name__", "apart");
    struct select_request request = {
        .matchers = &apart, .matcher_count = 1, .t_min_ms = INT64_MIN, .t_max_ms = INT64_MAX};
    struct selection selection;
    struct querier *q;
    struct error err;
    struct arena a;
    arena_init(&a, HEAP_QUERY, 1 << 26);
    EXPECT(querier_open(w->store->db, &a, &q, &err) == OK);
    EXPECT(querier_select(q, &request, &selection, &err) == OK);
    atomic_fetch_add(&selecting_done, 1);
    while (atomic_load(w->left) > 0) {
        struct columns columns = {.arena = &a};
        struct arena_mark mark = arena_mark(&a);
        for (size_t i = 0; i < selection.count; i++)
            EXPECT(series_read(q, selection.series[i], INT64_MIN, INT64_MAX, &columns, &err) == OK);
        arena_rewind(&a, mark);
    }
    querier_close(q);
    arena_release(&a);
    heap_flush_thread();
}

START_TEST(nobody_waits_for_writers_of_other_shards_or_for_readers_that_decode)
{
    struct store store;
    struct storage_options options = storage_options_default();
    struct apart writers[2];
    struct lock_waits before;
    struct lock_waits after;
    struct thread threads[3];
    struct error err;
    _Atomic uint32_t left = 2;
    options.shards = 4;
    store_open_with(&store, options);
    for (uint64_t i = 0; i < 2; i++) {
        writers[i] = (struct apart){.store = &store, .shard = i, .left = &left};
        choose_series(&writers[i]);
    }
    atomic_store(&selecting_done, 0);
    ck_assert(thread_start(&threads[2], "reader", read_while_written, &writers[0], &err) == OK);
    while (atomic_load(&selecting_done) == 0)
        thread_sleep_ms(1);
    lock_waits_read(LOCK_SHARD, &before);
    for (int i = 0; i < 2; i++)
        ck_assert(thread_start(&threads[i], "writer", write_alone, &writers[i], &err) == OK);
    for (int i = 0; i < 3; i++)
        thread_join(&threads[i]);
    lock_waits_read(LOCK_SHARD, &after);
    ck_assert_uint_eq(after.writes, before.writes);
    ck_assert_uint_eq(after.reads, before.reads);
    store_close(&store);
}
END_TEST

enum { GROWING = 600000, GROWING_STEP_MS = 10 };

/* A chunk that one thread fills and another reads the end of. */
struct growing {
    struct chunk *chunk;
    _Atomic uint32_t done;
};

/* What sample n is: repeats, decimals near each other, far from each other, and in the end none. */
static struct sample growing_sample(int64_t n)
{
    int64_t late_ms = n % 5 == 1;
    double v = n % 8 < 4 ? 7 : n % 64 == 63 ? 1e9 + (double)n : (double)n / 10;
    if (n > GROWING / 2 && n % 8 == 5) v = 1 / (double)n;
    return (struct sample){n * GROWING_STEP_MS + late_ms, v};
}

static void grow(void *arg)
{
    struct growing *g = arg;
    for (int64_t n = 1; n < GROWING; n++) {
        struct sample sample = growing_sample(n);
        EXPECT(chunk_add(g->chunk, sample.t_ms, sample.v) == CHUNK_APPENDED);
    }
    atomic_store(&g->done, 1);
    heap_flush_thread();
}

START_TEST(the_last_sample_of_a_chunk_is_whole_while_the_next_one_comes)
{
    struct growing g = {.chunk = chunk_create(0)};
    struct sample last = growing_sample(0);
    struct thread writer;
    struct error err;
    int64_t before_ms = INT64_MIN;
    bool done = false;
    ck_assert_ptr_nonnull(g.chunk);
    ck_assert(!chunk_last(g.chunk, &last));
    ck_assert_int_eq(chunk_add(g.chunk, last.t_ms, last.v), CHUNK_APPENDED);
    ck_assert(thread_start(&writer, "writer", grow, &g, &err) == OK);
    while (!done) {
        done = atomic_load(&g.done);
        if (!chunk_last(g.chunk, &last)) continue;
        struct sample expected = growing_sample(last.t_ms / GROWING_STEP_MS);
        ck_assert_int_ge(last.t_ms, before_ms);
        ck_assert_int_eq(last.t_ms, expected.t_ms);
        ck_assert(last.v == expected.v);
        before_ms = last.t_ms;
    }
    thread_join(&writer);
    ck_assert_int_eq(before_ms, growing_sample(GROWING - 1).t_ms);
    chunk_check(g.chunk);
    chunk_destroy(g.chunk);
}
END_TEST

SUITE(concurrent, the_last_sample_of_a_chunk_is_whole_while_the_next_one_comes,
      nobody_waits_for_writers_of_other_shards_or_for_readers_that_decode,
      writers_readers_expiry_and_export_do_not_disturb_each_other)
