/*
 * view, beside writers: no query ever sees a part of a request.
 *
 * Each request writes the same values to all series of one name, which lie in all shards: in order
 * and late, over sealed chunks, twice, and to a series that nobody has seen before. So at any
 * moment all series of a name have the same samples, whatever way they are read, while the clock
 * runs, windows are sealed, and expire.
 */
#include <stdio.h>

#include "base/hash.h"
#include "base/thread.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

enum {
    WRITERS = 2,
    READERS = 2,
    SERIES = 24,
    ROUNDS = 4000 / SUITE_FEWER,
    TOGETHER = WRITERS,
    NAMES
};
#define CHUNK_MS INT64_C(400)

static const char *const names[NAMES] = {"first", "second", "together"};

struct race {
    struct store store;
    struct labels labels[NAMES][SERIES];
    _Atomic uint32_t writers_left;
    _Atomic uint32_t next_writer;
    _Atomic uint64_t looks;
    _Atomic uint64_t overtaken;
};

/* Of all series of a name; `round` is different for each writer. */
static void stage(struct race *race, struct appender *app, int name, const struct sample *samples,
                  size_t count)
{
    for (int i = 0; i < SERIES; i++)
        EXPECT(appender_add(app, race->labels[name][i], samples, count, NULL) == OK);
}

static void write_round(struct race *race, struct arena *a, int writer, int round)
{
    struct append_result result;
    struct appender *app;
    struct error err;
    /* Times of the two writers are not the same. */
    int64_t now_ms = clock_wall_ms() / 2 * 2 + writer;
    int64_t late_ms = now_ms - 2 * (int64_t)(hash_mix((uint64_t)round, 1) % CHUNK_MS);
    const struct sample samples[] = {{now_ms, (double)(now_ms % 7)},
                                     {late_ms, (double)(late_ms % 7)}};
    EXPECT(appender_begin(race->store.db, a, &app, &err) == OK);
    stage(race, app, writer, samples, 1 + (size_t)round % 2);
    stage(race, app, TOGETHER, samples, 1 + (size_t)round % 3 / 2);
    struct str number = arena_printf(a, "%d-%d", writer, round);
    struct labels passing = store_labels(a, "__name__", names[writer], "i", number.data, NULL);
    EXPECT(appender_add(app, passing, samples, 1, &err) == OK);
    EXPECT(appender_commit(app, &result, &err) == OK);
    ck_assert_uint_eq(result.refused[REFUSED_CONFLICT], 0);
    clock_advance(1);
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
    }
    arena_release(&a);
    heap_flush_thread();
    atomic_fetch_sub(&race->writers_left, 1);
}

/* At all samples, the newest ones, the times of these. */
enum look { LOOK_ALL, LOOK_NEWEST, LOOK_TIMES, LOOKS };

/* What a series has: as good as its samples themselves. */
struct sum {
    size_t count;
    uint64_t hash;
    int64_t last_ms;
};

static struct sum sum_of(const struct columns *read, enum look look)
{
    struct sum sum = {0};
    size_t from = look != LOOK_ALL && read->count > 0 ? read->count - 1 : 0;
    for (size_t i = from; i < read->count; i++) {
        EXPECT(look == LOOK_TIMES || read->v[i] == (double)(read->t_ms[i] % 7));
        sum.hash = hash_mix(sum.hash, (uint64_t)read->t_ms[i]);
        sum.last_ms = read->t_ms[i];
        sum.count++;
    }
    return sum;
}

static struct series_reader *reader_of(struct querier *q, const struct selection *selection,
                                       struct arena *a, enum look look)
{
    struct series_reader_request request = {.series = selection->series,
                                            .count = selection->count,
                                            .t_min_ms = INT64_MIN,
                                            .t_max_ms = INT64_MAX,
                                            .newest = look != LOOK_ALL,
                                            .newest_words = selection->newest_words};
    struct series_reader *reader;
    struct error err;
    EXPECT(series_reader_create(q, &request, a, &reader, &err) == OK);
    if (look == LOOK_TIMES) series_reader_skip_values(reader);
    return reader;
}

/* All series of a name are the same, but for those that have one sample: of these there are as many
 * as there were requests, and one is as new as the newest sample is. */
static void look_at(struct race *race, struct arena *a, int name, enum look look)
{
    struct matcher m = store_matcher(MATCH_EQUAL, "__name__", names[name]);
    struct select_request request = {
        .matchers = &m, .matcher_count = 1, .t_min_ms = INT64_MIN, .t_max_ms = INT64_MAX};
    struct selection selection;
    struct querier *q;
    struct sum first[2] = {{0}};
    size_t steady = 0;
    int64_t passing_ms = INT64_MIN;
    struct error err;
    EXPECT(querier_open(race->store.db, a, &q, &err) == OK);
    struct storage_bounds bounds = storage_bounds(race->store.db);
    EXPECT(querier_select(q, &request, &selection, &err) == OK);
    struct series_reader *all = reader_of(q, &selection, a, look);
    struct columns alone = {.arena = a};
    struct sum sums[2][SERIES];
    for (size_t n = 0; n < selection.count; n++) {
        const struct series *s;
        struct columns *read;
        EXPECT(series_reader_next(all, &s, &read, &err) == OK);
        EXPECT((look ? series_read_newest : series_read)(q, s, INT64_MIN, INT64_MAX, &alone,
                                                         &err) == OK);
        if (memchr(series_label(s, STR("i")).data, '-', series_label(s, STR("i")).size)) {
            if (read->count > 0 && read->t_ms[0] > passing_ms) passing_ms = read->t_ms[0];
            continue;
        }
        EXPECT(steady < SERIES);
        sums[0][steady] = sum_of(read, look);
        sums[1][steady++] = sum_of(&alone, look);
    }
    first[0] = first[1] = sums[0][0];
    querier_close(q);
    matcher_release(&m);
    atomic_fetch_add(&race->looks, 1);
    if (storage_bounds(race->store.db).oldest_window != bounds.oldest_window &&
        clock_wall_ms() - bounds.newest_ms >= CHUNK_MS) {
        atomic_fetch_add(&race->overtaken, 1); /* another window has taken the place of one */
        return;
    }
    for (size_t i = 0; i < 2 * steady; i++) {
        const struct sum *sum = &sums[i % 2][i / 2];
        ck_assert_msg(sum->count == first[0].count && sum->hash == first[0].hash,
                      "%s, look %d, way %zu, series %zu: %zu samples to %lld, others %zu to %lld",
                      names[name], (int)look, i % 2, i / 2, sum->count, (long long)sum->last_ms,
                      first[0].count, (long long)first[0].last_ms);
    }
    if (steady > 0 && name != TOGETHER) ck_assert_int_eq(passing_ms, first[0].last_ms);
}

static void read_samples(void *arg)
{
    struct race *race = arg;
    struct arena a;
    arena_init(&a, HEAP_QUERY, 1 << 26);
    for (int round = 0; atomic_load(&race->writers_left) > 0; round++) {
        look_at(race, &a, round % NAMES, round / NAMES % LOOKS);
        arena_reset(&a);
    }
    arena_release(&a);
    heap_flush_thread();
}

static void maintain(void *arg)
{
    struct race *race = arg;
    while (atomic_load(&race->writers_left) > 0) {
        storage_maintain(race->store.db);
        thread_sleep_ms(1);
    }
    heap_flush_thread();
}

START_TEST(no_query_sees_a_part_of_a_request)
{
    static void (*const roles[])(void *) = {write_samples, write_samples, read_samples,
                                            read_samples, maintain};
    struct storage_options options = {
        .chunk_ms = CHUNK_MS, .windows = 4, .future_ms = 50, .shards = 8};
    struct race *race = heap_calloc(1, sizeof(*race), HEAP_PROCESS);
    struct thread threads[ARRAY_COUNT(roles)];
    struct storage_stats stats;
    struct error err;
    struct arena labels;
    ck_assert_ptr_nonnull(race);
    store_open_with(&race->store, options);
    arena_init(&labels, HEAP_PROCESS, 1 << 20);
    for (int name = 0; name < NAMES; name++)
        for (int i = 0; i < SERIES; i++)
            race->labels[name][i] = store_labels(&labels, "__name__", names[name], "i",
                                                 arena_printf(&labels, "%d", i).data, NULL);
    atomic_store(&race->writers_left, WRITERS);
    for (size_t i = 0; i < ARRAY_COUNT(roles); i++)
        ck_assert(thread_start(&threads[i], "race", roles[i], race, &err) == OK);
    for (size_t i = 0; i < ARRAY_COUNT(roles); i++)
        thread_join(&threads[i]);
    storage_stats_read(race->store.db, &stats);
    printf("looks %llu, overtaken %llu, appended %llu, late %llu, windows passed %lld\n",
           (unsigned long long)atomic_load(&race->looks),
           (unsigned long long)atomic_load(&race->overtaken),
           (unsigned long long)stats.samples_appended, (unsigned long long)stats.samples_late,
           (long long)((clock_wall_ms() - STORE_NOW_MS) / CHUNK_MS));
    ck_assert_uint_gt(stats.samples_late, 0);
    ck_assert_uint_eq(stats.views, 0);
    ck_assert_uint_eq(stats.views_lost, 0);
    ck_assert_uint_eq(stats.view_note_bytes, 0);
    arena_release(&labels);
    store_close(&race->store);
    heap_free(race, sizeof(*race), HEAP_PROCESS);
}
END_TEST

SUITE(view_race, no_query_sees_a_part_of_a_request)
