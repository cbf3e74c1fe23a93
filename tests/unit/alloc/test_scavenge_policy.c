/* scavenge_policy: age, pace, reserve and hysteresis, with numbers alone. */
#include "alloc/scavenge_policy.h"

#include "tests/unit/alloc/random.h"
#include "tests/unit/suite.h"

#define SECOND INT64_C(1000000000)
#define MIB    (UINT64_C(1) << 20)

/* A heap of numbers: rounds every 100 ms, giving back costs 80 us per MiB. */
struct world {
    struct scavenge_policy policy;
    int64_t now;
    uint64_t idle, low, taken, inuse, gone;
    int64_t cpu_ns;
};

static struct world world_of(uint64_t idle, uint64_t inuse)
{
    const struct scavenge_options options = {
        .idle_age_ns = 5 * SECOND, .cpu_permille = 10, .keep_parts = 32};
    struct world w = {.now = SECOND, .idle = idle, .low = idle, .inuse = inuse};
    scavenge_policy_init(&w.policy, &options);
    return w;
}

static uint64_t run_round(struct world *w)
{
    const struct scavenge_demand demand = {.idle_bytes = w->idle,
                                           .low_bytes = w->low,
                                           .taken_bytes = w->taken,
                                           .inuse_bytes = w->inuse};
    uint64_t bytes = scavenge_policy_round(&w->policy, w->now, &demand);
    ck_assert_uint_le(bytes, w->idle);
    int64_t cost = (int64_t)(bytes * 80000 / MIB);
    if (bytes) scavenge_policy_spent(&w->policy, bytes, cost);
    w->idle -= bytes;
    w->gone += bytes;
    w->cpu_ns += cost;
    w->low = w->idle;
    w->taken = 0;
    w->now += SECOND / 10;
    return bytes;
}

static void run_seconds(struct world *w, int seconds)
{
    for (int i = 0; i < seconds * 10; i++)
        run_round(w);
}

/* The program needs so many bytes more: idle ones first, then from the system. */
static void take(struct world *w, uint64_t bytes)
{
    uint64_t resident = bytes < w->idle ? bytes : w->idle;
    w->idle -= resident;
    if (w->idle < w->low) w->low = w->idle;
    w->taken += bytes - resident;
    w->inuse += bytes;
}

static void give(struct world *w, uint64_t bytes)
{
    w->idle += bytes;
    w->inuse -= bytes;
}

START_TEST(nothing_goes_before_it_was_idle_for_the_age)
{
    struct world w = world_of(64 * MIB, 0);
    run_seconds(&w, 2);
    ck_assert_uint_eq(w.gone, 0);
    take(&w, 64 * MIB);
    run_seconds(&w, 1);
    give(&w, 64 * MIB);
    /* A slot is 625 ms: the age is exact but for one of them. */
    for (int i = 0; i < 49; i++)
        ck_assert_uint_eq(run_round(&w), 0);
    for (int i = 0; i < 8; i++)
        run_round(&w);
    ck_assert_uint_gt(w.gone, 0);
}
END_TEST

START_TEST(a_spike_is_gone_two_seconds_after_its_age)
{
    struct world w = world_of(0, 256 * MIB);
    run_seconds(&w, 20);
    give(&w, 256 * MIB);
    run_seconds(&w, 8);
    ck_assert_uint_eq(w.gone, 256 * MIB);
}
END_TEST

START_TEST(the_pace_is_a_share_of_one_core)
{
    struct world w = world_of(100000 * MIB, 0);
    for (int s = 1; s <= 120; s++) {
        int64_t before = w.cpu_ns;
        run_seconds(&w, 1);
        /* Five minutes' worth was there, and goes at twenty times the pace at most. */
        ck_assert_int_le(w.cpu_ns, (s + 300) * SECOND / 100);
        ck_assert_int_le(w.cpu_ns - before, 20 * SECOND / 100);
    }
    ck_assert_int_ge(w.cpu_ns, (300 + 110) * SECOND / 100);
}
END_TEST

START_TEST(the_pace_follows_what_it_really_costs)
{
    struct world w = world_of(1 << 30, 0);
    run_seconds(&w, 6);
    int64_t before = w.policy.mib_ns;
    scavenge_policy_spent(&w.policy, 4000 * MIB, 4000 * INT64_C(800000));
    ck_assert_int_gt(w.policy.mib_ns, before);
    ck_assert_int_lt(w.policy.budget_ns, 0);
    ck_assert_uint_eq(run_round(&w), 0);
}
END_TEST

START_TEST(what_is_needed_again_and_again_stays)
{
    struct world w = world_of(0, 200 * MIB);
    for (int turn = 0; turn < 20; turn++) {
        give(&w, 100 * MIB);
        run_seconds(&w, 3);
        take(&w, 100 * MIB);
        run_seconds(&w, 3);
    }
    ck_assert_uint_eq(w.gone, 0);
}
END_TEST

START_TEST(what_was_given_away_too_early_is_kept_next_time)
{
    struct world w = world_of(0, 200 * MIB);
    uint64_t first = 0;
    for (int turn = 0; turn < 10; turn++) {
        give(&w, 100 * MIB);
        run_seconds(&w, 12);
        take(&w, 100 * MIB);
        run_seconds(&w, 2);
        if (turn == 0) first = w.gone;
    }
    ck_assert_uint_gt(first, 90 * MIB);
    ck_assert_uint_le(w.gone, first + 10 * MIB);
}
END_TEST

START_TEST(a_load_that_has_ended_leaves_nothing)
{
    struct world w = world_of(0, 100 * MIB);
    for (int turn = 0; turn < 10; turn++) {
        give(&w, 100 * MIB);
        run_seconds(&w, 8);
        take(&w, 100 * MIB);
        run_seconds(&w, 1);
    }
    give(&w, 100 * MIB);
    run_seconds(&w, 10);
    ck_assert_uint_gt(w.idle, 90 * MIB); /* it may still go on */
    run_seconds(&w, 15);
    ck_assert_uint_eq(w.idle, 0);
}
END_TEST

START_TEST(of_what_was_regretted_the_part_that_is_used_stays)
{
    struct world w = world_of(0, 100 * MIB);
    give(&w, 100 * MIB);
    run_seconds(&w, 8);
    take(&w, 100 * MIB);
    for (int turn = 0; turn < 10; turn++) {
        run_seconds(&w, 1);
        give(&w, turn == 0 ? 100 * MIB : 20 * MIB);
        run_seconds(&w, 8);
        take(&w, 20 * MIB);
    }
    ck_assert_uint_eq(w.idle, 0);
    ck_assert_uint_eq(w.taken, 0);
}
END_TEST

START_TEST(a_part_of_what_is_in_use_is_kept_in_reserve)
{
    struct world w = world_of(100 * MIB, 320 * MIB);
    run_seconds(&w, 20);
    ck_assert_uint_eq(w.idle, 10 * MIB);
}
END_TEST

START_TEST(a_clock_that_stands_or_steps_back_does_no_harm)
{
    struct world w = world_of(100 * MIB, 0);
    run_seconds(&w, 3);
    int64_t stopped = w.now;
    for (int i = 0; i < 1000; i++) {
        w.now = stopped;
        ck_assert_uint_eq(run_round(&w), 0);
    }
    w.now = SECOND;
    ck_assert_uint_eq(run_round(&w), 0);
    run_seconds(&w, 10);
    ck_assert_uint_eq(w.gone, 100 * MIB);
}
END_TEST

START_TEST(after_a_long_sleep_everything_is_old_but_the_pace_holds)
{
    struct world w = world_of(4096 * MIB, 0);
    run_round(&w);
    w.now += 3600 * SECOND;
    run_round(&w);
    ck_assert_uint_gt(w.gone, 0);
    ck_assert_int_le(w.cpu_ns, 50 * SECOND / 1000);
}
END_TEST

START_TEST(no_history_gives_away_what_was_needed_within_the_age)
{
    enum { STEPS = 20000, AGE_ROUNDS = 50 };
    static uint64_t lows[STEPS];
    struct random r = random_start("scavenge_policy");
    struct world w = world_of(500 * MIB, 500 * MIB);
    for (int step = 0; step < STEPS; step++) {
        uint64_t bytes = random_below(&r, 20 * MIB);
        if (random_below(&r, 2))
            take(&w, bytes);
        else
            give(&w, bytes < w.inuse ? bytes : w.inuse);
        lows[step] = w.low;
        uint64_t gone = run_round(&w);
        for (int back = 0; back < AGE_ROUNDS && back <= step; back++) {
            EXPECT_MSG(lows[step - back] >= gone, "step %d, %d before", step, back);
            lows[step - back] -= gone;
        }
    }
}
END_TEST

SUITE(scavenge_policy, nothing_goes_before_it_was_idle_for_the_age,
      a_spike_is_gone_two_seconds_after_its_age, the_pace_is_a_share_of_one_core,
      the_pace_follows_what_it_really_costs, what_is_needed_again_and_again_stays,
      what_was_given_away_too_early_is_kept_next_time, a_load_that_has_ended_leaves_nothing,
      of_what_was_regretted_the_part_that_is_used_stays,
      a_part_of_what_is_in_use_is_kept_in_reserve, a_clock_that_stands_or_steps_back_does_no_harm,
      after_a_long_sleep_everything_is_old_but_the_pace_holds,
      no_history_gives_away_what_was_needed_within_the_age)
