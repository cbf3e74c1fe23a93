/* drain - watching caches, taking them away and giving them back. */
#include "alloc/drain.h"

#include "alloc/cache.h"
#include "alloc/os.h"
#include "alloc/transfer.h"

/* Changes with every object that comes or goes: all objects have bytes. */
static uint64_t traffic(const struct cache *cache)
{
    uint64_t bytes = 0;
    for (unsigned t = 0; t < HEAP_TAG_COUNT; t++)
        bytes += tally_read(&cache->requested_bytes.given[t]) +
                 tally_read(&cache->requested_bytes.taken[t]);
    return bytes;
}

static bool is_due(struct cache *cache, int64_t now_ns)
{
    struct cache_watch *watch = &cache->watch;
    uint64_t bytes = traffic(cache);
    if (bytes != watch->bytes) *watch = (struct cache_watch){.bytes = bytes, .since_ns = now_ns};
    return !watch->drained && now_ns - watch->since_ns >= DRAIN_IDLE_NS;
}

/* A thread in the middle of something keeps its cache: next time. */
static uint64_t drain(struct cache *cache)
{
    struct cache_seat *seat = cache->seat;
    uint64_t flushed = 0;
    atomic_store_explicit(&seat->cache, &cache_none, memory_order_seq_cst);
    if (os_barrier() && !atomic_load_explicit(&seat->busy, memory_order_seq_cst)) {
        flushed = cache_flush(cache);
        cache->watch.drained = true;
    }
    atomic_store_explicit(&seat->cache, cache, memory_order_release);
    return flushed;
}

uint64_t drain_all(void)
{
    uint64_t flushed = 0;
    for (struct cache *cache = cache_first(); cache; cache = cache->next) {
        cache_hold();
        if (cache->seat) flushed += drain(cache);
        cache_let_go();
    }
    return flushed + transfer_flush();
}

uint64_t drain_idle(int64_t now_ns)
{
    uint64_t flushed = 0;
    for (struct cache *cache = cache_first(); cache; cache = cache->next) {
        cache_hold(); /* for each anew: threads may start and end in between */
        if (cache->seat && is_due(cache, now_ns)) flushed += drain(cache);
        cache_let_go();
    }
    return flushed + transfer_drain();
}
