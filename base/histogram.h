/*
 * histogram - durations in fixed exponential buckets: 2^i microseconds, i = 0 .. 31, then the rest.
 *
 * Threads: observe and read from any thread; each number is whole, the set is not one instant.
 */
#ifndef HEARTH_BASE_HISTOGRAM_H
#define HEARTH_BASE_HISTOGRAM_H

#include "base/counter.h"

enum { HISTOGRAM_BUCKETS = 32 };

struct histogram {
    struct counter buckets[HISTOGRAM_BUCKETS + 1]; /* [i]: at most 2^i us; the last: longer */
    struct counter sum_ns;
};

static inline void histogram_observe_ns(struct histogram *h, int64_t ns)
{
    uint64_t us = ns > 0 ? ((uint64_t)ns + 999) / 1000 : 0;
    unsigned index = us <= 1 ? 0 : 64u - (unsigned)__builtin_clzll(us - 1);
    counter_add(&h->buckets[index < HISTOGRAM_BUCKETS ? index : HISTOGRAM_BUCKETS], 1);
    counter_add(&h->sum_ns, ns > 0 ? (uint64_t)ns : 0);
}

#endif
