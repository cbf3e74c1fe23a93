/*
 * random - numbers for random walks: repeatable, the seed printed by the test that uses them.
 *
 * HEARTH_TEST_SEED in the environment replaces the seed, to walk a failed walk again.
 */
#ifndef HEARTH_TESTS_UNIT_ALLOC_RANDOM_H
#define HEARTH_TESTS_UNIT_ALLOC_RANDOM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
    /* splitmix64 (Steele, Lea, Flood, 2014) */
    uint64_t z = (r->state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static inline uint64_t random_below(struct random *r, uint64_t end)
{
    return random_next(r) % end;
}

/* Spread evenly over the orders of magnitude from 1 to high. */
static inline size_t random_size(struct random *r, size_t high)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(high);
    size_t size = random_next(r) >> (64 - 1 - random_below(r, bits));
    return size % high + 1;
}

static inline struct random random_start(const char *test)
{
    const char *given = getenv("HEARTH_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)clock_mono_ns();
    printf("%s: HEARTH_TEST_SEED=%llu\n", test, (unsigned long long)seed);
    fflush(stdout);
    return (struct random){.state = seed};
}

#endif
