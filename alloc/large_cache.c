/* large_cache - chains, and their trips to the page heap. */
#include "alloc/large_cache.h"

#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "base/assert.h"

static uint64_t bytes_of(uint32_t pages)
{
    return (uint64_t)pages << PAGE_SHIFT;
}

static uint32_t count_max(uint32_t pages)
{
    return (uint32_t)(LARGE_CACHE_CHAIN_BYTES / bytes_of(pages));
}

static void push(struct large_cache *cache, struct span *span)
{
    struct large_chain *chain = &cache->chains[span->pages];
    span->after = chain->first;
    chain->first = span;
    chain->count++;
    cache->bytes += bytes_of(span->pages);
}

static struct span *pop(struct large_cache *cache, struct large_chain *chain)
{
    struct span *span = chain->first;
    chain->first = span->after;
    chain->count--;
    cache->bytes -= bytes_of(span->pages);
    return span;
}

/* Half a chain, as far as there is room for it. */
static void refill(struct large_cache *cache, uint32_t pages)
{
    uint32_t wanted = count_max(pages) / 2;
    uint64_t fits = (LARGE_CACHE_BYTES_MAX - cache->bytes) / bytes_of(pages);
    struct span *span = page_heap_reuse(pages, wanted < fits ? wanted : (uint32_t)fits);
    while (span) {
        struct span *after = span->after;
        push(cache, span);
        span = after;
    }
}

struct span *large_cache_take(struct large_cache *cache, uint32_t pages)
{
    if (pages > LARGE_CACHE_PAGES_MAX) return NULL;
    struct large_chain *chain = &cache->chains[pages];
    if (!chain->first) refill(cache, pages);
    return chain->first ? pop(cache, chain) : NULL;
}

/* Give `count` spans of a chain back to the page heap, in one go. */
static void spill(struct large_cache *cache, struct large_chain *chain, uint32_t count)
{
    struct span *gone = NULL;
    for (; count; count--) {
        struct span *span = pop(cache, chain);
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
        if (!chain->count) continue;
        flushed += chain->count;
        spill(cache, chain, chain->count);
    }
    return flushed;
}

void large_cache_give(struct large_cache *cache, struct span *span)
{
    if (span->pages > LARGE_CACHE_PAGES_MAX) {
        span->after = NULL;
        page_heap_free(span);
        return;
    }
    struct large_chain *chain = &cache->chains[span->pages];
    if (chain->count == count_max(span->pages)) spill(cache, chain, (chain->count + 1) / 2);
    if (cache->bytes + bytes_of(span->pages) > LARGE_CACHE_BYTES_MAX) large_cache_flush(cache);
    push(cache, span);
}

void large_cache_check(const struct large_cache *cache)
{
    uint64_t bytes = 0;
    for (uint32_t pages = 1; pages <= LARGE_CACHE_PAGES_MAX; pages++) {
        uint32_t count = 0;
        for (const struct span *span = cache->chains[pages].first; span; span = span->after) {
            ASSERT(span->state == SPAN_LARGE && span->owner == 0 && span->pages == pages);
            count++;
        }
        ASSERT(count == cache->chains[pages].count && count <= count_max(pages));
        bytes += count * bytes_of(pages);
    }
    ASSERT(bytes == cache->bytes && bytes <= LARGE_CACHE_BYTES_MAX);
}
