/*
 * storage, log and snapshots under everything at once: writers with late samples and series that
 * end, queries, lists, expiry, sealing, syncs, snapshots, and a clock that runs, jumps and is
 * turned back. In the end a second process finds what the first one held.
 *
 * A few seconds; with HEARTH_LONG in the environment minutes.
 */
#include <stdlib.h>

#include "base/hash.h"
#include "base/thread.h"
#include "tests/unit/snapshot/world.h"

enum { WRITERS = 2, STEADY = 16, ROUNDS = 700, ROUNDS_LONG = 60000, CHUNK_MS = 200 };

struct race {
    struct world world;
    struct labels labels[STEADY];
    struct arena names;
    int rounds;
    _Atomic int writers_left;
    _Atomic int next_writer;
    _Atomic uint64_t stored;
    _Atomic uint64_t read;
};

static double value_of(int64_t t_ms, int series)
{
    return (double)(t_ms - WORLD_START_MS) * STEADY + series;
}

static bool running(struct race *race)
{
    return atomic_load(&race->writers_left) > 0;
}

static void turn_clock(int writer, int round)
{
    if (writer == 0 && round % 150 == 149)
        clock_advance(CHUNK_MS + 50);
    else if (writer == 1 && round % 90 == 89)
        clock_advance(-40);
    else
        clock_advance(1);
}

static void write_round(struct race *race, struct arena *a, int writer, int round)
{
    struct sample samples[STEADY][2];
    struct append_result result;
    struct appender *app;
    struct error err;
    int64_t now_ms = clock_wall_ms();
    int64_t late_ms = now_ms - (int64_t)(hash_mix((uint64_t)round, (uint64_t)writer) % 500);
    EXPECT_MSG(appender_begin(race->world.db, a, &app, &err) == OK, "%s", err.text);
    for (int i = writer; i < STEADY; i += WRITERS) {
        samples[i][0] = (struct sample){now_ms, value_of(now_ms, i)};
        samples[i][1] = (struct sample){late_ms, value_of(late_ms, i)};
        EXPECT_MSG(appender_add(app, race->labels[i], samples[i], 2, &err) == OK, "%s", err.text);
    }
    struct str text = arena_printf(a, "%d-%d", writer, round);
    struct label passing[] = {{STR("__name__"), STR("passing")}, {STR("i"), text}};
    struct sample sample = {now_ms, 1};
    EXPECT_MSG(appender_add(app, (struct labels){passing, 2}, &sample, 1, &err) == OK, "%s",
               err.text);
    EXPECT_MSG(appender_commit(app, &result, &err) == OK, "%s", err.text);
    EXPECT_MSG(result.refused[REFUSED_CONFLICT] == 0, "a conflict");
    atomic_fetch_add(&race->stored, result.stored);
}

static void write_samples(void *arg)
{
    struct race *race = arg;
    struct arena a;
    int writer = atomic_fetch_add(&race->next_writer, 1);
    arena_init(&a, HEAP_HTTP, 1 << 24);
    for (int round = 0; round < race->rounds; round++) {
        write_round(race, &a, writer, round);
        arena_reset(&a);
        turn_clock(writer, round);
    }
    arena_release(&a);
    heap_flush_thread();
    atomic_fetch_sub(&race->writers_left, 1);
}

/* A label's text has no zero behind it. */
static int number_of(struct str text)
{
    int number = 0;
    for (size_t i = 0; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        number = number * 10 + (text.data[i] - '0');
    return number;
}

static void check_series(struct race *race, struct querier *q, const struct series *view,
                         struct columns *columns)
{
    struct error err;
    enum status st = series_read(q, view, INT64_MIN, INT64_MAX, columns, &err);
    EXPECT_MSG(st == OK, "%s", err.text);
    int series = number_of(labels_get(labels_of(view), STR("i")));
    for (size_t n = 0; n < columns->count; n++) {
        EXPECT_MSG(n == 0 || columns->t_ms[n - 1] < columns->t_ms[n], "not in order");
        EXPECT_MSG(columns->v[n] == value_of(columns->t_ms[n], series), "another value");
    }
    atomic_fetch_add(&race->read, columns->count);
}

static void read_samples(void *arg)
{
    struct race *race = arg;
    struct matcher matchers[2];
    struct select_request steady = {
        .matchers = matchers, .matcher_count = 1, .t_min_ms = INT64_MIN, .t_max_ms = INT64_MAX};
    struct error err;
    struct arena a;
    arena_init(&a, HEAP_QUERY, 1 << 26);
    ck_assert(matcher_init(&matchers[0], MATCH_REGEX, STR("__name__"), STR("st.+dy"), &err) == OK);
    ck_assert(matcher_init(&matchers[1], MATCH_REGEX, STR("i"), STR("[0-9]+.*7"), &err) == OK);
    while (running(race)) {
        struct querier *q;
        struct selection selection;
        struct str_list list;
        struct columns columns = {.arena = &a};
        EXPECT_MSG(querier_open(race->world.db, &a, &q, &err) == OK, "%s", err.text);
        EXPECT_MSG(querier_select(q, &steady, &selection, &err) == OK, "%s", err.text);
        for (size_t n = 0; n < selection.count; n++)
            check_series(race, q, selection.series[n], &columns);
        EXPECT_MSG(querier_label_values(q, STR("i"), &steady, &list, &err) == OK, "%s", err.text);
        struct select_request some = steady;
        some.matchers = &matchers[1];
        EXPECT_MSG(querier_label_names(q, &some, &list, &err) == OK, "%s", err.text);
        querier_close(q);
        arena_reset(&a);
    }
    for (size_t i = 0; i < 2; i++)
        matcher_release(&matchers[i]);
    arena_release(&a);
    heap_flush_thread();
}

static void maintain(void *arg)
{
    struct race *race = arg;
    for (int round = 0; running(race); round++) {
        storage_maintain(race->world.db);
        storage_hurry(race->world.db, round % 8 == 0);
        thread_sleep_ms(1);
    }
    heap_flush_thread();
}

static void save(void *arg)
{
    struct race *race = arg;
    struct error err;
    while (running(race)) {
        enum status st = durability_snapshot(race->world.d, race->world.db, &err);
        EXPECT_MSG(st == OK, "%s", err.text);
        for (int n = 0; n < 3; n++) {
            durability_sync(race->world.d);
            thread_sleep_ms(2);
        }
    }
    heap_flush_thread();
}

/* What is visible of the steady series: a number that any difference changes. */
static uint64_t content(struct race *race, size_t *samples)
{
    struct matcher m;
    struct error err;
    struct arena a;
    struct querier *q;
    struct selection selection;
    struct columns columns = {.arena = &a};
    uint64_t hash = 0;
    arena_init(&a, HEAP_QUERY, 1 << 28);
    ck_assert(matcher_init(&m, MATCH_EQUAL, STR("__name__"), STR("steady"), &err) == OK);
    struct select_request request = {.matchers = &m,
                                     .matcher_count = 1,
                                     .t_min_ms = INT64_MIN,
                                     .t_max_ms = INT64_MAX,
                                     .sorted = true};
    ck_assert(querier_open(race->world.db, &a, &q, &err) == OK);
    ck_assert(querier_select(q, &request, &selection, &err) == OK);
    *samples = 0;
    for (size_t n = 0; n < selection.count; n++) {
        check_series(race, q, selection.series[n], &columns);
        if (columns.count == 0) continue;
        hash = hash_mix(hash, n + 1);
        hash = hash_bytes(columns.t_ms, columns.count * sizeof(columns.t_ms[0]), hash);
        *samples += columns.count;
    }
    querier_close(q);
    arena_release(&a);
    return hash;
}

static void open_world(struct race *race)
{
    struct storage_options options = {
        .chunk_ms = CHUNK_MS, .windows = 4, .future_ms = 100, .shards = 4};
    struct error err;
    ck_assert_msg(storage_open(&options, &race->world.db, &err) == OK, "%s", err.text);
    ck_assert_msg(durability_open(&race->world.options, &race->world.d, &err) == OK, "%s",
                  err.text);
    ck_assert_msg(durability_recover(race->world.d, race->world.db, &err) == OK, "%s", err.text);
    storage_set_journal(race->world.db, durability_journal(race->world.d));
}

START_TEST(writers_queries_sealing_expiry_snapshots_and_a_turned_clock_do_not_disturb_each_other)
{
    static void (*const roles[])(void *) = {write_samples, write_samples, read_samples,
                                            read_samples,  maintain,      save};
    enum { ROLES = sizeof(roles) / sizeof(roles[0]) };
    static struct race race;
    struct thread threads[ROLES];
    struct error err;
    size_t held;
    size_t found;
    world_init(&race.world);
    race.world.options.segment_bytes = 64 << 10;
    race.rounds = getenv("HEARTH_LONG") ? ROUNDS_LONG : ROUNDS;
    arena_init(&race.names, HEAP_PROCESS, 1 << 20);
    for (int i = 0; i < STEADY; i++) {
        struct label labels[] = {{STR("__name__"), STR("steady")},
                                 {STR("i"), arena_printf(&race.names, "%d", i)}};
        ck_assert(labels_copy((struct labels){labels, 2}, &race.names, &race.labels[i], &err) ==
                  OK);
    }
    open_world(&race);
    atomic_store(&race.writers_left, WRITERS);
    for (size_t i = 0; i < ROLES; i++)
        ck_assert(thread_start(&threads[i], "race", roles[i], &race, &err) == OK);
    for (size_t i = 0; i < ROLES; i++)
        thread_join(&threads[i]);
    storage_check(race.world.db);

    uint64_t before = content(&race, &held);
    durability_close(race.world.d);
    storage_close(race.world.db);
    open_world(&race);
    uint64_t after = content(&race, &found);
    printf("stored %llu, read %llu, held in the end %zu\n",
           (unsigned long long)atomic_load(&race.stored),
           (unsigned long long)atomic_load(&race.read), held);
    ck_assert_uint_gt(held, 100);
    ck_assert_uint_eq(found, held);
    ck_assert(after == before);
    durability_close(race.world.d);
    storage_close(race.world.db);
    arena_release(&race.names);
    world_remove(race.world.path);
    clock_thaw();
}
END_TEST

SUITE(race, writers_queries_sealing_expiry_snapshots_and_a_turned_clock_do_not_disturb_each_other)
