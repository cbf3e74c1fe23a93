/* limit: charges up to the limit and not beyond. */
#include "alloc/limit.h"

#include "alloc/heap.h"
#include "tests/unit/suite.h"

START_TEST(exactly_the_limit_may_be_used)
{
    heap_set_limit(100);
    ck_assert(limit_charge(60));
    ck_assert(!limit_charge(41));
    ck_assert(!limit_charge(UINT64_MAX));
    ck_assert_uint_eq(heap_used_bytes(), 60);
    ck_assert(limit_charge(40));
    ck_assert(!limit_charge(1));
    ck_assert(limit_charge(0));
    limit_uncharge(1);
    ck_assert(limit_charge(1));
    limit_uncharge(100);
    ck_assert_uint_eq(heap_used_bytes(), 0);
}
END_TEST

START_TEST(without_a_limit_everything_is_counted_and_allowed)
{
    ck_assert_uint_eq(heap_limit(), 0);
    ck_assert(limit_charge(UINT64_C(1) << 50));
    ck_assert_uint_eq(heap_used_bytes(), UINT64_C(1) << 50);
    limit_uncharge(UINT64_C(1) << 50);
}
END_TEST

START_TEST(a_limit_below_what_is_used_refuses_until_enough_is_gone)
{
    ck_assert(limit_charge(1000));
    heap_set_limit(500);
    ck_assert(!limit_charge(1));
    limit_uncharge(600);
    ck_assert(limit_charge(100));
    ck_assert(!limit_charge(1));
}
END_TEST

START_TEST(refusals_are_counted)
{
    uint64_t before = limit_refusals();
    limit_count_refusal();
    limit_count_refusal();
    ck_assert_uint_eq(limit_refusals(), before + 2);
}
END_TEST

START_TEST(pressure_is_what_was_said_last)
{
    ck_assert_int_eq(heap_pressure(), HEAP_CALM);
    heap_set_pressure(HEAP_HARD);
    ck_assert_int_eq(heap_pressure(), HEAP_HARD);
    heap_set_pressure(HEAP_CALM);
    ck_assert_int_eq(heap_pressure(), HEAP_CALM);
}
END_TEST

SUITE(limit, exactly_the_limit_may_be_used, without_a_limit_everything_is_counted_and_allowed,
      a_limit_below_what_is_used_refuses_until_enough_is_gone, refusals_are_counted,
      pressure_is_what_was_said_last)
