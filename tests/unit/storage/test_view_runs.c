/*
 * view, beside a writer of runs: requests of several samples of each series, which are appended to
 * several series at once, are seen as a whole or not at all.
 */
#include "base/thread.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

enum { SERIES = 60, RUN = 8, ROUNDS = 300, STEP_MS = 10 };
enum { FEW = 24 /* series, so that a shard has fewer than go in together */ };

struct race {
    struct store store;
    struct labels labels[SERIES];
    _Atomic bool done;
    _Atomic uint64_t looks;
};

/* The samples of a round; values change in most of them. */
static void fill(struct sample samples[RUN], int round)
{
    for (int i = 0; i < RUN; i++) {
        int n = round * RUN + i;
        samples[i] = (struct sample){STORE_NOW_MS - HOUR_MS + n * STEP_MS, n % 3 ? n : n / 3};
    }
}

static void write_round(struct race *race, struct arena *a, int round)
{
    struct append_result result;
    struct appender *app;
    struct error err;
    struct sample samples[RUN];
    fill(samples, round);
    EXPECT(appender_begin(race->store.db, a, &app, &err) == OK);
    for (int i = 0; i < SERIES; i++) {
        struct series *s = appender_find(app, race->labels[i]);
        if (s)
            EXPECT(appender_add_to(app, s, samples, RUN, &err) == OK);
        else
            EXPECT(appender_add(app, race->labels[i], samples, RUN, &err) == OK);
    }
    EXPECT(appender_commit(app, &result, &err) == OK);
    EXPECT(result.stored == SERIES * RUN);
}

static void write_runs(void *arg)
{
    struct race *race = arg;
    struct arena a;
    arena_init(&a, HEAP_HTTP, 1 << 24);
    for (int round = 0; round < ROUNDS; round++) {
        write_round(race, &a, round);
        arena_reset(&a);
    }
    arena_release(&a);
    heap_flush_thread();
    atomic_store(&race->done, true);
}

static void look(struct race *race, struct arena *a)
{
    struct store view = {.db = race->store.db, .arena = *a};
    struct querier *q = store_query(&view);
    struct matcher m = store_matcher(MATCH_EQUAL, "__name__", "m");
    struct selection selection = store_select(q, &m, 1);
    size_t count = SIZE_MAX;
    for (size_t n = 0; n < selection.count; n++) {
        struct columns read = store_read(&view, q, selection.series[n]);
        if (n == 0) count = read.count;
        EXPECT(read.count == count && count % RUN == 0);
        struct sample samples[RUN];
        if (count > 0) fill(samples, (int)(count / RUN) - 1);
        for (size_t i = 0; count > 0 && i < RUN; i++)
            EXPECT(read.t_ms[count - RUN + i] == samples[i].t_ms &&
                   read.v[count - RUN + i] == samples[i].v);
    }
    querier_close(q);
    matcher_release(&m);
    *a = view.arena;
    atomic_fetch_add(&race->looks, 1);
}

static void read_runs(void *arg)
{
    struct race *race = arg;
    struct arena a;
    arena_init(&a, HEAP_QUERY, UINT64_C(1) << 28);
    while (!atomic_load(&race->done)) {
        look(race, &a);
        arena_reset(&a);
    }
    look(race, &a);
    arena_release(&a);
    heap_flush_thread();
}

START_TEST(no_query_sees_a_part_of_a_request_of_runs)
{
    static void (*const roles[])(void *) = {write_runs, read_runs, read_runs};
    struct race *race = heap_calloc(1, sizeof(*race), HEAP_PROCESS);
    struct thread threads[ARRAY_COUNT(roles)];
    struct error err;
    struct arena labels;
    ck_assert_ptr_nonnull(race);
    store_open(&race->store);
    arena_init(&labels, HEAP_PROCESS, 1 << 20);
    for (int i = 0; i < SERIES; i++)
        race->labels[i] = store_numbered(&labels, i);
    for (size_t i = 0; i < ARRAY_COUNT(roles); i++)
        ck_assert(thread_start(&threads[i], "race", roles[i], race, &err) == OK);
    for (size_t i = 0; i < ARRAY_COUNT(roles); i++)
        thread_join(&threads[i]);
    ck_assert_uint_gt(atomic_load(&race->looks), 2);
    arena_release(&labels);
    store_close(&race->store);
    heap_free(race, sizeof(*race), HEAP_PROCESS);
}
END_TEST

/* A series that a batch names several times has its runs in their order: the first sample of a
 * time stays, later ones of other values are refused. */
START_TEST(runs_of_a_series_go_in_as_they_come)
{
    struct race *race = heap_calloc(1, sizeof(*race), HEAP_PROCESS);
    struct append_result result;
    struct appender *app;
    struct error err;
    struct sample first[RUN];
    struct sample second[RUN];
    ck_assert_ptr_nonnull(race);
    store_open(&race->store);
    struct store *s = &race->store;
    for (int i = 0; i < SERIES; i++)
        race->labels[i] = store_numbered(&s->arena, i);
    write_round(race, &s->arena, 0);
    fill(first, 1);
    fill(second, 2);
    first[3].t_ms = first[0].t_ms - 1; /* late, so that the rest waits for its turn */
    second[0] = first[RUN - 1];        /* there already, */
    second[0].v += 1;                  /* with another value */
    ck_assert(appender_begin(s->db, &s->arena, &app, &err) == OK);
    for (int i = 0; i < FEW; i++)
        ck_assert(appender_add_to(app, appender_find(app, race->labels[i]), first, RUN, &err) ==
                  OK);
    for (int i = 0; i < FEW; i++)
        ck_assert(appender_add_to(app, appender_find(app, race->labels[i]), second, RUN, &err) ==
                  OK);
    ck_assert(appender_commit(app, &result, &err) == OK);
    ck_assert_uint_eq(result.stored, FEW * (2 * RUN - 1));
    ck_assert_uint_eq(result.refused[REFUSED_CONFLICT], FEW);
    store_close(s);
    heap_free(race, sizeof(*race), HEAP_PROCESS);
}
END_TEST

SUITE(view_runs, no_query_sees_a_part_of_a_request_of_runs, runs_of_a_series_go_in_as_they_come)
