/* histogram: which bucket a duration falls into. */
#include "base/histogram.h"

#include "tests/unit/suite.h"

static uint64_t bucket(const struct histogram *h, int i)
{
    return counter_read(&h->buckets[i]);
}

START_TEST(bounds_are_inclusive)
{
    static struct histogram h;
    histogram_observe_ns(&h, -5);
    histogram_observe_ns(&h, 0);
    histogram_observe_ns(&h, 1000);
    ck_assert_uint_eq(bucket(&h, 0), 3);
    histogram_observe_ns(&h, 1001);
    histogram_observe_ns(&h, 2000);
    ck_assert_uint_eq(bucket(&h, 1), 2);
    histogram_observe_ns(&h, 2001);
    histogram_observe_ns(&h, 4000);
    ck_assert_uint_eq(bucket(&h, 2), 2);
    ck_assert_uint_eq(counter_read(&h.sum_ns), 1000 + 1001 + 2000 + 2001 + 4000);
}
END_TEST

START_TEST(long_durations_land_in_the_last_bucket)
{
    static struct histogram h;
    int64_t last_ns = (INT64_C(1) << (HISTOGRAM_BUCKETS - 1)) * 1000;
    histogram_observe_ns(&h, last_ns);
    ck_assert_uint_eq(bucket(&h, HISTOGRAM_BUCKETS - 1), 1);
    histogram_observe_ns(&h, last_ns + 1);
    histogram_observe_ns(&h, INT64_MAX);
    ck_assert_uint_eq(bucket(&h, HISTOGRAM_BUCKETS), 2);
}
END_TEST

SUITE(histogram, bounds_are_inclusive, long_durations_land_in_the_last_bucket)
