/* expiry - 40 hours pass: exactly the right windows are there, and memory stays level. */
#include "storage/expiry.h"

#include "alloc/memstats.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

START_TEST(deciding_what_to_do_with_a_chunk)
{
    ck_assert_int_eq(expiry_decide(4, 5, 12), EXPIRY_DROP);
    ck_assert_int_eq(expiry_decide(5, 5, 12), EXPIRY_SEAL);
    ck_assert_int_eq(expiry_decide(11, 5, 12), EXPIRY_SEAL);
    ck_assert_int_eq(expiry_decide(12, 5, 12), EXPIRY_KEEP);
    ck_assert_int_eq(expiry_decide(13, 5, 12), EXPIRY_KEEP);
    ck_assert_int_eq(expiry_behind_ms(4 * HOUR_MS), EXPIRY_BEHIND_MS);
    ck_assert_int_eq(expiry_behind_ms(1600), 100);
}
END_TEST

START_TEST(late_chunks_are_sealed_when_no_more_of_them_come_and_sweeps_were_not_dear)
{
    const int64_t hours_ms = 4 * HOUR_MS;
    struct late late = {.chunks = 7, .ended_ms = INT64_MIN, .since_ms = 1000, .changed_ms = 2000};
    ck_assert(!expiry_is_due(&late, hours_ms, 2000 + EXPIRY_QUIET_MS - 1));
    ck_assert(expiry_is_due(&late, hours_ms, 2000 + EXPIRY_QUIET_MS));
    late.ended_ms = 500; /* a second of work, a hundred of rest */
    late.cost_ns = 1000 * NS_PER_MS;
    ck_assert(!expiry_is_due(&late, hours_ms, 500 + 99999));
    ck_assert(expiry_is_due(&late, hours_ms, 500 + 100000));
    late.changed_ms = 1000 + hours_ms / 16 - 2; /* they come and come */
    late.cost_ns *= 1000;
    ck_assert(!expiry_is_due(&late, hours_ms, 1000 + hours_ms / 16 - 1));
    ck_assert(expiry_is_due(&late, hours_ms, 1000 + hours_ms / 16));
    late.hurried = true;
    ck_assert(!expiry_is_due(&late, hours_ms, 500 + EXPIRY_HURRIED_MS - 1));
    ck_assert(expiry_is_due(&late, hours_ms, 500 + EXPIRY_HURRIED_MS));
    late.chunks = 0;
    ck_assert(!expiry_is_due(&late, hours_ms, 1000 + hours_ms));
    late = (struct late){.chunks = 1}; /* short windows */
    ck_assert(!expiry_is_due(&late, 1600, 99));
    ck_assert(expiry_is_due(&late, 1600, 100));
}
END_TEST

enum { LIFE_SERIES = 1000, LIFE_HOURS = 40, STEP_MS = 60000 };

struct life {
    struct store store;
    struct arena names;
    struct labels labels[LIFE_SERIES];
};

/* One scrape of all series; the same values at the same place of each window. */
static void scrape(struct life *life, int64_t t_ms)
{
    static struct sample samples[LIFE_SERIES];
    struct append_result result;
    struct appender *app;
    struct arena a;
    struct error err;
    arena_init(&a, HEAP_HTTP, 1 << 26);
    ck_assert(appender_begin(life->store.db, &a, &app, &err) == OK);
    for (int i = 0; i < LIFE_SERIES; i++) {
        samples[i] = (struct sample){t_ms, (double)(t_ms % (4 * HOUR_MS) / 1000 * (i + 1))};
        EXPECT(appender_add(app, life->labels[i], &samples[i], 1, &err) == OK);
    }
    ck_assert(appender_commit(app, &result, &err) == OK);
    ck_assert_uint_eq(result.stored, LIFE_SERIES);
    arena_release(&a);
}

/* What every series must hold now: all minutes from the oldest retained or first one on. */
static void check_visible(struct life *life, int64_t first_ms, int64_t now_ms)
{
    struct storage_bounds b = storage_bounds(life->store.db);
    int64_t from_ms = first_ms > b.oldest_ms ? first_ms : b.oldest_ms;
    struct querier *q = store_query(&life->store);
    struct matcher m = store_matcher(MATCH_EQUAL, "i", "7");
    struct selection selection = store_select(q, &m, 1);
    ck_assert_uint_eq(selection.count, 1);
    struct columns columns = store_read(&life->store, q, selection.series[0]);
    ck_assert_int_eq(columns.t_ms[0], from_ms);
    ck_assert_int_eq(columns.t_ms[columns.count - 1], now_ms);
    ck_assert_uint_eq(columns.count, (size_t)((now_ms - from_ms) / STEP_MS) + 1);
    querier_close(q);
    arena_reset(&life->store.arena);
}

START_TEST(forty_hours_pass_and_memory_returns_to_the_same_level)
{
    struct life *life = heap_calloc(1, sizeof(*life), HEAP_PROCESS);
    struct memstats level = {0};
    ck_assert_ptr_nonnull(life);
    store_open(&life->store);
    arena_init(&life->names, HEAP_PROCESS, 1 << 26);
    for (int i = 0; i < LIFE_SERIES; i++)
        life->labels[i] = store_numbered(&life->names, i);

    int64_t first_ms =
        storage_window_start_ms(life->store.db, storage_window_of(life->store.db, STORE_NOW_MS));
    int64_t end_ms = first_ms + LIFE_HOURS * HOUR_MS + 8 * HOUR_MS;
    clock_freeze(first_ms);
    for (int64_t t_ms = first_ms; t_ms < end_ms; t_ms += STEP_MS, clock_advance(STEP_MS)) {
        scrape(life, t_ms);
        int64_t minute = (t_ms - first_ms) / STEP_MS;
        if (minute % 7 == 0 || minute % 240 < 2) check_visible(life, first_ms, t_ms);
        store_settle(&life->store);
        if (minute % 240 != 120 || minute < 8 * 240) continue;
        struct memstats now;
        heap_flush_thread();
        memstats_read(&now);
        for (size_t tag = 0; tag < HEAP_TAG_COUNT; tag++) {
            if (level.heap_alloc == 0) break;
            ck_assert_msg(now.tag_bytes[tag] == level.tag_bytes[tag], "%s at minute %d: %lu, %lu",
                          heap_tag_name((enum heap_tag)tag), (int)minute, now.tag_bytes[tag],
                          level.tag_bytes[tag]);
        }
        level = now;
        storage_check(life->store.db);
    }
    store_close(&life->store);
    arena_release(&life->names);
    heap_free(life, sizeof(*life), HEAP_PROCESS);
}
END_TEST

START_TEST(series_that_hold_nothing_are_forgotten_with_all_their_memory)
{
    struct store s;
    struct memstats before;
    struct memstats after;
    struct storage_stats stats;
    store_open(&s);
    store_append(&s, store_labels(&s.arena, "__name__", "stays", NULL), STORE_NOW_MS + HOUR_MS / 8,
                 1);
    memstats_read(&before);
    for (int round = 0; round < 3; round++) {
        int64_t now_ms = clock_wall_ms();
        for (int i = 0; i < 2000; i++) {
            struct str text = arena_printf(&s.arena, "r%d-%d", round, i);
            store_append(&s, store_labels(&s.arena, "__name__", "churn", "i", text.data, NULL),
                         now_ms, 1);
        }
        storage_stats_read(s.db, &stats);
        ck_assert_uint_eq(stats.series, 2001);
        clock_advance(32 * HOUR_MS);
        store_append(&s, store_labels(&s.arena, "__name__", "stays", NULL), clock_wall_ms(), 1);
        store_settle(&s);
        storage_check(s.db);
        storage_stats_read(s.db, &stats);
        ck_assert_uint_eq(stats.series, 1);
        ck_assert_uint_eq(stats.symbols, 2);
        ck_assert_uint_eq(stats.label_pairs, 1);
        ck_assert_uint_eq(stats.chunks, 1);
        ck_assert_uint_eq(stats.samples, 1);
        arena_reset(&s.arena);
        memstats_read(&after);
        ck_assert_uint_eq(after.tag_bytes[HEAP_SERIES], before.tag_bytes[HEAP_SERIES]);
        ck_assert_uint_eq(after.tag_bytes[HEAP_LABELS], before.tag_bytes[HEAP_LABELS]);
        ck_assert_uint_eq(after.tag_bytes[HEAP_CHUNKS], before.tag_bytes[HEAP_CHUNKS]);
        ck_assert_uint_eq(after.tag_bytes[HEAP_INDEX], before.tag_bytes[HEAP_INDEX]);
    }
    store_close(&s);
}
END_TEST

static uint64_t sweeps_of(struct store *s)
{
    store_settle(s);
    return counter_read(&storage_sweep_times(s->db)->sweeps);
}

START_TEST(what_comes_late_is_waited_for_and_not_for_ever)
{
    struct store s;
    store_open(&s);
    struct labels labels = store_labels(&s.arena, "__name__", "late", NULL);
    store_append(&s, labels, STORE_NOW_MS, 1);
    clock_advance(4 * HOUR_MS);
    ck_assert_uint_eq(sweeps_of(&s), 1);
    clock_advance(HOUR_MS);
    ck_assert_uint_eq(sweeps_of(&s), 1); /* nothing has come */
    for (int i = 1; i <= 4; i++) {       /* as long as more comes, and then some seconds */
        store_append(&s, labels, STORE_NOW_MS - i, 2);
        ck_assert_uint_eq(sweeps_of(&s), 1);
        clock_advance(EXPIRY_QUIET_MS - 1);
    }
    ck_assert_uint_eq(sweeps_of(&s), 1);
    clock_advance(1);
    ck_assert_uint_eq(sweeps_of(&s), 2);
    for (int i = 0; i < HOUR_MS / 4 / 1000; i++) {
        store_append(&s, labels, STORE_NOW_MS - 5000 - i, 2);
        ck_assert_uint_eq(sweeps_of(&s), 2);
        clock_advance(1000);
    }
    ck_assert_uint_eq(sweeps_of(&s), 3);
    store_append(&s, labels, STORE_NOW_MS - 1000, 2);
    ck_assert_uint_eq(sweeps_of(&s), 3);
    storage_hurry(s.db, true);
    clock_advance(EXPIRY_HURRIED_MS - 1);
    store_append(&s, labels, STORE_NOW_MS - 1001, 2);
    ck_assert_uint_eq(sweeps_of(&s), 3);
    clock_advance(1);
    ck_assert_uint_eq(sweeps_of(&s), 4);
    store_close(&s);
}
END_TEST

START_TEST(a_closed_window_keeps_no_late_run)
{
    struct store s;
    store_open(&s);
    struct labels labels = store_labels(&s.arena, "__name__", "late", NULL);
    for (int i = 0; i < 20; i++)
        store_append(&s, labels, STORE_NOW_MS - (i + 1) * 1000, i);
    struct storage_stats stats;
    storage_stats_read(s.db, &stats);
    ck_assert_uint_eq(stats.samples_late, 19);
    uint64_t bytes = stats.chunk_bytes;
    clock_advance(4 * HOUR_MS);
    store_settle(&s);
    storage_stats_read(s.db, &stats);
    ck_assert_uint_lt(stats.chunk_bytes, bytes);
    ck_assert_uint_eq(stats.samples, 20);
    size_t samples;
    ck_assert_uint_eq(store_count(&s, &samples), 1);
    ck_assert_uint_eq(samples, 20);
    store_close(&s);
}
END_TEST

START_TEST(a_round_is_bounded)
{
    struct store s;
    struct storage_stats before;
    struct storage_stats after;
    store_open(&s);
    for (int i = 0; i < 30000; i++) {
        struct str text = arena_printf(&s.arena, "%d", i);
        store_append(&s, store_labels(&s.arena, "i", text.data, NULL), STORE_NOW_MS, 1);
        if (i % 1000 == 0) arena_reset(&s.arena);
    }
    clock_advance(40 * HOUR_MS);
    storage_stats_read(s.db, &before);
    for (bool more = true; more; before = after) {
        more = storage_maintain(s.db);
        storage_stats_read(s.db, &after);
        ck_assert_uint_le(before.series - after.series, 32 * 256);
    }
    ck_assert_uint_eq(after.series, 0);
    store_close(&s);
}
END_TEST

START_TEST(a_clock_that_goes_back_loses_nothing_and_breaks_nothing)
{
    struct store s;
    size_t samples;
    store_open(&s);
    struct labels labels = store_labels(&s.arena, "__name__", "m", NULL);
    store_append(&s, labels, STORE_NOW_MS, 1);
    clock_advance(36 * HOUR_MS); /* nine windows on: the same slot of the ring */
    ck_assert_uint_eq(store_append(&s, labels, clock_wall_ms(), 2).stored, 1);
    clock_advance(-36 * HOUR_MS);
    ck_assert_uint_eq(store_append(&s, labels, STORE_NOW_MS, 3).refused[REFUSED_TOO_OLD], 1);
    ck_assert_uint_eq(store_append(&s, labels, STORE_NOW_MS - 4 * HOUR_MS, 4).stored, 1);
    store_settle(&s);
    storage_check(s.db);
    ck_assert_uint_eq(store_count(&s, &samples), 1);
    ck_assert_uint_eq(samples, 1);
    store_close(&s);
}
END_TEST

SUITE(expiry, deciding_what_to_do_with_a_chunk,
      late_chunks_are_sealed_when_no_more_of_them_come_and_sweeps_were_not_dear,
      forty_hours_pass_and_memory_returns_to_the_same_level,
      series_that_hold_nothing_are_forgotten_with_all_their_memory,
      a_closed_window_keeps_no_late_run, what_comes_late_is_waited_for_and_not_for_ever,
      a_round_is_bounded, a_clock_that_goes_back_loses_nothing_and_breaks_nothing)
