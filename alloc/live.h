/*
 * live - debug builds know of every slot whose it is: a second free, a free under another tag, and
 * a free of something inside an object end the process on the spot, wherever the object is by then
 * (a thread cache, its span).
 *
 * A byte per slot behind the bits of its span: 0 free, else the tag of the owner + 1. Release
 * builds keep nothing; they notice a double free when both copies reach the span (alloc/central).
 *
 * Threads: any; the byte is the owner's, atomic so that the mistakes it looks for are not races.
 */
#ifndef HEARTH_ALLOC_LIVE_H
#define HEARTH_ALLOC_LIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "alloc/heap.h"
#include "alloc/page_map.h"
#include "base/assert.h"

#if HEARTH_DEBUG
static inline _Atomic uint8_t *live_bytes(struct span *span)
{
    return (_Atomic uint8_t *)(void *)(span->bits + span_words(span->size_class));
}

static inline _Atomic uint8_t *live_byte(const void *p)
{
    struct span *span = page_map_span((uint32_t)(page_map_offset(p) >> PAGE_SHIFT));
    uint32_t slot = page_map_slot(span, p);
    size_t offset = page_map_offset(p) - ((size_t)span->page << PAGE_SHIFT);
    /* Else p is inside an object. */
    ASSERT((size_t)slot * size_classes[span->size_class].bytes == offset);
    return &live_bytes(span)[slot];
}

/* p goes to a user. */
static inline void live_mark(const void *p, enum heap_tag tag)
{
    uint8_t owner = (uint8_t)(tag + 1);
    uint8_t before = atomic_exchange_explicit(live_byte(p), owner, memory_order_relaxed);
    ASSERT(before == 0); /* else handed out twice */
}

/* p comes back from a user. */
static inline void live_unmark(const void *p, enum heap_tag tag)
{
    uint8_t before = atomic_exchange_explicit(live_byte(p), 0, memory_order_relaxed);
    ASSERT(before != 0);       /* else freed twice */
    ASSERT(before == tag + 1); /* else allocated under another tag */
}

/* A new span: no slot is with a user. */
static inline void live_reset(struct span *span)
{
    for (uint32_t slot = 0; slot < size_classes[span->size_class].slots; slot++)
        atomic_store_explicit(&live_bytes(span)[slot], 0, memory_order_relaxed);
}

/* p lies free: in a cache or in its span. */
static inline bool live_is_free(const void *p)
{
    return atomic_load_explicit(live_byte(p), memory_order_relaxed) == 0;
}
#else
static inline void live_mark(const void *p, enum heap_tag tag)
{
    (void)p;
    (void)tag;
}

static inline void live_unmark(const void *p, enum heap_tag tag)
{
    (void)p;
    (void)tag;
}

static inline void live_reset(struct span *span)
{
    (void)span;
}

static inline bool live_is_free(const void *p)
{
    (void)p;
    return true;
}
#endif

#endif
