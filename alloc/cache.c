/* cache - attaching threads, trips to the central lists, the list of all caches. */
#include "alloc/cache.h"

#include <string.h>

#include "alloc/central.h"
#include "alloc/live.h"
#include "alloc/meta.h"
#include "alloc/page_map.h"
#include "base/assert.h"
#include "base/lock.h"
#include "base/thread.h"

enum { START_OBJECTS = 8 };

struct tally tally_shared;
struct tally_large tally_large;
_Thread_local struct cache *cache_mine;

static struct {
    struct mutex lock;
    struct thread_exit_hook hook;
    struct cache *free;            /* by next_free; under the lock */
    _Atomic(struct cache *) first; /* by next; only ever pushed */
    _Atomic uint64_t attached;
} caches = {.lock = MUTEX_INIT(LOCK_META)};

static size_t cache_bytes(void)
{
    size_t slots = 0;
    for (unsigned i = 1; i < SIZE_CLASS_COUNT; i++)
        slots += size_classes[i].cached_max;
    return sizeof(struct cache) + slots * sizeof(void *);
}

static void detach(void *value)
{
    struct cache *cache = value;
    cache_flush(cache);
    cache_mine = NULL;
    mutex_lock(&caches.lock);
    cache->next_free = caches.free;
    caches.free = cache;
    mutex_unlock(&caches.lock);
    atomic_fetch_sub_explicit(&caches.attached, 1, memory_order_relaxed);
}

void cache_init(void)
{
    thread_exit_hook_init(&caches.hook, detach);
}

static void set_up_bins(struct cache *cache)
{
    void **slots = cache->slots;
    for (unsigned i = 1; i < SIZE_CLASS_COUNT; i++) {
        uint32_t most = size_classes[i].cached_max;
        struct cache_bin *bin = &cache->bins[i];
        bin->top = bin->bottom = slots;
        bin->ceiling = slots + (most < START_OBJECTS ? most : START_OBJECTS);
        slots += most;
    }
}

static struct cache *create(void)
{
    struct cache *cache = meta_alloc(cache_bytes(), META_CACHE);
    if (!cache) return NULL;
    memset(cache, 0, sizeof(*cache));
    cache->next = atomic_load_explicit(&caches.first, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&caches.first, &cache->next, cache,
                                                  memory_order_release, memory_order_relaxed))
        continue;
    return cache;
}

struct cache *cache_attach(void)
{
    mutex_lock(&caches.lock);
    struct cache *cache = caches.free;
    if (cache) caches.free = cache->next_free;
    mutex_unlock(&caches.lock);
    if (!cache) cache = create();
    if (!cache) return NULL;
    set_up_bins(cache);
    atomic_fetch_add_explicit(&caches.attached, 1, memory_order_relaxed);
    cache_mine = cache;
    thread_exit_hook_set(&caches.hook, cache);
    return cache;
}

/* A trip to the central list: the next one shall be later. */
static void widen(struct cache_bin *bin, unsigned size_class)
{
    uint32_t most = size_classes[size_class].cached_max;
    uint32_t doubled = 2 * (uint32_t)(bin->ceiling - bin->bottom);
    bin->ceiling = bin->bottom + (doubled < most ? doubled : most);
}

bool cache_refill(struct cache *cache, unsigned size_class)
{
    struct cache_bin *bin = &cache->bins[size_class];
    uint32_t wanted = (uint32_t)(bin->ceiling - bin->bottom) / 2;
    uint32_t got = central_take(size_class, bin->bottom, wanted);
    if (!got) return false;
    /* Popped from the top: the lowest address should come first. */
    for (uint32_t i = 0; i < got / 2; i++) {
        void *swapped = bin->bottom[i];
        bin->bottom[i] = bin->bottom[got - 1 - i];
        bin->bottom[got - 1 - i] = swapped;
    }
    bin->top = bin->bottom + got;
    widen(bin, size_class);
    return true;
}

void cache_spill(struct cache *cache, unsigned size_class)
{
    struct cache_bin *bin = &cache->bins[size_class];
    uint32_t count = (uint32_t)(bin->top - bin->bottom);
    uint32_t most = size_classes[size_class].cached_max;
    if ((uint32_t)(bin->ceiling - bin->bottom) < most) {
        widen(bin, size_class);
        return;
    }
    /* The older half goes: it is the colder one. */
    uint32_t gone = count / 2;
    central_give(size_class, bin->bottom, gone);
    memmove(bin->bottom, bin->bottom + gone, (count - gone) * sizeof(void *));
    bin->top -= gone;
}

uint64_t cache_flush(struct cache *cache)
{
    uint64_t flushed = 0;
    for (unsigned i = 1; i < SIZE_CLASS_COUNT; i++) {
        struct cache_bin *bin = &cache->bins[i];
        uint32_t count = (uint32_t)(bin->top - bin->bottom);
        if (!count) continue;
        central_give(i, bin->bottom, count);
        bin->top = bin->bottom;
        flushed += count;
    }
    return flushed;
}

struct cache *cache_first(void)
{
    return atomic_load_explicit(&caches.first, memory_order_acquire);
}

uint64_t cache_inuse_bytes(void)
{
    return atomic_load_explicit(&caches.attached, memory_order_relaxed) * cache_bytes();
}

void cache_check(const struct cache *cache)
{
    for (unsigned i = 1; i < SIZE_CLASS_COUNT; i++) {
        const struct cache_bin *bin = &cache->bins[i];
        ASSERT(bin->bottom <= bin->top && bin->top <= bin->ceiling);
        ASSERT(bin->ceiling - bin->bottom <= size_classes[i].cached_max);
        for (void **slot = bin->bottom; slot < bin->top; slot++) {
            size_t offset = page_map_offset(*slot);
            ASSERT(offset < page_map.reserved_bytes);
            ASSERT(page_map.classes[offset >> PAGE_SHIFT] == i);
            ASSERT(live_is_free(*slot));
        }
    }
}
