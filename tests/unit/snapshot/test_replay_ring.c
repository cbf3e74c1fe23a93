/*
 * replay_ring: one log, any number of threads, the same store: the first of contradicting samples
 * counts, late and repeated ones, ids that change hands, and a clock that goes on with the log.
 */
#include "snapshot/replay_ring.h"

#include <stdlib.h>

#include "base/hash.h"
#include "snapshot/head.h"
#include "tests/unit/snapshot/world.h"
#include "tests/unit/suite.h"

enum {
    SERIES = 300,
    STEPS = 220,     /* a second each: nearly four windows */
    PER_BATCH = 120, /* entries */
#ifdef __SANITIZE_THREAD__
    BATCHES = 700, /* it takes a hundred times as long */
#else
    BATCHES = 2600, /* a MB, so that all threads are wanted */
#endif
    ID_STEP = 7,
    THREADS_LEAST = SUITE_FEWER > 1 ? 4 : 2
};

static struct label labels[SERIES][2];
static char names[SERIES][8];
static uint64_t model[SERIES][STEPS]; /* bits of the value; ABSENT: none */
static struct journal_series entries[PER_BATCH];
static struct sample samples[PER_BATCH][3];
static _Atomic uint32_t defined_in[SERIES];
static uint32_t id_of[SERIES];
#define ABSENT UINT64_MAX

static uint64_t random_state;
static uint32_t random_below(uint32_t n)
{
    random_state = hash_mix(random_state, 0x9E3779B97F4A7C15u);
    return (uint32_t)(random_state >> 33) % n;
}

static void make_series(void)
{
    for (uint32_t i = 0; i < SERIES; i++) {
        snprintf(names[i], sizeof(names[i]), "%u", i);
        labels[i][0] = (struct label){LABEL_METRIC_NAME, STR("metric")};
        labels[i][1] = (struct label){STR("series"), str_from(names[i])};
        atomic_store(&defined_in[i], 0);
        id_of[i] = ID_STEP * i;
    }
    memset(model, 0xFF, sizeof(model));
}

/* Two series of one part take each other's number, as when one has gone and another come; labels
 * are written again. */
static void change_hands(void)
{
    uint32_t a = random_below(SERIES - WAL_PARTS);
    uint32_t b = a + WAL_PARTS;
    uint32_t id = id_of[a];
    id_of[a] = id_of[b];
    id_of[b] = id;
    atomic_store(&defined_in[a], 0);
    atomic_store(&defined_in[b], 0);
}

/* Around `now`: mostly there, sometimes far behind, where there may be something already. */
static struct sample make_sample(uint32_t series, uint32_t now)
{
    uint32_t step = random_below(8) ? now : random_below(now + 1);
    double v = random_below(30) ? series + step * 0.5 : random_below(1000);
    uint64_t *known = &model[series][step];
    if (*known == ABSENT) *known = bits_from_double(v);
    return (struct sample){world_time(step), v};
}

static void log_batch(const struct journal *journal, struct arena *a, uint32_t number)
{
    uint32_t now = number * STEPS / BATCHES;
    struct journal_batch batch = {.series = entries, .arena = a};
    struct error err;
    if (random_below(40) == 0) change_hands();
    uint32_t count = 1 + random_below(PER_BATCH);
    uint32_t series = random_below(SERIES);
    for (uint32_t i = 0; i < count; i++, series = (series + 1 + random_below(3)) % SERIES) {
        uint32_t many = random_below(10) ? 1 : random_below(4);
        for (uint32_t k = 0; k < many; k++)
            samples[i][k] = make_sample(series, now);
        entries[batch.series_count++] = (struct journal_series){.id = id_of[series],
                                                                .labels = {labels[series], 2},
                                                                .defined_in = &defined_in[series],
                                                                .samples = samples[i],
                                                                .sample_count = many};
        batch.sample_count += many;
    }
    ck_assert_msg(journal->log(journal->self, &batch, &err) == OK, "%s", err.text);
}

static void make_log(struct world *w)
{
    struct arena a;
    make_series();
    world_open(w);
    struct journal journal = durability_journal(w->d);
    arena_init(&a, HEAP_HTTP, WORLD_ARENA_BYTES);
    for (uint32_t i = 0; i < BATCHES; i++) {
        log_batch(&journal, &a, i);
        arena_reset(&a);
    }
    arena_release(&a);
    world_close(w);
}

/* By its label, which does not end in a NUL. */
static size_t number_of(const struct series *s)
{
    struct str name = labels_get(labels_of(s), STR("series"));
    size_t number = 0;
    for (size_t i = 0; i < name.size; i++)
        number = 10 * number + (size_t)(name.data[i] - '0');
    ck_assert_uint_lt(number, SERIES);
    return number;
}

static void expect_series(const struct columns *columns, size_t series, int64_t oldest_ms)
{
    size_t at = 0;
    for (uint32_t step = 0; step < STEPS; step++) {
        if (world_time(step) < oldest_ms || model[series][step] == ABSENT) continue;
        EXPECT_MSG(at < columns->count && columns->t_ms[at] == world_time(step),
                   "step %u of series %zu is missing", step, series);
        EXPECT_MSG(bits_from_double(columns->v[at]) == model[series][step],
                   "another value at step %u of series %zu", step, series);
        at++;
    }
    EXPECT_MSG(at == columns->count, "series %zu has more than was logged", series);
}

static void expect_model(struct world *w)
{
    struct arena arena;
    struct querier *q;
    struct selection selection;
    struct error err = {0};
    const struct select_request request = {.t_min_ms = INT64_MIN, .t_max_ms = INT64_MAX};
    arena_init(&arena, HEAP_QUERY, WORLD_ARENA_BYTES);
    ck_assert_int_eq(querier_open(w->db, &arena, &q, &err), OK);
    ck_assert_int_eq(querier_select(q, &request, &selection, &err), OK);
    ck_assert_uint_eq(selection.count, SERIES);
    for (size_t i = 0; i < selection.count; i++) {
        struct columns columns = {.arena = &arena};
        ck_assert_int_eq(series_read(q, selection.series[i], INT64_MIN, INT64_MAX, &columns, &err),
                         OK);
        expect_series(&columns, number_of(selection.series[i]), storage_bounds(w->db).oldest_ms);
    }
    querier_close(q);
    arena_release(&arena);
}

/* What a start makes of the log in the folder: all numbers that must not depend on threads. */
struct outcome {
    struct storage_stats storage;
    struct durability_stats durability;
};

static struct outcome start_with(struct world *w, uint32_t threads, bool whole)
{
    struct outcome out;
    char copy[320];
    snprintf(copy, sizeof(copy), "%s-%u", w->path, threads);
    world_copy(w->path, copy);
    struct world other = *w;
    snprintf(other.path, sizeof(other.path), "%.250s", copy);
    other.options.path = other.path;
    other.options.restore_threads = threads;
    world_open(&other);
    if (whole) expect_model(&other);
    storage_check(other.db);
    storage_stats_read(other.db, &out.storage);
    out.durability = world_stats(&other);
    world_close(&other);
    world_remove(other.path);
    return out;
}

static void expect_same(const struct outcome *a, const struct outcome *b)
{
    ck_assert_uint_eq(a->storage.series, b->storage.series);
    ck_assert_uint_eq(a->storage.samples, b->storage.samples);
    ck_assert_uint_eq(a->storage.samples_late, b->storage.samples_late);
    ck_assert_uint_eq(a->storage.samples_appended, b->storage.samples_appended);
    ck_assert_uint_eq(a->storage.samples_duplicate, b->storage.samples_duplicate);
    ck_assert_uint_eq(a->storage.chunk_bytes, b->storage.chunk_bytes);
    for (int i = 0; i < REFUSED_REASON_COUNT; i++)
        ck_assert_uint_eq(a->storage.refused[i], b->storage.refused[i]);
    ck_assert_uint_eq(a->durability.recovered_samples, b->durability.recovered_samples);
    ck_assert_uint_eq(a->durability.wal_corruptions, b->durability.wal_corruptions);
    ck_assert_uint_eq(a->durability.wal_lost_batches, b->durability.wal_lost_batches);
}

START_TEST(any_number_of_threads_makes_the_same_store)
{
    struct world w;
    random_state = 5;
    world_init(&w);
    make_log(&w);
    clock_advance(INT64_C(1000) * STEPS);
    struct outcome one = start_with(&w, 1, true);
    ck_assert_uint_gt(one.storage.samples_late, 1000);
    ck_assert_uint_gt(one.storage.samples_duplicate, 1000);
    ck_assert_uint_gt(one.storage.refused[REFUSED_CONFLICT], 100);
    for (uint32_t threads = THREADS_LEAST; threads <= 5; threads++) {
        struct outcome more = start_with(&w, threads, true);
        expect_same(&one, &more);
    }
    world_release(&w);
}
END_TEST

/* The store is empty and believes what it reads, as far as the wall clock allows: windows at the
 * front of the log expire on the way, the same ones each time. */
START_TEST(time_goes_on_with_the_log_in_its_order)
{
    struct world w;
    random_state = 6;
    world_init(&w);
    w.future_ms = 500;
    make_log(&w);
    clock_advance(INT64_C(60000) * 60);
    struct outcome one = start_with(&w, 1, true);
    for (uint32_t threads = THREADS_LEAST; threads <= 4; threads++) {
        struct outcome more = start_with(&w, threads, true);
        expect_same(&one, &more);
    }
    world_release(&w);
}
END_TEST

static void damage(const struct world *w)
{
    char path[320];
    size_t size;
    snprintf(path, sizeof(path), "%s/wal/00000001", w->path);
    uint8_t *bytes = world_read_file(path, &size);
    for (int i = 0; i < 60; i++)
        bytes[HEAD_BYTES + random_below((uint32_t)size - HEAD_BYTES)] ^= 0x40;
    world_write_file(path, bytes, size - 13); /* and a torn end */
    free(bytes);
}

START_TEST(damage_costs_the_same_whoever_meets_it)
{
    struct world w;
    random_state = 7;
    world_init(&w);
    make_log(&w);
    clock_advance(INT64_C(1000) * STEPS);
    damage(&w);
    struct outcome one = start_with(&w, 1, false);
    ck_assert_uint_gt(one.durability.wal_corruptions, 20);
    ck_assert_uint_gt(one.durability.wal_lost_batches, 20);
    ck_assert_uint_eq(one.durability.wal_truncations, 1);
    for (uint32_t threads = THREADS_LEAST; threads <= 4; threads++) {
        struct outcome more = start_with(&w, threads, false);
        expect_same(&one, &more);
        ck_assert_uint_eq(more.durability.wal_truncations, 1);
    }
    world_release(&w);
}
END_TEST

SUITE(replay_ring, any_number_of_threads_makes_the_same_store,
      time_goes_on_with_the_log_in_its_order, damage_costs_the_same_whoever_meets_it)
