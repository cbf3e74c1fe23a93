/* func_date: parts of dates against libc's calendar. */
#include <time.h>

#include "promql/func_impl.h"
#include "tests/unit/promql/asking.h"

static double part(const struct function_impl *impl, double v)
{
    double out;
    ck_assert(impl->map(v, NULL, 0, &out));
    return out;
}

START_TEST(dates_are_libc_s)
{
    uint64_t state = random_seed();
    for (int i = 0; i < 20000; i++) {
        time_t t = (time_t)(next_random(&state) % UINT64_C(20000000000)) - 10000000000;
        struct tm parts;
        double v = (double)t;
        ck_assert_ptr_nonnull(gmtime_r(&t, &parts));
        ck_assert_double_eq(part(&func_minute, v), parts.tm_min);
        ck_assert_double_eq(part(&func_hour, v), parts.tm_hour);
        ck_assert_double_eq(part(&func_day_of_week, v), parts.tm_wday);
        ck_assert_double_eq(part(&func_day_of_month, v), parts.tm_mday);
        ck_assert_double_eq(part(&func_day_of_year, v), parts.tm_yday + 1);
        ck_assert_double_eq(part(&func_month, v), parts.tm_mon + 1);
        ck_assert_double_eq(part(&func_year, v), parts.tm_year + 1900);
    }
}
END_TEST

START_TEST(months_have_their_days)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (int month = 0; month < 12; month++) {
        struct tm parts = {.tm_year = 124, .tm_mon = month, .tm_mday = 15};
        ck_assert_double_eq(part(&func_days_in_month, (double)timegm(&parts)), days[month]);
    }
    ck_assert_double_eq(part(&func_days_in_month, -2203977600), 28); /* February 1900 */
}
END_TEST

START_TEST(values_that_are_no_times_are_what_go_makes_of_them)
{
    static const double values[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 1e300,
                                    -1e300};
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
        ck_assert_double_eq(part(&func_minute, values[i]), 30);
        ck_assert_double_eq(part(&func_hour, values[i]), 15);
        ck_assert_double_eq(part(&func_day_of_month, values[i]), 4);
        ck_assert_double_eq(part(&func_month, values[i]), 12);
        ck_assert_double_eq(part(&func_year, values[i]), 292277026596);
    }
}
END_TEST

SUITE(func_date, dates_are_libc_s, months_have_their_days,
      values_that_are_no_times_are_what_go_makes_of_them)
