/* bits: the edges of integers. */
#include "base/bits.h"

#include <math.h>

#include "tests/unit/suite.h"

START_TEST(powers_of_two)
{
    ck_assert(!bits_is_power_of_two(0));
    ck_assert(bits_is_power_of_two(1));
    ck_assert(bits_is_power_of_two(UINT64_C(1) << 63));
    ck_assert(!bits_is_power_of_two(6));
    ck_assert(!bits_is_power_of_two(UINT64_MAX));
}
END_TEST

START_TEST(aligning_rounds_up)
{
    ck_assert_uint_eq(bits_align_up(0, 16), 0);
    ck_assert_uint_eq(bits_align_up(1, 16), 16);
    ck_assert_uint_eq(bits_align_up(16, 16), 16);
    ck_assert_uint_eq(bits_align_up(17, 8192), 8192);
}
END_TEST

START_TEST(doubles_keep_their_bits)
{
    ck_assert_uint_eq(bits_from_double(1.0), UINT64_C(0x3FF0000000000000));
    ck_assert_uint_eq(bits_from_double(-0.0), UINT64_C(0x8000000000000000));
    ck_assert_uint_eq(bits_from_double(bits_to_double(UINT64_C(0x7FF0000000000002))),
                      UINT64_C(0x7FF0000000000002));
    ck_assert(isnan(bits_to_double(UINT64_C(0x7FF8000000000001))));
}
END_TEST

START_TEST(lengths_count_up_to_the_first_one)
{
    ck_assert_uint_eq(bits_length(0), 0);
    for (uint32_t n = 0; n < 64; n++) {
        ck_assert_uint_eq(bits_length(UINT64_C(1) << n), n + 1);
        ck_assert_uint_eq(bits_length(UINT64_MAX >> n), 64 - n);
    }
}
END_TEST

START_TEST(zigzag_orders_by_magnitude)
{
    static const int64_t values[] = {0, -1, 1, -2, 2, -3};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        ck_assert_uint_eq(bits_zigzag(values[i]), i);
    ck_assert_uint_eq(bits_zigzag(INT64_MIN), UINT64_MAX);
    ck_assert_uint_eq(bits_zigzag(INT64_MAX), UINT64_MAX - 1);
    for (int shift = 0; shift < 64; shift++) {
        int64_t v = (int64_t)(UINT64_C(0x9E3779B97F4A7C15) >> shift);
        ck_assert_int_eq(bits_unzigzag(bits_zigzag(v)), v);
        ck_assert_int_eq(bits_unzigzag(bits_zigzag(-v)), -v);
    }
}
END_TEST

START_TEST(floor_division_goes_down)
{
    ck_assert_int_eq(bits_floor_div(7, 4), 1);
    ck_assert_int_eq(bits_floor_div(-1, 4), -1);
    ck_assert_int_eq(bits_floor_div(-4, 4), -1);
    ck_assert_int_eq(bits_floor_div(-5, 4), -2);
    ck_assert_int_eq(bits_floor_div(INT64_MIN, 1), INT64_MIN);
    ck_assert_int_eq(bits_floor_div(INT64_MIN, INT64_MAX), -2);
}
END_TEST

START_TEST(sums_stop_at_the_ends)
{
    ck_assert_int_eq(bits_add_clamped(1, 2), 3);
    ck_assert_int_eq(bits_add_clamped(INT64_MAX, 1), INT64_MAX);
    ck_assert_int_eq(bits_add_clamped(INT64_MIN, -1), INT64_MIN);
    ck_assert_int_eq(bits_sub_clamped(1, 2), -1);
    ck_assert_int_eq(bits_sub_clamped(INT64_MIN, 1), INT64_MIN);
    ck_assert_int_eq(bits_sub_clamped(INT64_MAX, -1), INT64_MAX);
    ck_assert_int_eq(bits_sub_clamped(0, INT64_MIN), INT64_MAX);
}
END_TEST

SUITE(bits, powers_of_two, aligning_rounds_up, doubles_keep_their_bits,
      lengths_count_up_to_the_first_one, zigzag_orders_by_magnitude, floor_division_goes_down,
      sums_stop_at_the_ends)
