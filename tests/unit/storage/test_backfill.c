/* backfill - 32 hours that come in any order end as those that came in order. */
#include "base/bits.h"
#include "base/hash.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

enum {
    SERIES = 160,
    STEP_MS = 60000,
    STEPS = 32 * 60 - 120, /* up to the middle of the last window */
    SAMPLES = SERIES * STEPS,
    BATCH = 2000,
    AGAIN_PARTS = 50 /* one in so many comes again, and one in so many with another value */
};

struct backfill {
    struct store store;
    struct arena names;
    struct labels labels[SERIES];
    int64_t start_ms;
    uint32_t order[SAMPLES];
    uint64_t duplicates;
    uint64_t conflicts;
};

static struct backfill in_order;
static struct backfill shuffled;

/* Counters, gauges, and some that are constant, of a sample's number. */
static struct sample sample_of(const struct backfill *b, uint32_t number)
{
    uint32_t series = number % SERIES;
    uint32_t step = number / SERIES;
    uint64_t noise = hash_mix(number, 7);
    double v = series;
    if (series % 4 == 1) v = step * 100.0 + (double)(noise % 50);
    if (series % 4 == 2) v = (double)(noise % 100000) / 1000;
    if (series % 4 == 3) v = (double)(noise % 1000) * 4096;
    return (struct sample){b->start_ms + step * (int64_t)STEP_MS, v};
}

static void backfill_open(struct backfill *b)
{
    store_open(&b->store);
    arena_init(&b->names, HEAP_QUERY, 1 << 26);
    int64_t window = storage_window_of(b->store.db, STORE_NOW_MS);
    b->start_ms = storage_window_start_ms(b->store.db, window - 7);
    clock_freeze(b->start_ms + (STEPS - 1) * (int64_t)STEP_MS);
    storage_hurry(b->store.db, true);
    for (int i = 0; i < SERIES; i++)
        b->labels[i] = store_numbered(&b->names, i);
    for (uint32_t i = 0; i < SAMPLES; i++)
        b->order[i] = i;
}

static void backfill_close(struct backfill *b)
{
    store_close(&b->store);
    arena_release(&b->names);
}

static void shuffle(struct backfill *b)
{
    for (uint32_t i = SAMPLES - 1; i > 0; i--) {
        uint32_t j = (uint32_t)(hash_mix(i, 42) % (i + 1));
        uint32_t moving = b->order[i];
        b->order[i] = b->order[j];
        b->order[j] = moving;
    }
}

static void send_batch(struct backfill *b, uint32_t first, uint32_t end)
{
    static struct sample samples[BATCH][3];
    struct append_result result;
    struct appender *app;
    struct arena a;
    struct error err;
    uint64_t more = 0;
    arena_init(&a, HEAP_HTTP, 1 << 26);
    EXPECT(appender_begin(b->store.db, &a, &app, &err) == OK);
    for (uint32_t i = first; i < end; i++) {
        struct sample *three = samples[i - first];
        size_t count = 1;
        three[0] = sample_of(b, b->order[i]);
        if (i % AGAIN_PARTS == 0) three[count++] = three[0];
        if (i % AGAIN_PARTS == 1) three[count++] = (struct sample){three[0].t_ms, three[0].v + 1};
        more += count - 1;
        EXPECT(appender_add(app, b->labels[b->order[i] % SERIES], three, count, &err) == OK);
    }
    EXPECT(appender_commit(app, &result, &err) == OK);
    EXPECT(result.stored == end - first);
    EXPECT(result.duplicates + result.refused[REFUSED_CONFLICT] == more);
    b->duplicates += result.duplicates;
    b->conflicts += result.refused[REFUSED_CONFLICT];
    arena_release(&a);
}

/* All batches, with a round of background work now and then, and then until it is done. */
static void fill(struct backfill *b)
{
    for (uint32_t first = 0; first < SAMPLES; first += BATCH) {
        send_batch(b, first, first + BATCH < SAMPLES ? first + BATCH : SAMPLES);
        clock_advance(1000);
        (void)storage_maintain(b->store.db);
    }
    for (int i = 0; i < 3; i++) {
        clock_advance(HOUR_MS / 4);
        store_settle(&b->store);
    }
}

/* Of windows that have closed: all of their chunks, and what is dead. */
static uint64_t closed_bytes(struct backfill *b)
{
    struct window_bytes rows[STORAGE_WINDOWS_MAX];
    uint64_t bytes = 0;
    size_t count = storage_window_bytes(b->store.db, rows);
    ck_assert_uint_eq(count, 8);
    for (size_t i = 0; i + 1 < count; i++) {
        ck_assert_uint_eq(rows[i].open, 0);
        bytes += rows[i].sealed + rows[i].deleted;
    }
    return bytes;
}

static struct columns read_series(struct backfill *b, struct querier *q, int i)
{
    struct matcher m = store_matcher(MATCH_EQUAL, "i", arena_printf(&b->store.arena, "%d", i).data);
    struct selection selection = store_select(q, &m, 1);
    ck_assert_uint_eq(selection.count, 1);
    return store_read(&b->store, q, selection.series[0]);
}

static void check_same_answers(int i)
{
    struct querier *qa = store_query(&in_order.store);
    struct querier *qb = store_query(&shuffled.store);
    struct columns a = read_series(&in_order, qa, i);
    struct columns b = read_series(&shuffled, qb, i);
    ck_assert_uint_eq(a.count, STEPS);
    ck_assert_uint_eq(b.count, STEPS);
    EXPECT(memcmp(a.t_ms, b.t_ms, STEPS * sizeof(*a.t_ms)) == 0);
    EXPECT(memcmp(a.v, b.v, STEPS * sizeof(*a.v)) == 0);
    for (uint32_t step = 0; step < STEPS; step++)
        EXPECT(bits_from_double(a.v[step]) ==
               bits_from_double(sample_of(&in_order, step * SERIES + (uint32_t)i).v));
    querier_close(qa);
    querier_close(qb);
    arena_reset(&in_order.store.arena);
    arena_reset(&shuffled.store.arena);
}

START_TEST(hours_in_random_order_end_with_the_answers_and_bytes_of_hours_in_order)
{
    struct storage_stats stats;
    backfill_open(&in_order);
    fill(&in_order);
    backfill_open(&shuffled);
    shuffle(&shuffled);
    fill(&shuffled);
    for (int i = 0; i < SERIES; i++)
        check_same_answers(i);

    storage_stats_read(shuffled.store.db, &stats);
    ck_assert_uint_eq(stats.samples, SAMPLES);
    ck_assert_uint_gt(stats.samples_late, SAMPLES / 2);
    ck_assert_uint_eq(stats.samples_duplicate, shuffled.duplicates);
    ck_assert_uint_eq(stats.refused[REFUSED_CONFLICT], shuffled.conflicts);
    ck_assert_uint_gt(shuffled.duplicates, SAMPLES / AGAIN_PARTS - 2);
    ck_assert_uint_gt(shuffled.conflicts, SAMPLES / AGAIN_PARTS - 2);
    uint64_t bytes = closed_bytes(&in_order);
    uint64_t bytes_shuffled = closed_bytes(&shuffled);
    ck_assert_uint_gt(bytes_shuffled, bytes / 100 * 95);
    ck_assert_uint_lt(bytes_shuffled, bytes / 100 * 105);
    backfill_close(&in_order);
    backfill_close(&shuffled);
}
END_TEST

SUITE(backfill, hours_in_random_order_end_with_the_answers_and_bytes_of_hours_in_order)
