/* decimal: which doubles are decimals, in which order scales are tried. */
#include "encoding/decimal.h"

#include "tests/unit/encoding/samples.h"
#include "tests/unit/suite.h"

static uint32_t first_scale(double v, int64_t *m)
{
    uint32_t scale = 0;
    while (scale < DECIMAL_SCALES && !decimal_exact(decimal_scale(scale), v, m))
        scale = decimal_next_scale(scale);
    return scale;
}

START_TEST(each_existing_scale_is_tried_once_in_order_of_exponents)
{
    uint32_t tried = 0;
    uint32_t exist = 0;
    uint32_t last_exponent = 0;
    for (uint32_t scale = 0; scale < DECIMAL_SCALES; scale = decimal_next_scale(scale), tried++) {
        ck_assert(decimal_scale_exists(scale));
        ck_assert_uint_ge(scale % 16, last_exponent);
        last_exponent = scale % 16;
    }
    for (uint32_t scale = 0; scale < 256; scale++)
        exist += decimal_scale_exists(scale);
    ck_assert_uint_eq(tried, 14 + 13 + 10);
    ck_assert_uint_eq(exist, tried);
}
END_TEST

START_TEST(a_decimal_is_found_at_its_smallest_scale)
{
    int64_t m;
    ck_assert_uint_eq(first_scale(42, &m), 0);
    ck_assert_int_eq(m, 42);
    ck_assert_uint_eq(first_scale(-1.5, &m), 1);
    ck_assert_int_eq(m, -15);
    ck_assert_uint_eq(first_scale(0.003, &m), 3);
    ck_assert_uint_eq(first_scale(1125899906842623.0, &m), 0); /* 2^50 - 1 */
    ck_assert_int_eq(m, 1125899906842623);
}
END_TEST

START_TEST(products_and_double_quotients_have_scales_of_their_own)
{
    int64_t m;
    volatile double thousandth = 0.001;
    double product = 1009 * thousandth; /* not 1009 / 1000. */
    ck_assert(bits_from_double(product) != bits_from_double(1.009));
    ck_assert_uint_eq(first_scale(product, &m), 16 + 3);
    ck_assert_int_eq(m, 1009);
    double twice = 0;
    int64_t k = 1; /* a number whose two quotients differ from the one */
    do {
        k += 2;
        twice = (double)k / 1000 / 1000;
    } while (bits_from_double(twice) == bits_from_double((double)k / 1e6) ||
             bits_from_double(twice) == bits_from_double((double)k * 1e-6));
    ck_assert_uint_eq(first_scale(twice, &m), 32 + 6);
    ck_assert_int_eq(m, k);
}
END_TEST

START_TEST(what_is_no_decimal_has_no_mantissa)
{
    const double none[] = {NAN,
                           INFINITY,
                           -INFINITY,
                           -0.0,
                           1e-300,
                           3.141592653589793,
                           1e16,
                           5e-324,
                           1e308,
                           1125899906842624.0,
                           bits_to_double(STALE_NAN_BITS)};
    int64_t m;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        ck_assert_uint_eq(first_scale(none[i], &m), DECIMAL_SCALES);
}
END_TEST

START_TEST(a_mantissa_gives_its_double_back)
{
    samples_seed();
    for (int round = 0; round < 100000; round++) {
        double v =
            samples_step((enum samples_kind)(random() % SAMPLES_KINDS), 1, (int)(random() % 14));
        int64_t m;
        uint32_t scale = first_scale(v, &m);
        if (scale == DECIMAL_SCALES) continue;
        ck_assert_uint_eq(bits_from_double(decimal_value(decimal_scale(scale), m)),
                          bits_from_double(v));
    }
}
END_TEST

static void check_quotient(double x, uint32_t exponent)
{
    const struct decimal_inverse *inverse = &decimal_inverses[exponent];
    double quotient = fma(x, inverse->high, x * inverse->low);
    ck_assert_uint_eq(bits_from_double(quotient),
                      bits_from_double(x / decimal_scale(exponent)->divide));
}

/* Mantissas, other doubles, and those whose quotients lie near the middle between two doubles. */
START_TEST(a_product_with_the_inverse_is_the_quotient)
{
    enum { ROUNDS = 2000 };
    samples_seed();
    for (uint32_t exponent = 0; exponent <= DECIMAL_EXPONENT_MAX; exponent++) {
        const double divisor = decimal_scale(exponent)->divide;
        check_quotient(0, exponent);
        ck_assert(fma(decimal_inverses[exponent].high, divisor, -1) <= 0);
        for (int round = 0; round < ROUNDS; round++) {
            int64_t m = (int64_t)samples_u64() >> (14 + random() % 50);
            double any = ldexp((double)(samples_u64() >> 11), (int)(random() % 200) - 100);
            long double middle = (long double)(samples_u64() >> 11 | UINT64_C(1) << 52) + 0.5L;
            double near = (double)(middle * (long double)divisor);
            check_quotient((double)m, exponent);
            check_quotient(any, exponent);
            check_quotient(-any, exponent);
            check_quotient(near, exponent);
            check_quotient(nextafter(near, INFINITY), exponent);
            check_quotient(nextafter(near, 0), exponent);
        }
    }
}
END_TEST

SUITE(decimal, each_existing_scale_is_tried_once_in_order_of_exponents,
      a_decimal_is_found_at_its_smallest_scale,
      products_and_double_quotients_have_scales_of_their_own, what_is_no_decimal_has_no_mantissa,
      a_mantissa_gives_its_double_back, a_product_with_the_inverse_is_the_quotient)
