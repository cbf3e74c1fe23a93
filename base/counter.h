/*
 * counter - numbers a module keeps about itself: relaxed atomics, never a lock.
 *
 * A counter only grows; a gauge goes both ways. Readers see each number whole, and different
 * numbers at slightly different moments.
 */
#ifndef HEARTH_BASE_COUNTER_H
#define HEARTH_BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

struct counter {
    _Atomic uint64_t value;
};

struct gauge {
    _Atomic int64_t value;
};

static inline void counter_add(struct counter *c, uint64_t n)
{
    atomic_fetch_add_explicit(&c->value, n, memory_order_relaxed);
}

static inline uint64_t counter_read(const struct counter *c)
{
    return atomic_load_explicit(&c->value, memory_order_relaxed);
}

static inline void gauge_add(struct gauge *g, int64_t n)
{
    atomic_fetch_add_explicit(&g->value, n, memory_order_relaxed);
}

static inline void gauge_set(struct gauge *g, int64_t v)
{
    atomic_store_explicit(&g->value, v, memory_order_relaxed);
}

static inline int64_t gauge_read(const struct gauge *g)
{
    return atomic_load_explicit(&g->value, memory_order_relaxed);
}

#endif
