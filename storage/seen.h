/*
 * seen - in which windows something had samples: the newest one, and a bit for each of the 64
 * before it.
 *
 *     bit w mod 64 stands for window w, newest - 64 <= w < newest
 *
 * Nothing has to be cleared when a window expires: the newest one moving on takes care of it. At
 * most SEEN_WINDOWS windows may be visible at a time, so bits change meaning only for windows that
 * nobody asks for any more; a reader between the two stores of an advance is right either way.
 *
 * Threads: one seen_mark at a time; seen_within beside it without a lock.
 */
#ifndef HEARTH_STORAGE_SEEN_H
#define HEARTH_STORAGE_SEEN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SEEN_BITS = 64, SEEN_WINDOWS = SEEN_BITS + 1 };

struct seen {
    _Atomic int64_t newest; /* INT64_MIN: none yet */
    _Atomic uint64_t before;
};

static inline void seen_init(struct seen *s)
{
    atomic_init(&s->newest, INT64_MIN);
    atomic_init(&s->before, 0);
}

/* The bits of [first, last], at most SEEN_BITS windows. */
static inline uint64_t seen_bits(int64_t first, int64_t last)
{
    uint64_t count = (uint64_t)last - (uint64_t)first + 1;
    uint64_t ones = count >= SEEN_BITS ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1;
    uint32_t turn = (uint64_t)first % SEEN_BITS;
    return turn ? ones << turn | ones >> (SEEN_BITS - turn) : ones;
}

/* Seen in one of the windows of [first, last], which are visible by the clock or newer. */
static inline bool seen_within(const struct seen *s, int64_t first, int64_t last)
{
    int64_t newest = atomic_load_explicit(&s->newest, memory_order_acquire);
    if (newest == INT64_MIN || first > newest || first > last) return false;
    if (last >= newest) return true;
    if (newest > INT64_MIN + SEEN_BITS && first < newest - SEEN_BITS) first = newest - SEEN_BITS;
    if (first > last) return false;
    return atomic_load_explicit(&s->before, memory_order_relaxed) & seen_bits(first, last);
}

/* So much older than the newest one that nothing is known about it. */
static inline bool seen_forgot(const struct seen *s, int64_t window)
{
    int64_t newest = atomic_load_explicit(&s->newest, memory_order_acquire);
    return window < newest && (uint64_t)newest - (uint64_t)window > SEEN_BITS;
}

static inline void seen_mark(struct seen *s, int64_t window)
{
    int64_t newest = atomic_load_explicit(&s->newest, memory_order_relaxed);
    uint64_t before = atomic_load_explicit(&s->before, memory_order_relaxed);
    uint64_t ahead = window > newest ? (uint64_t)window - (uint64_t)newest : 0;
    if (newest == INT64_MIN || ahead > SEEN_BITS) {
        before = 0;
    } else if (ahead > 0) {
        if (ahead > 1) before &= ~seen_bits(newest + 1, window - 1);
        before |= seen_bits(newest, newest);
    } else if (window < newest && (uint64_t)newest - (uint64_t)window <= SEEN_BITS) {
        before |= seen_bits(window, window);
    }
    atomic_store_explicit(&s->before, before, memory_order_relaxed);
    if (window > newest) atomic_store_explicit(&s->newest, window, memory_order_release);
}

#endif
