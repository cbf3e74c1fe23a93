/*
 * decimal - doubles that are short decimals, as integers.
 *
 * Exporters compute the double of a decimal in three ways, which differ in the last bit:
 *
 *     scale = e + 16 * way      way 0:  m / 10^e
 *                               way 1:  m * 10^-e
 *                               way 2:  m / 1000 / 10^(e-3)      (milliseconds as seconds)
 *
 * A double has a mantissa at a scale when the way back gives the same 64 bits. Needs plain IEEE
 * arithmetic: no -ffast-math, no contraction to FMA.
 */
#ifndef HEARTH_ENCODING_DECIMAL_H
#define HEARTH_ENCODING_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/compiler.h"

enum {
    DECIMAL_EXPONENT_MAX = 13,
    DECIMAL_WAY_SHIFT = 4,
    DECIMAL_SCALES = 3 << DECIMAL_WAY_SHIFT, /* scales are below; not every one of them exists */
    DECIMAL_MANTISSA_BITS = 50               /* |m| < 2^50 */
};

/* v = mantissa / divisor / divisor_2 * factor, where the scale has them; others are 1. */
struct decimal_scale {
    double power;  /* 10^e: about what to multiply a value by for its mantissa */
    double divide; /* 1 in way 1 */
    double divide_again;
    double multiply;
};

static inline bool decimal_scale_exists(uint32_t scale)
{
    uint32_t exponent = scale & ((1u << DECIMAL_WAY_SHIFT) - 1);
    uint32_t way = scale >> DECIMAL_WAY_SHIFT;
    return exponent <= DECIMAL_EXPONENT_MAX && way <= 2 && exponent >= (way == 2 ? 4 : way);
}

extern const struct decimal_scale decimal_scales[DECIMAL_SCALES];

/* Of a scale that exists. */
static inline const struct decimal_scale *decimal_scale(uint32_t scale)
{
    DEBUG_ASSERT(decimal_scale_exists(scale));
    return &decimal_scales[scale];
}

/* 1 / 10^e as a sum: the double next below it, or itself, and the rest. So a quotient takes a
 * multiplication and a fused one:
 *
 *     x / 10^e = fma(x, high, x * low)     bit for bit, but for doubles next to the smallest ones
 *
 * What rounding `low` and the product with it loses is less than 2^-103 of the quotient. That is
 * A * 2^s / 5^e, with A < 2^53; where rounding turns is h * 2^t, with h odd and above 2^53. Their
 * distance is a multiple of 2^t / 5^e, and not zero since A is not h * 5^e: more than 2^-85 of the
 * quotient. */
struct decimal_inverse {
    double high;
    double low;
};
extern const struct decimal_inverse decimal_inverses[DECIMAL_EXPONENT_MAX + 1];

/* What v is divided by, of the ways that divide; the second time in way 2 alone. */
static inline const struct decimal_inverse *decimal_inverse(uint32_t scale, bool again)
{
    uint32_t exponent = scale & ((1u << DECIMAL_WAY_SHIFT) - 1);
    bool twice = scale >> DECIMAL_WAY_SHIFT == 2;
    return &decimal_inverses[!twice ? exponent : again ? exponent - 3 : 3];
}

/* Any scale as two such sums to multiply by, one after the other: inverses, or a factor and 1. */
static inline void decimal_factors(uint32_t scale, struct decimal_inverse *first,
                                   struct decimal_inverse *again)
{
    const struct decimal_scale *s = decimal_scale(scale);
    const struct decimal_inverse factor = {s->multiply, 0};
    *first = s->divide == 1 ? factor : *decimal_inverse(scale, false);
    *again = *decimal_inverse(s->divide_again == 1 ? 0 : scale, true);
}

/* The scale to try after this one, in order of exponents; DECIMAL_SCALES behind the last. Scale 0,
 * integers, is the first. */
uint32_t decimal_next_scale(uint32_t scale);

/* Neither NaN nor infinite nor -0: those have no mantissa at any scale. */
static inline bool decimal_may_be(uint64_t v_bits)
{
    return (v_bits >> 52 & 0x7FF) != 0x7FF && v_bits != UINT64_C(1) << 63;
}

/* The first scale from this one on that v has a mantissa at; DECIMAL_SCALES when there is none. */
uint32_t decimal_find_scale(uint32_t scale, double v, int64_t *m);

/* 2^52 + 2^51: a sum with it is rounded to an integer, which stands in its low bits. */
#define DECIMAL_MAGIC 6755399441055744.0

/* The double of an integer of less than 51 bits. */
static ALWAYS_INLINE double decimal_from_int(int64_t m)
{
    return bits_to_double((uint64_t)m + bits_from_double(DECIMAL_MAGIC)) - DECIMAL_MAGIC;
}

static ALWAYS_INLINE double decimal_value(const struct decimal_scale *s, int64_t m)
{
    double v = decimal_from_int(m) / s->divide;
    /* A second division, by 1 nearly always, would be a third of the time of an append. */
    if (UNLIKELY(s->divide_again != 1)) v /= s->divide_again;
    return v * s->multiply;
}

/* The nearest mantissa; false when it has too many bits (NaN and the infinities, too). */
static ALWAYS_INLINE bool decimal_nearest(const struct decimal_scale *s, double v, int64_t *m)
{
    const double limit = (double)(INT64_C(1) << DECIMAL_MANTISSA_BITS);
    double scaled = v * s->power;
    if (!(scaled > -limit && scaled < limit)) return false;
    *m = (int64_t)(bits_from_double(scaled + DECIMAL_MAGIC) - bits_from_double(DECIMAL_MAGIC));
    return true;
}

/* The mantissa of v; false when it has none at this scale. */
static ALWAYS_INLINE bool decimal_exact(const struct decimal_scale *s, double v, int64_t *m)
{
    return decimal_nearest(s, v, m) &&
           bits_from_double(decimal_value(s, *m)) == bits_from_double(v);
}

#endif
