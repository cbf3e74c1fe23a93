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
      a_jump_is_not_followed_and_noticed_once, samples_confirm_a_jump_after_a_while,
      time_never_outruns_the_samples, samples_of_the_believed_time_keep_it,
      what_lasts_for_the_retained_time_is_believed, in_a_hurry_the_first_sample_counts)
