/* clock: frozen, moved, and let go again. */
#include "base/clock.h"

#include "tests/unit/suite.h"

START_TEST(a_frozen_clock_stands_still)
{
    clock_freeze(1700000000000);
    int64_t mono_ns = clock_mono_ns();
    ck_assert_int_eq(clock_wall_ms(), 1700000000000);
    ck_assert_int_eq(clock_wall_ms(), 1700000000000);
    ck_assert_int_eq(clock_mono_ns(), mono_ns);
    clock_thaw();
}
END_TEST

START_TEST(both_clocks_advance_together)
{
    clock_freeze(0);
    int64_t mono_ns = clock_mono_ns();
    clock_advance(INT64_C(40) * 3600 * 1000);
    ck_assert_int_eq(clock_wall_ms(), INT64_C(40) * 3600 * 1000);
    ck_assert_int_eq(clock_mono_ns() - mono_ns, INT64_C(40) * 3600 * 1000 * 1000000);
    clock_advance(-1);
    ck_assert_int_eq(clock_wall_ms(), INT64_C(40) * 3600 * 1000 - 1);
    clock_thaw();
}
END_TEST

START_TEST(freezing_again_sets_the_wall_clock_only)
{
    clock_freeze(1000);
    clock_advance(10);
    int64_t mono_ns = clock_mono_ns();
    clock_freeze(5000);
    ck_assert_int_eq(clock_wall_ms(), 5000);
    ck_assert_int_eq(clock_mono_ns(), mono_ns);
    clock_thaw();
}
END_TEST

START_TEST(a_thawed_clock_runs)
{
    const int64_t year_2020_ms = INT64_C(1577836800000);
    clock_freeze(0);
    clock_thaw();
    ck_assert_int_gt(clock_wall_ms(), year_2020_ms);
    int64_t start_ns = clock_mono_ns();
    int64_t cpu_ns = clock_thread_cpu_ns();
    while (clock_mono_ns() - start_ns < 1000000) {
    }
    ck_assert_int_gt(clock_thread_cpu_ns(), cpu_ns);
    cpu_ns = clock_thread_cpu_ns();
    ck_assert_int_ge(clock_process_cpu_ns(), cpu_ns);
}
END_TEST

SUITE(clock, a_frozen_clock_stands_still, both_clocks_advance_together,
      freezing_again_sets_the_wall_clock_only, a_thawed_clock_runs)
