/* traffic: codes, durations and sizes land in their rows. */
#include "server/traffic.h"

#include "tests/unit/suite.h"

START_TEST(a_request_is_counted_once_in_each)
{
    static struct traffic_route route;
    traffic_count(&route, 204, 50000000, 100);
    traffic_count(&route, 999, INT64_C(121000000000), 101);
    traffic_count(&route, 204, 100000000, UINT64_C(2000000000));
    ck_assert_uint_eq(traffic_codes[1], 204);
    ck_assert_uint_eq(counter_read(&route.requests[1]), 2);
    ck_assert_uint_eq(counter_read(&route.requests[TRAFFIC_CODES - 1]), 1);
    ck_assert_uint_eq(counter_read(&route.durations[0]), 2); /* bounds are inclusive */
    ck_assert_uint_eq(counter_read(&route.durations[TRAFFIC_DURATIONS]), 1);
    ck_assert_uint_eq(counter_read(&route.sizes[0]), 1);
    ck_assert_uint_eq(counter_read(&route.sizes[1]), 1);
    ck_assert_uint_eq(counter_read(&route.sizes[TRAFFIC_SIZES]), 1);
    ck_assert_uint_eq(counter_read(&route.size_bytes), 2000000201);
}
END_TEST

SUITE(traffic, a_request_is_counted_once_in_each)
