/*
 * live - debug builds know of every slot whether a user holds it: a double free ends the process at
 * the second free, wherever the object is by then (a thread cache, its span).
 *
 * Release builds keep no such bits; they notice a double free when both copies reach the span
 * (alloc/central). The words lie behind the span's own bits.
 *
 * Threads: any; the bits of one word belong to different threads, hence the atomics.
 */
#ifndef HEARTH_ALLOC_LIVE_H
#define HEARTH_ALLOC_LIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "alloc/page_map.h"
#include "base/assert.h"

#if HEARTH_DEBUG
static inline _Atomic uint64_t *live_word(struct span *span, uint32_t slot)
{
    uint64_t *words = span->bits + span_words(span->size_class);
    return (_Atomic uint64_t *)&words[slot / SPAN_WORD_BITS];
}

static inline struct span *live_span(const void *p)
{
    return page_map_span((uint32_t)(page_map_offset(p) >> PAGE_SHIFT));
}

/* p goes to a user. */
static inline void live_mark(const void *p)
{
    struct span *span = live_span(p);
    uint32_t slot = page_map_slot(span, p);
    uint64_t bit = UINT64_C(1) << (slot % SPAN_WORD_BITS);
    uint64_t before = atomic_fetch_or_explicit(live_word(span, slot), bit, memory_order_relaxed);
    ASSERT(!(before & bit)); /* handed out twice */
}

/* p comes back from a user. */
static inline void live_unmark(const void *p)
{
    struct span *span = live_span(p);
    uint32_t slot = page_map_slot(span, p);
    uint64_t bit = UINT64_C(1) << (slot % SPAN_WORD_BITS);
    size_t offset = page_map_offset(p) - ((size_t)span->page << PAGE_SHIFT);
    /* Else p is inside an object. */
    ASSERT((size_t)slot * size_classes[span->size_class].bytes == offset);
    uint64_t before = atomic_fetch_and_explicit(live_word(span, slot), ~bit, memory_order_relaxed);
    ASSERT(before & bit); /* freed twice */
}

/* A new span: no slot is with a user. */
static inline void live_reset(struct span *span)
{
    for (uint32_t slot = 0; slot < size_classes[span->size_class].slots; slot += SPAN_WORD_BITS)
        atomic_store_explicit(live_word(span, slot), 0, memory_order_relaxed);
}

/* p lies free: in a cache or in its span. */
static inline bool live_is_free(const void *p)
{
    struct span *span = live_span(p);
    uint32_t slot = page_map_slot(span, p);
    uint64_t word = atomic_load_explicit(live_word(span, slot), memory_order_relaxed);
    return !(word >> (slot % SPAN_WORD_BITS) & 1);
}
#else
static inline void live_mark(const void *p)
{
    (void)p;
}

static inline void live_unmark(const void *p)
{
    (void)p;
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
