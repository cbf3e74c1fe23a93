/* present: jumps of the clock are noticed, doubted, and settled by the clock or by samples. */
#include "storage/present.h"

#include "base/clock.h"
#include "tests/unit/suite.h"

#define START_MS INT64_C(1767247200000)
enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

static struct present p;

static void setup(void)
{
    const struct present_options options = {.future_ms = 10 * MINUTE,
                                            .bound_ms = 10 * MINUTE,
                                            .patience_ms = MINUTE,
                                            .limit_ms = 32 * HOUR};
    clock_freeze(START_MS);
    present_init(&p, &options);
}

static void teardown(void)
{
    present_release(&p);
    clock_thaw();
}

/* The wall clock alone. */
static void jump(int64_t ms)
{
    clock_freeze(clock_wall_ms() + ms);
}

static int64_t believed(void)
{
    return present_now(&p).believed_ms;
}

static bool hear(int64_t t_ms)
{
    struct present_time now = present_now(&p);
    if (!present_differs(&now)) return true;
    (void)present_doubt(&p, &now);
    return present_hear(&p, &now, t_ms);
}

START_TEST(time_passes)
{
    setup();
    for (int64_t ms = 1; ms < 100 * (int64_t)HOUR; ms *= 3) {
        clock_advance(ms);
        ck_assert_int_eq(believed(), clock_wall_ms());
    }
    teardown();
}
END_TEST

START_TEST(small_steps_are_followed_however_many)
{
    setup();
    for (int i = 0; i < 1000; i++) {
        jump(i % 3 ? -1 * SECOND : 9 * MINUTE);
        ck_assert_int_eq(believed(), clock_wall_ms());
    }
    ck_assert_uint_eq(counter_read(&p.jumps_forward) + counter_read(&p.jumps_back), 0);
    teardown();
}
END_TEST

START_TEST(a_jump_is_not_followed_and_noticed_once)
{
    static const int64_t jumps[] = {11 * MINUTE, -11 * MINUTE, 32 * (int64_t)HOUR, -START_MS,
                                    INT64_MAX / 2};
    for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        setup();
        jump(jumps[i]);
        struct present_time now = present_now(&p);
        ck_assert(present_differs(&now));
        ck_assert_int_eq(now.believed_ms, START_MS);
        ck_assert(present_doubt(&p, &now));
        ck_assert(!present_doubt(&p, &now));
        ck_assert_uint_eq(counter_read(&p.jumps_forward), jumps[i] > 0);
        ck_assert_uint_eq(counter_read(&p.jumps_back), jumps[i] < 0);
        clock_advance(5 * MINUTE);
        ck_assert_int_eq(believed(), START_MS + 5 * MINUTE);
        jump(-jumps[i] + SECOND);
        ck_assert_int_eq(believed(), clock_wall_ms());
        teardown();
    }
}
END_TEST

START_TEST(a_step_of_the_bound_is_followed_and_no_further_one)
{
    for (int forward = 0; forward < 2; forward++) {
        int64_t step_ms = forward ? 10 * MINUTE : -10 * MINUTE;
        setup();
        jump(step_ms);
        ck_assert_int_eq(believed(), START_MS + step_ms);
        jump(forward ? step_ms + 1 : step_ms - 1);
        ck_assert_int_eq(believed(), START_MS + step_ms);
        teardown();
    }
}
END_TEST

/* Each doubt begins from nothing: it is counted, and what was heard in the last one is forgotten.
 */
START_TEST(a_doubt_that_has_ended_leaves_nothing_behind)
{
    setup();
    jump(5 * HOUR);
    ck_assert(!hear(clock_wall_ms()));
    jump(-5 * HOUR);
    ck_assert_int_eq(believed(), clock_wall_ms()); /* the clock is back */
    clock_advance(2 * MINUTE);
    jump(5 * HOUR);
    ck_assert(!hear(clock_wall_ms()));
    ck_assert_uint_eq(counter_read(&p.jumps_forward), 2);

    present_accept(&p);
    jump(5 * HOUR);
    ck_assert(!hear(clock_wall_ms()));
    ck_assert_uint_eq(counter_read(&p.jumps_forward), 3);

    clock_advance(MINUTE);
    ck_assert(hear(clock_wall_ms()));
    jump(-5 * HOUR);
    ck_assert(!hear(clock_wall_ms()));
    ck_assert_uint_eq(counter_read(&p.jumps_back), 1);
    teardown();
}
END_TEST

START_TEST(time_may_be_known_to_have_come_as_far_as_both_clocks_allow)
{
    setup();
    jump(5 * HOUR);
    struct present_time now = present_now(&p);
    (void)present_doubt(&p, &now);
    present_reach(&p, &now, START_MS - HOUR);
    ck_assert_int_eq(believed(), START_MS);
    present_reach(&p, &now, START_MS + HOUR);
    ck_assert_int_eq(believed(), START_MS + HOUR);
    ck_assert(!present_doubt(&p, &now)); /* about the rest it goes on */
    present_reach(&p, &now, INT64_MAX);
    ck_assert_int_eq(believed(), START_MS + 5 * HOUR);
    teardown();
}
END_TEST

START_TEST(samples_confirm_a_jump_after_a_while)
{
    setup();
    jump(33 * (int64_t)HOUR);
    int64_t newest_ms = clock_wall_ms() - 15 * SECOND;
    ck_assert(!hear(newest_ms - HOUR));
    ck_assert(!hear(newest_ms));
    clock_advance(59 * SECOND);
    ck_assert(!hear(newest_ms));
    clock_advance(SECOND);
    ck_assert(hear(newest_ms));
    ck_assert_int_eq(believed(), clock_wall_ms());
    teardown();
}
END_TEST

START_TEST(time_never_outruns_the_samples)
{
    setup();
    jump(33 * (int64_t)HOUR);
    int64_t sample_ms = START_MS + HOUR;
    ck_assert(!hear(sample_ms));
    clock_advance(MINUTE);
    ck_assert(hear(sample_ms));
    ck_assert_int_eq(believed(), sample_ms);
    ck_assert(!hear(sample_ms + 5 * MINUTE)); /* the doubt goes on */
    teardown();
}
END_TEST

START_TEST(samples_of_the_believed_time_keep_it)
{
    for (int forward = 0; forward < 2; forward++) {
        setup();
        jump(forward ? 5 * HOUR : -5 * HOUR);
        for (int i = 0; i < 100; i++) {
            int64_t wrong_ms = clock_wall_ms();
            ck_assert(!hear(wrong_ms));
            ck_assert(!hear(believed() - SECOND));
            clock_advance(30 * SECOND);
        }
        ck_assert_int_eq(believed(), START_MS + 50 * MINUTE);
        /* They end: then the others count, a while later. */
        clock_advance(31 * SECOND);
        ck_assert(!hear(clock_wall_ms()));
        clock_advance(MINUTE);
        ck_assert(hear(clock_wall_ms()));
        ck_assert_int_eq(believed(), clock_wall_ms());
        teardown();
    }
}
END_TEST

START_TEST(samples_a_little_ahead_of_a_clock_that_went_back_confirm_it)
{
    setup();
    jump(-5 * HOUR);
    ck_assert(!hear(clock_wall_ms() + MINUTE));
    clock_advance(MINUTE);
    ck_assert(hear(clock_wall_ms() + MINUTE));
    ck_assert_int_eq(believed(), clock_wall_ms());
    teardown();
}
END_TEST

START_TEST(late_samples_say_nothing_about_a_jump_forward)
{
    setup();
    jump(5 * HOUR);
    ck_assert(!hear(clock_wall_ms()));
    clock_advance(59 * SECOND);
    ck_assert(!hear(START_MS - HOUR));
    clock_advance(SECOND);
    ck_assert(hear(clock_wall_ms()));
    ck_assert_int_eq(believed(), clock_wall_ms());
    teardown();
}
END_TEST

/* Those of the believed time have silenced a witness: how far he had got is forgotten, too. */
START_TEST(time_moves_to_the_newest_of_those_that_were_not_contradicted)
{
    setup();
    jump(33 * (int64_t)HOUR);
    ck_assert(!hear(START_MS + 30 * HOUR));
    ck_assert(!hear(believed()));
    ck_assert(!hear(START_MS + 2 * HOUR));
    clock_advance(MINUTE);
    ck_assert(hear(START_MS + HOUR));
    ck_assert_int_eq(believed(), START_MS + 2 * HOUR);
    ck_assert_uint_eq(counter_read(&p.jumps_forward), 1);
    ck_assert(!hear(START_MS + 3 * HOUR)); /* the doubt goes on, and is no new one */
    ck_assert_uint_eq(counter_read(&p.jumps_forward), 1);
    teardown();
}
END_TEST

START_TEST(what_lasts_for_the_retained_time_is_believed)
{
    setup();
    jump(100 * (int64_t)HOUR);
    ck_assert(!hear(START_MS));
    clock_advance(32 * (int64_t)HOUR - 1);
    present_round(&p);
    ck_assert_int_ne(believed(), clock_wall_ms());
    clock_advance(1);
    present_round(&p);
    ck_assert_int_eq(believed(), clock_wall_ms());
    teardown();
}
END_TEST

START_TEST(in_a_hurry_the_first_sample_counts)
{
    setup();
    present_believe(&p, INT64_MIN);
    present_hurry(&p, true);
    ck_assert_int_lt(believed(), 0);
    ck_assert(hear(START_MS - 40 * (int64_t)HOUR));
    ck_assert_int_eq(believed(), START_MS - 40 * (int64_t)HOUR);
    ck_assert(hear(START_MS - HOUR));
    present_hurry(&p, false);
    struct present_time now = present_now(&p);
    ck_assert(!present_doubt(&p, &now)); /* it is in doubt already */
    ck_assert_int_eq(now.believed_ms, START_MS - HOUR);
    teardown();
}
END_TEST

SUITE(present, time_passes, small_steps_are_followed_however_many,
      a_jump_is_not_followed_and_noticed_once, a_step_of_the_bound_is_followed_and_no_further_one,
      a_doubt_that_has_ended_leaves_nothing_behind,
      time_may_be_known_to_have_come_as_far_as_both_clocks_allow,
      samples_confirm_a_jump_after_a_while, time_never_outruns_the_samples,
      samples_of_the_believed_time_keep_it,
      samples_a_little_ahead_of_a_clock_that_went_back_confirm_it,
      late_samples_say_nothing_about_a_jump_forward,
      time_moves_to_the_newest_of_those_that_were_not_contradicted,
      what_lasts_for_the_retained_time_is_believed, in_a_hurry_the_first_sample_counts)
