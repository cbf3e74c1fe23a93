/* quantile: interpolation, the classic histogram, and repairs. */
#include "promql/quantile.h"

#include <math.h>
#include <stdlib.h>

#include "tests/unit/promql/asking.h"

START_TEST(values_are_interpolated)
{
    double v[] = {4, 1, 3, 2};
    ck_assert_double_eq(quantile_of(0, v, 4), 1);
    ck_assert_double_eq(quantile_of(1, v, 4), 4);
    ck_assert_double_eq(quantile_of(0.5, v, 4), 2.5);
    ck_assert_double_eq_tol(quantile_of(0.1, v, 4), 1.3, 1e-12);
}
END_TEST

START_TEST(nan_sorts_first)
{
    double v[] = {1, NAN, 0};
    ck_assert_double_nan(quantile_of(0, v, 3));
    ck_assert_double_eq(quantile_of(0.5, v, 3), 0);
    ck_assert_double_eq(quantile_of(1, v, 3), 1);
}
END_TEST

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    if (isnan(x) || isnan(y)) return isnan(y) - isnan(x);
    return (x > y) - (x < y);
}

/* As by sorting: random values, few different ones, rising, falling, with NaNs, an organ pipe. */
START_TEST(quantiles_are_those_of_sorted_values)
{
    enum { COUNT_MAX = 300, KINDS = 6 };
    uint64_t state = random_seed();
    for (int round = 0; round < 3000; round++) {
        double v[COUNT_MAX];
        double sorted[COUNT_MAX];
        size_t count = next_random(&state) % COUNT_MAX + 1;
        for (size_t i = 0; i < count; i++) {
            const double kinds[KINDS] = {(double)(next_random(&state) % 1000000) / 7,
                                         (double)(next_random(&state) % 3),
                                         (double)i,
                                         -(double)i,
                                         next_random(&state) % 4 ? (double)i : (double)NAN,
                                         (double)(i < count / 2 ? i : count - i)};
            v[i] = sorted[i] = kinds[round % KINDS];
        }
        double q = (double)(next_random(&state) % 101) / 100;
        qsort(sorted, count, sizeof(sorted[0]), compare_doubles);
        double rank = q * (double)(count - 1);
        size_t low = (size_t)rank;
        size_t high = low + 1 < count ? low + 1 : low;
        double weight = rank - (double)low;
        double expected = sorted[low] * (1 - weight) + sorted[high] * weight;
        double got = quantile_of(q, v, count);
        ck_assert_msg(got == expected || (isnan(got) && isnan(expected)), "%g, not %g", got,
                      expected);
    }
}
END_TEST

START_TEST(a_quantile_outside_of_0_and_1_is_infinite)
{
    double v[] = {1, 2};
    ck_assert_double_eq(quantile_of(-0.1, v, 2), -INFINITY);
    ck_assert_double_eq(quantile_of(1.1, v, 2), INFINITY);
    ck_assert_double_nan(quantile_of(NAN, v, 2));
    ck_assert_double_nan(quantile_of(0.5, v, 0));
}
END_TEST

START_TEST(buckets_are_interpolated)
{
    struct bucket_repair repair;
    struct bucket b[] = {{INFINITY, 8}, {0.1, 1}, {1, 6}, {0.5, 3}};
    ck_assert_double_eq_tol(bucket_quantile(0.5, b, 4, &repair), 2.0 / 3, 1e-12);
    ck_assert_double_eq_tol(bucket_quantile(0.0625, b, 4, &repair), 0.05, 1e-12);
    ck_assert_double_eq(bucket_quantile(1, b, 4, &repair), 1);
    ck_assert(!repair.forced);
}
END_TEST

START_TEST(a_histogram_needs_its_last_bucket_and_observations)
{
    struct bucket_repair repair;
    struct bucket without_inf[] = {{1, 1}, {2, 2}};
    struct bucket alone[] = {{INFINITY, 2}};
    struct bucket empty[] = {{1, 0}, {INFINITY, 0}};
    ck_assert_double_nan(bucket_quantile(0.5, without_inf, 2, &repair));
    ck_assert_double_nan(bucket_quantile(0.5, alone, 1, &repair));
    ck_assert_double_nan(bucket_quantile(0.5, empty, 2, &repair));
    ck_assert_double_nan(bucket_fraction(0, 1, without_inf, 2));
    ck_assert_double_nan(bucket_fraction(0, 1, empty, 2));
}
END_TEST

START_TEST(equal_bounds_are_one_bucket)
{
    struct bucket_repair repair;
    struct bucket b[] = {{1, 1}, {1, 1}, {INFINITY, 4}};
    ck_assert_double_eq(bucket_quantile(0.25, b, 3, &repair), 0.5);
}
END_TEST

START_TEST(falling_counts_are_raised_and_reported)
{
    struct bucket_repair repair;
    struct bucket b[] = {{1, 10}, {2, 8}, {3, 9}, {4, 20}, {INFINITY, 20}};
    ck_assert_double_eq(bucket_quantile(0.75, b, 5, &repair), 3.5);
    ck_assert(repair.forced);
    ck_assert_double_eq(repair.bucket_min, 2);
    ck_assert_double_eq(repair.bucket_max, 3);
    ck_assert_double_eq(repair.difference_max, 2);
}
END_TEST

START_TEST(falls_that_are_rounding_are_silent)
{
    struct bucket_repair repair;
    struct bucket b[] = {{1, 10 + 1e-13}, {2, 10}, {INFINITY, 20}};
    bucket_quantile(0.5, b, 3, &repair);
    ck_assert(!repair.forced);
}
END_TEST

START_TEST(fractions_lie_between_two_values)
{
    struct bucket b[] = {{0.1, 1}, {0.5, 3}, {1, 6}, {INFINITY, 8}};
    ck_assert_double_eq(bucket_fraction(0.1, 0.5, b, 4), 0.25);
    ck_assert_double_eq(bucket_fraction(-INFINITY, INFINITY, b, 4), 1);
    ck_assert_double_eq(bucket_fraction(1, INFINITY, b, 4), 0.25);
    ck_assert_double_eq_tol(bucket_fraction(0.3, 0.5, b, 4), 0.125, 1e-12);
    ck_assert_double_eq(bucket_fraction(2, 1, b, 4), 0);
    ck_assert_double_nan(bucket_fraction(NAN, 1, b, 4));
}
END_TEST

SUITE(quantile, quantiles_are_those_of_sorted_values, values_are_interpolated, nan_sorts_first,
      a_quantile_outside_of_0_and_1_is_infinite, buckets_are_interpolated,
      a_histogram_needs_its_last_bucket_and_observations, equal_bounds_are_one_bucket,
      falling_counts_are_raised_and_reported, falls_that_are_rounding_are_silent,
      fractions_lie_between_two_values)
