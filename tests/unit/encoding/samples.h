/*
 * samples - random columns of the kinds that metrics are of, and of the kinds that they are not.
 */
#ifndef HEARTH_TESTS_UNIT_ENCODING_SAMPLES_H
#define HEARTH_TESTS_UNIT_ENCODING_SAMPLES_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bits.h"
#include "base/clock.h"
#include "model/sample.h"

enum { SAMPLES_MAX = 1000 };

/* Seeds libc's generator, and says with what. */
static inline void samples_seed(void)
{
    unsigned seed = (unsigned)clock_mono_ns();
    printf("seed %u\n", seed);
    srandom(seed);
}

static inline uint64_t samples_u64(void)
{
    uint64_t value = 0;
    for (int i = 0; i < 5; i++)
        value = value << 15 ^ (uint64_t)random();
    return value;
}

/* A count that is often at the edge of a block. */
static inline uint32_t samples_count(void)
{
    static const uint32_t edges[] = {1, 2, 3, 63, 64, 65, 66, 127, 128, 129, 130, 193};
    if (random() % 2) return edges[random() % (long)(sizeof(edges) / sizeof(edges[0]))];
    return 1 + (uint32_t)random() % SAMPLES_MAX;
}

static inline double samples_odd_value(void)
{
    static const uint64_t odd[] = {STALE_NAN_BITS,
                                   NORMAL_NAN_BITS,
                                   UINT64_C(0xFFF8000000000000),
                                   UINT64_C(0x7FF0000000000000), /* infinity */
                                   UINT64_C(0xFFF0000000000000),
                                   UINT64_C(0x8000000000000000), /* -0 */
                                   0,
                                   1, /* the smallest double */
                                   UINT64_C(0x000FFFFFFFFFFFFF),
                                   UINT64_C(0x7FEFFFFFFFFFFFFF),
                                   UINT64_C(0x7FFFFFFFFFFFFFFF),
                                   UINT64_MAX,
                                   UINT64_C(0x4330000000000000), /* 2^52 */
                                   UINT64_C(0x4310000000000000) /* 2^50 */};
    return bits_to_double(odd[random() % (long)(sizeof(odd) / sizeof(odd[0]))]);
}

enum samples_kind {
    SAMPLES_CONSTANT,
    SAMPLES_COUNTER,
    SAMPLES_REGULAR, /* a counter with a constant rate */
    SAMPLES_PAGES,   /* multiples of 4096 */
    SAMPLES_DECIMAL, /* m / 10^e */
    SAMPLES_PRODUCT, /* m * 10^-e */
    SAMPLES_MILLIS,  /* m / 1000 / 10^e */
    SAMPLES_SUM,     /* running sum of decimals: rarely a decimal itself */
    SAMPLES_REAL,    /* doubles of one magnitude */
    SAMPLES_LARGE,   /* integers of 50 to 63 bits */
    SAMPLES_WILD,    /* any bits */
    SAMPLES_KINDS
};

static inline double samples_step(enum samples_kind kind, double last, int digits)
{
    double power = pow(10, digits);
    double m = (double)(random() % 2000000 - 1000000);
    switch (kind) {
    case SAMPLES_CONSTANT: return last;
    case SAMPLES_COUNTER: return random() % 500 ? last + (double)(random() % 300) : 0;
    case SAMPLES_REGULAR: return last + (random() % 50 ? 15 : 16);
    case SAMPLES_PAGES: return (double)(random() % 100000 * 4096);
    case SAMPLES_DECIMAL: return m / power;
    case SAMPLES_PRODUCT: return m * (1 / power);
    case SAMPLES_MILLIS: return m / 1000 / power;
    case SAMPLES_SUM: return last + m / power;
    case SAMPLES_REAL: return sin((double)random()) * power;
    case SAMPLES_LARGE: return (double)(int64_t)(samples_u64() >> (1 + random() % 14));
    case SAMPLES_WILD: break;
    case SAMPLES_KINDS: break;
    }
    return bits_to_double(samples_u64());
}

/* Values of one kind, which change in one of `rarely` samples, with odd ones in between. */
static inline void samples_values(double *v, uint32_t count)
{
    enum samples_kind kind = (enum samples_kind)(random() % SAMPLES_KINDS);
    static const int every[] = {1, 1, 1, 2, 5, 40, 300};
    int rarely = every[random() % 7];
    int odd = random() % 3 ? 0 : 1 + (int)(random() % 100);
    int digits = (int)(random() % 14);
    double last = (double)(random() % 1000000);
    for (uint32_t i = 0; i < count; i++) {
        if (random() % rarely == 0) last = samples_step(kind, last, digits);
        v[i] = odd && random() % odd == 0 ? samples_odd_value() : last;
    }
}

/* Strictly increasing: regular, jittered, wild; sometimes from the smallest time or to the largest.
 */
static inline void samples_times(int64_t *t_ms, uint32_t count)
{
    int kind = (int)(random() % 5);
    int64_t t = (int64_t)(samples_u64() % 4000000000000u);
    if (random() % 20 == 0) t = INT64_MIN;
    for (uint32_t i = 0; i < count; i++) {
        t_ms[i] = t;
        t += 15000;
        if (kind == 1 || (kind == 2 && random() % 10 == 0)) t += random() % 40;
        if (kind == 3) t += random() % 2000000;
        if (kind == 4) t += (int64_t)(samples_u64() >> 14);
    }
    if (random() % 20 == 0) t_ms[count - 1] = INT64_MAX;
}

#endif
