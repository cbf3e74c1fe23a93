/* large_cache - chains, and their trips to the page heap. */
#include "alloc/large_cache.h"

#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "base/assert.h"

static uint32_t count_of(const struct large_chain *chain, uint32_t pages)
{
    return (uint32_t)(chain->bytes / large_cache_bytes_of(pages));
}

/* Half a chain, as far as there is room for it. */
static void refill(struct large_cache *cache, uint32_t pages)
{
    uint64_t room = LARGE_CACHE_BYTES_MAX - cache->bytes;
    if (room > LARGE_CACHE_CHAIN_BYTES / 2) room = LARGE_CACHE_CHAIN_BYTES / 2;
    struct span *span = page_heap_reuse(pages, (uint32_t)(room / large_cache_bytes_of(pages)));
    while (span) {
        struct span *after = span->after;
        large_cache_push(cache, span);
        span = after;
    }
}

struct span *large_cache_take_more(struct large_cache *cache, uint32_t pages)
{
    struct large_chain *chain = &cache->chains[pages];
    refill(cache, pages);
    return chain->first ? large_cache_pop(cache, chain) : NULL;
}

/* Give `count` spans of a chain back to the page heap, in one go. */
static void spill(struct large_cache *cache, struct large_chain *chain, uint32_t count)
{
    struct span *gone = NULL;
    for (; count; count--) {
        struct span *span = large_cache_pop(cache, chain);
        span->after = gone;
        gone = span;
    }
    page_heap_free(gone);
}

uint64_t large_cache_flush(struct large_cache *cache)
{
    uint64_t flushed = 0;
    for (uint32_t pages = 1; pages <= LARGE_CACHE_PAGES_MAX; pages++) {
        struct large_chain *chain = &cache->chains[pages];
        uint32_t count = count_of(chain, pages);
        if (count) spill(cache, chain, count);
        flushed += count;
    }
    return flushed;
}

void large_cache_give_more(struct large_cache *cache, struct span *span)
{
    if (span->pages > LARGE_CACHE_PAGES_MAX) {
        span->after = NULL;
        page_heap_free(span);
        return;
    }
    uint64_t bytes = large_cache_bytes_of(span->pages);
    struct large_chain *chain = &cache->chains[span->pages];
    if (chain->bytes + bytes > LARGE_CACHE_CHAIN_BYTES)
        spill(cache, chain, (count_of(chain, span->pages) + 1) / 2);
    if (cache->bytes + bytes > LARGE_CACHE_BYTES_MAX) large_cache_flush(cache);
    large_cache_push(cache, span);
}

void large_cache_check(const struct large_cache *cache)
{
    uint64_t bytes = 0;
    for (uint32_t pages = 1; pages <= LARGE_CACHE_PAGES_MAX; pages++) {
        uint64_t chained = 0;
        for (const struct span *span = cache->chains[pages].first; span; span = span->after) {
            ASSERT(span->state == SPAN_LARGE && span->owner == 0 && span->pages == pages);
            chained += large_cache_bytes_of(pages);
        }
        ASSERT(chained == cache->chains[pages].bytes && chained <= LARGE_CACHE_CHAIN_BYTES);
        bytes += chained;
    }
    ASSERT(bytes == cache->bytes && bytes <= LARGE_CACHE_BYTES_MAX);
}
