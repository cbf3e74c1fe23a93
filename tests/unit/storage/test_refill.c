/* refill: ends of chunks grow, and what does not belong there is left to an appender. */
#include "storage/refill.h"

#include "storage/state.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

static struct labels labels_named(struct arena *a, int number)
{
    struct label *label = arena_alloc(a, sizeof(*label));
    *label = (struct label){LABEL_METRIC_NAME, arena_printf(a, "m%d", number)};
    return (struct labels){label, 1};
}

/* A series with one sample at STORE_NOW_MS. */
static struct series *make(struct store *s, int number)
{
    struct appender *app;
    struct append_result result;
    struct labels labels = labels_named(&s->arena, number);
    const struct sample sample = {STORE_NOW_MS, 1};
    ck_assert_int_eq(appender_begin(s->db, &s->arena, &app, NULL), OK);
    ck_assert_int_eq(appender_add(app, labels, &sample, 1, NULL), OK);
    ck_assert_int_eq(appender_commit(app, &result, NULL), OK);
    ck_assert_int_eq(appender_begin(s->db, &s->arena, &app, NULL), OK);
    struct series *found = appender_find(app, labels);
    appender_abort(app);
    ck_assert_ptr_nonnull(found);
    return found;
}

START_TEST(samples_go_to_the_ends_of_chunks_of_any_shard)
{
    enum { SERIES = 40, ROUNDS = 60 };
    struct store s;
    struct series *series[SERIES];
    struct storage_stats stats;
    store_open(&s);
    for (int i = 0; i < SERIES; i++)
        series[i] = make(&s, i);
    struct refill *r = refill_begin(s.db, &s.arena);
    ck_assert_ptr_nonnull(r);
    for (int round = 1; round <= ROUNDS; round++) {
        for (int i = 0; i < SERIES; i++) {
            const struct sample two[] = {{STORE_NOW_MS + 20 * round, i},
                                         {STORE_NOW_MS + 20 * round + 10, round}};
            refill_prefetch_chunk(r, series[i]);
            refill_prefetch_end(r, series[i]);
            EXPECT(refill_append(r, series[i], two, 2) == 2);
        }
        if (round % 9 == 0) refill_pause(r);
    }
    ck_assert_uint_eq(refill_end(r), 2 * SERIES * ROUNDS);
    storage_stats_read(s.db, &stats);
    ck_assert_uint_eq(stats.samples, SERIES * (2 * ROUNDS + 1));
    ck_assert_uint_eq(stats.samples_appended, SERIES * (2 * ROUNDS + 1));
    store_close(&s);
}
END_TEST

START_TEST(what_is_not_simple_is_left)
{
    struct store s;
    store_open(&s);
    struct series *series = make(&s, 1);
    struct refill *r = refill_begin(s.db, &s.arena);
    ck_assert_ptr_nonnull(r);
    const struct sample late = {STORE_NOW_MS - 1000, 1};
    const struct sample again = {STORE_NOW_MS, 1};
    const struct sample other_window = {STORE_NOW_MS - 8 * HOUR_MS, 1};
    const struct sample too_old = {STORE_NOW_MS - 400 * HOUR_MS, 1};
    const struct sample too_new = {STORE_NOW_MS + 400 * HOUR_MS, 1};
    ck_assert_uint_eq(refill_append(r, series, &late, 1), 0);
    ck_assert_uint_eq(refill_append(r, series, &again, 1), 0);
    ck_assert_uint_eq(refill_append(r, series, &other_window, 1), 0);
    ck_assert_uint_eq(refill_append(r, series, &too_old, 1), 0);
    ck_assert_uint_eq(refill_append(r, series, &too_new, 1), 0);
    const struct sample then_late[] = {{STORE_NOW_MS + 10, 2}, {STORE_NOW_MS + 5, 3}};
    ck_assert_uint_eq(refill_append(r, series, then_late, 2), 1);
    ck_assert_uint_eq(refill_end(r), 1);
    store_close(&s);
}
END_TEST

SUITE(refill, samples_go_to_the_ends_of_chunks_of_any_shard, what_is_not_simple_is_left)
