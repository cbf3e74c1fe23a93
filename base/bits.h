/*
 * bits - pure arithmetic on integers: powers of two, alignment, casts of doubles, checked sums.
 */
#ifndef HEARTH_BASE_BITS_H
#define HEARTH_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool bits_is_power_of_two(uint64_t v)
{
    return v && (v & (v - 1)) == 0;
}

/* alignment is a power of two; the caller knows that the result fits. */
static inline size_t bits_align_up(size_t v, size_t alignment)
{
    return (v + alignment - 1) & ~(alignment - 1);
}

/* How many bits v has up to its first one; 0 has none. */
static inline uint32_t bits_length(uint64_t v)
{
    return v ? 64 - (uint32_t)__builtin_clzll(v) : 0;
}

static inline uint64_t bits_from_double(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

static inline double bits_to_double(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

/* Zigzag: small magnitudes of either sign become small unsigned numbers. */
static inline uint64_t bits_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ -(uint64_t)(v < 0);
}

static inline int64_t bits_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* Quotient rounded towards minus infinity; divisor > 0. Windows of negative times need it. */
static inline int64_t bits_floor_div(int64_t dividend, int64_t divisor)
{
    int64_t quotient = dividend / divisor;
    return quotient - (dividend % divisor < 0);
}

/* a + b and a - b for times: the ends of int64 instead of overflow. */
static inline int64_t bits_add_clamped(int64_t a, int64_t b)
{
    int64_t sum;
    if (!__builtin_add_overflow(a, b, &sum)) return sum;
    return b > 0 ? INT64_MAX : INT64_MIN;
}

static inline int64_t bits_sub_clamped(int64_t a, int64_t b)
{
    int64_t difference;
    if (!__builtin_sub_overflow(a, b, &difference)) return difference;
    return b < 0 ? INT64_MAX : INT64_MIN;
}

#endif
