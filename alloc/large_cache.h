/*
 * large_cache - spans of large objects that a thread keeps at hand: per length a chain.
 *
 * A span in it stays SPAN_LARGE with owner 0 and counts as in use, as the objects of alloc/cache
 * do. An empty chain is refilled with as many as the page heap has of that very length; a thread
 * keeps LARGE_CACHE_BYTES_MAX in all, LARGE_CACHE_CHAIN_BYTES of one length, and nothing longer
 * than LARGE_CACHE_PAGES_MAX: what is longer is worth a lock.
 *
 * The bytes of all large objects that pass through the thread are tallied here.
 *
 * Threads: the owner of the cache around it; tallies: any.
 */
#ifndef HEARTH_ALLOC_LARGE_CACHE_H
#define HEARTH_ALLOC_LARGE_CACHE_H

#include <stdint.h>

#include "alloc/span.h"
#include "alloc/tally.h"
#include "base/compiler.h"

enum {
    LARGE_CACHE_PAGES_MAX = 128,
    LARGE_CACHE_CHAIN_BYTES = 1 << 20,
    LARGE_CACHE_BYTES_MAX = 2 << 20
};

struct large_chain {
    struct span *first; /* by after */
    uint64_t bytes;     /* of the spans in it */
};

struct large_cache {
    struct large_chain chains[LARGE_CACHE_PAGES_MAX + 1]; /* by length in pages */
    uint64_t bytes;                                       /* in all chains */
    struct tally object_bytes;
};

/* For an empty chain, and for one that is full or a span that no chain takes. */
MUST_USE struct span *large_cache_take_more(struct large_cache *cache, uint32_t pages);
void large_cache_give_more(struct large_cache *cache, struct span *span);

static inline uint64_t large_cache_bytes_of(uint32_t pages)
{
    return (uint64_t)pages * HEAP_PAGE_BYTES;
}

static inline void large_cache_push(struct large_cache *cache, struct span *span)
{
    struct large_chain *chain = &cache->chains[span->pages];
    span->after = chain->first;
    chain->first = span;
    chain->bytes += large_cache_bytes_of(span->pages);
    cache->bytes += large_cache_bytes_of(span->pages);
}

static inline struct span *large_cache_pop(struct large_cache *cache, struct large_chain *chain)
{
    struct span *span = chain->first;
    chain->first = span->after;
    chain->bytes -= large_cache_bytes_of(span->pages);
    cache->bytes -= large_cache_bytes_of(span->pages);
    return span;
}

/* A SPAN_LARGE of exactly so many pages; NULL: ask the page heap. */
MUST_USE static inline struct span *large_cache_take(struct large_cache *cache, uint32_t pages)
{
    if (UNLIKELY(pages > LARGE_CACHE_PAGES_MAX)) return NULL;
    struct large_chain *chain = &cache->chains[pages];
    if (UNLIKELY(!chain->first)) return large_cache_take_more(cache, pages);
    return large_cache_pop(cache, chain);
}

/* Take a span of any length back. */
static inline void large_cache_give(struct large_cache *cache, struct span *span)
{
    uint64_t bytes = large_cache_bytes_of(span->pages);
    if (UNLIKELY(span->pages > LARGE_CACHE_PAGES_MAX ||
                 cache->chains[span->pages].bytes + bytes > LARGE_CACHE_CHAIN_BYTES ||
                 cache->bytes + bytes > LARGE_CACHE_BYTES_MAX))
        large_cache_give_more(cache, span);
    else
        large_cache_push(cache, span);
}

/* Give everything back; returns how many spans that were. */
uint64_t large_cache_flush(struct large_cache *cache);

void large_cache_check(const struct large_cache *cache);

#endif
