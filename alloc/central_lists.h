/*
 * central_lists - the spans of a class in lists, by how many slots are free in them.
 *
 *     partial   by the logarithm of that: the first list is served first
 *     emptying  the same, of spans that shall become empty; served when the others have nothing
 *     full, gone, moving: see alloc/central.h
 *
 * Threads: everything of a class under its lock, but what is atomic.
 */
#ifndef HEARTH_ALLOC_CENTRAL_LISTS_H
#define HEARTH_ALLOC_CENTRAL_LISTS_H

#include <stdatomic.h>
#include <stdint.h>

#include "alloc/central.h"
#include "alloc/os.h"
#include "alloc/size_class.h"
#include "alloc/span.h"
#include "base/lock.h"

enum {
    PARTIAL_LISTS = 12, /* log2 of SIZE_CLASS_SLOTS_MAX: a span with more free ones is empty */
    EMPTYING_LISTS = PARTIAL_LISTS,
    SERVED_LISTS = EMPTYING_LISTS + PARTIAL_LISTS,
    FULL_LIST = SERVED_LISTS, /* no free slot */
    GONE_LIST,                /* free slots on pages that are gone only */
    MOVING_LIST,              /* madvise under way: no slot leaves it */
    LIST_COUNT
};

struct central {
    CACHE_ALIGNED struct mutex lock; /* classes do not share cache lines */
    struct span *lists[LIST_COUNT];  /* doubly linked, any order */
    struct span *hand;               /* next one to trim; moves on when that leaves its list */
    unsigned hand_list;              /* lists from here on are done; 0 and no hand: start anew */
    uint64_t loose; /* free slots of spans that are not emptying, on resident pages */
    /* In all lists; written under the lock, as the others. */
    _Atomic uint64_t spans, slots, pages;
    _Atomic uint64_t bytes[CENTRAL_BYTES_COUNT];
};

extern struct central centrals[SIZE_CLASS_COUNT];

/* As central_tick last said. */
uint8_t central_now(void);

/* Where the span belongs now. */
unsigned central_list_for(const struct span *span);

/* Into a list and out of it; relink moves it to the one it belongs to now. */
void central_link(struct central *c, struct span *span, unsigned list);
void central_unlink(struct central *c, struct span *span);
void central_relink(struct central *c, struct span *span);

/* Into the list it belongs to now. An empty one goes out of all lists and sums instead, and is the
 * new head of the chain; returns the head. */
struct span *central_place(struct central *c, struct span *span, struct span *empty);

/* These system pages of the span are gone now, and no others. */
void central_set_gone(struct central *c, struct span *span, uint32_t pages);

/* What the span adds to c->loose: taken off before any of it changes, added behind. */
static inline uint64_t central_loose(const struct span *span)
{
    if (span->emptying) return 0;
    return span->free_slots - (span->has_bits ? span->gone_slots : 0u);
}

/* To one of the sums that anybody may read. */
static inline void central_add(_Atomic uint64_t *sum, uint64_t n)
{
    atomic_fetch_add_explicit(sum, n, memory_order_relaxed);
}

/* One span more, or one less: times is -1 then. */
static inline void central_count(struct central *c, const struct span *span, uint64_t times)
{
    central_add(&c->spans, times);
    central_add(&c->slots, times * span_slots(span));
    central_add(&c->pages, times * span->pages);
}

static inline uint64_t central_gone_bytes(uint32_t pages)
{
    return (uint64_t)__builtin_popcount(pages) * OS_PAGE_BYTES;
}

#endif
