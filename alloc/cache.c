/* cache - attaching threads, trips to the transfer stacks, the list of all caches. */
#include "alloc/cache.h"

#include <string.h>

#include "alloc/central.h"
#include "alloc/live.h"
#include "alloc/meta.h"
#include "alloc/page_map.h"
#include "alloc/transfer.h"
#include "base/assert.h"
#include "base/lock.h"
#include "base/thread.h"

enum {
    IDLE_TRIPS = 4 * SIZE_CLASS_COUNT, /* of all stacks: who made none of them has too much room */
    LOOKS_MAX = 2,
    TRIP_OBJECTS_MAX = 128 /* in central, each may be a cache miss or two: some 20 us */
};

struct tally_shared tally_shared;
struct cache cache_none;
_Thread_local struct cache_seat cache_seat = {.cache = &cache_none};

static struct {
    struct mutex lock;
    struct thread_exit_hook hook;
    struct cache *free;            /* by next_free; under the lock */
    _Atomic(struct cache *) first; /* by next; only ever pushed */
    _Atomic uint64_t attached;
    _Atomic uint64_t stack_bytes; /* of the records of long stacks */
    bool torn; /* some were forgotten in the middle of something; under the lock */
} caches = {.lock = MUTEX_INIT(LOCK_CACHES)};

/* At the end of a thread. It is inside until its cache waits for another thread: so nobody takes
 * that meanwhile, and alloc/audit knows. libc frees behind this, when no exit hook runs any more:
 * no cache for that, nobody would take it back. */
static void detach(void *value)
{
    struct cache *cache = cache_enter();
    if (cache == &cache_none) cache = cache_join(); /* it is taken away just now */
    DEBUG_ASSERT(cache == value);
    (void)value;
    cache_flush(cache);
    mutex_lock(&caches.lock);
    atomic_store_explicit(&cache_seat.cache, &cache_none, memory_order_relaxed);
    cache_seat.owned = NULL;
    cache_seat.left = true;
    cache->seat = NULL;
    cache->next_free = caches.free;
    caches.free = cache;
    mutex_unlock(&caches.lock);
    cache_leave();
    atomic_fetch_sub_explicit(&caches.attached, 1, memory_order_relaxed);
}

void cache_init(void)
{
    thread_exit_hook_init(&caches.hook, detach);
}

static uint32_t start_objects(unsigned size_class)
{
    uint32_t objects = CACHE_START_BYTES / size_classes[size_class].bytes;
    if (objects < 2) return 2; /* half of it is a trip */
    return objects < CACHE_START_OBJECTS ? objects : CACHE_START_OBJECTS;
}

static uint32_t less(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t room_of(const struct cache_bin *bin)
{
    return (uint32_t)(bin->ceiling - bin->bottom);
}

static bool is_long(const struct cache *cache, unsigned size_class)
{
    return cache->bins[size_class].bottom != cache->slots[size_class];
}

static void set_up_bins(struct cache *cache)
{
    for (unsigned i = 1; i < SIZE_CLASS_COUNT; i++) {
        struct cache_bin *bin = &cache->bins[i];
        bin->top = bin->bottom = (void **)cache->slots[i];
        bin->ceiling = bin->bottom + start_objects(i);
    }
}

static struct cache *create(void)
{
    struct cache *cache = meta_alloc(sizeof(struct cache), META_CACHE);
    if (!cache) return NULL;
    memset(cache, 0, sizeof(*cache));
    cache->next = atomic_load_explicit(&caches.first, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&caches.first, &cache->next, cache,
                                                  memory_order_release, memory_order_relaxed))
        continue;
    return cache;
}

static struct cache *attach(void)
{
    mutex_lock(&caches.lock);
    struct cache *cache = caches.free;
    if (cache) caches.free = cache->next_free;
    mutex_unlock(&caches.lock);
    if (!cache) cache = create();
    if (!cache) return NULL;
    set_up_bins(cache);
    atomic_fetch_add_explicit(&caches.attached, 1, memory_order_relaxed);
    cache_seat.owned = cache;
    atomic_store_explicit(&cache_seat.cache, cache, memory_order_relaxed);
    thread_exit_hook_set(&caches.hook, cache);
    mutex_lock(&caches.lock);
    cache->seat = &cache_seat;
    mutex_unlock(&caches.lock);
    return cache;
}

/* It was taken out of the seat: it is back when the lock is free. */
static struct cache *await(void)
{
    struct cache *cache = &cache_none;
    while (cache == &cache_none) {
        cache_leave();
        mutex_lock(&caches.lock);
        mutex_unlock(&caches.lock);
        cache = cache_enter();
    }
    return cache;
}

struct cache *cache_join(void)
{
    if (cache_seat.left) return NULL;
    return cache_seat.owned ? await() : attach();
}

/* An empty stack, back to its start. */
static void narrow(struct cache *cache, unsigned size_class)
{
    struct cache_bin *bin = &cache->bins[size_class];
    if (is_long(cache, size_class)) {
        uint32_t room = room_of(bin);
        cache->room_bytes -= (uint64_t)room * size_classes[size_class].bytes;
        atomic_fetch_sub_explicit(&caches.stack_bytes, room * sizeof(void *), memory_order_relaxed);
        meta_free(bin->bottom, room * sizeof(void *), META_CACHE);
    }
    bin->top = bin->bottom = (void **)cache->slots[size_class];
    bin->ceiling = bin->bottom + start_objects(size_class);
}

typedef void give_fn(unsigned size_class, void *const *objects, uint32_t count);

static uint32_t flush_bin(struct cache *cache, unsigned size_class, give_fn *give)
{
    struct cache_bin *bin = &cache->bins[size_class];
    uint32_t count = (uint32_t)(bin->top - bin->bottom);
    if (count) give(size_class, bin->bottom, count);
    narrow(cache, size_class);
    return count;
}

/* Take room from stacks that made none of the last trips; a few are looked at each time. False when
 * that was not enough. */
static bool make_room(struct cache *cache, uint64_t bytes)
{
    for (int i = 0; i < LOOKS_MAX && cache->room_bytes + bytes > CACHE_BYTES_MAX; i++) {
        cache->hand = cache->hand % (SIZE_CLASS_COUNT - 1) + 1;
        bool idle = cache->trips - cache->last_trips[cache->hand] > IDLE_TRIPS;
        if (idle && is_long(cache, cache->hand)) flush_bin(cache, cache->hand, transfer_give);
    }
    return cache->room_bytes + bytes <= CACHE_BYTES_MAX;
}

/* So many objects would find somebody: they are used here, too, or are few. */
static bool is_wanted(const struct cache *cache, unsigned size_class, uint32_t room)
{
    return cache->emptied[size_class] ||
           (uint64_t)room * size_classes[size_class].bytes <= CACHE_ONE_WAY_BYTES;
}

/* At a trip: the next one shall be later. False when the stack stays as it is. */
static bool widen(struct cache *cache, unsigned size_class)
{
    struct cache_bin *bin = &cache->bins[size_class];
    uint32_t most = size_classes[size_class].cached_max;
    uint32_t before = room_of(bin);
    uint32_t after = 2 * before < most ? 2 * before : most;
    uint64_t object_bytes = size_classes[size_class].bytes;
    cache->last_trips[size_class] = ++cache->trips;
    if (after <= before || !is_wanted(cache, size_class, after)) return false;
    uint64_t counted = is_long(cache, size_class) ? before : 0;
    if (!make_room(cache, (after - counted) * object_bytes)) return false;
    void **stack = meta_alloc(after * sizeof(void *), META_CACHE);
    if (!stack) return false;
    uint32_t count = (uint32_t)(bin->top - bin->bottom);
    memcpy(stack, bin->bottom, count * sizeof(void *));
    narrow(cache, size_class);
    cache->room_bytes += after * object_bytes;
    atomic_fetch_add_explicit(&caches.stack_bytes, after * sizeof(void *), memory_order_relaxed);
    bin->bottom = stack;
    bin->top = stack + count;
    bin->ceiling = stack + after;
    return true;
}

bool cache_refill(struct cache *cache, unsigned size_class)
{
    struct cache_bin *bin = &cache->bins[size_class];
    uint32_t wanted = less(room_of(bin) / 2, TRIP_OBJECTS_MAX);
    uint32_t got = transfer_take(size_class, bin->bottom, wanted);
    if (!got) return false;
    bin->top = bin->bottom + got;
    __builtin_prefetch(bin->top[-1], 1); /* it is written to next */
    cache->emptied[size_class] = true;
    widen(cache, size_class);
    return true;
}

void cache_spill(struct cache *cache, unsigned size_class)
{
    struct cache_bin *bin = &cache->bins[size_class];
    uint32_t count = (uint32_t)(bin->top - bin->bottom);
    bool wider = widen(cache, size_class);
    cache->emptied[size_class] = false;
    if (wider) return;
    /* The oldest go: they are the coldest. */
    uint32_t gone = less(count / 2, TRIP_OBJECTS_MAX);
    transfer_give(size_class, bin->bottom, gone);
    memmove(bin->bottom, bin->bottom + gone, (count - gone) * sizeof(void *));
    bin->top -= gone;
}

uint64_t cache_flush(struct cache *cache)
{
    uint64_t flushed = large_cache_flush(&cache->large);
    for (unsigned i = 1; i < SIZE_CLASS_COUNT; i++)
        flushed += flush_bin(cache, i, central_give);
    return flushed;
}

struct cache *cache_first(void)
{
    return atomic_load_explicit(&caches.first, memory_order_acquire);
}

uint64_t cache_inuse_bytes(void)
{
    return atomic_load_explicit(&caches.attached, memory_order_relaxed) * sizeof(struct cache) +
           atomic_load_explicit(&caches.stack_bytes, memory_order_relaxed) + transfer_inuse_bytes();
}

void cache_hold(void)
{
    mutex_lock(&caches.lock);
}

void cache_let_go(void)
{
    mutex_unlock(&caches.lock);
}

void cache_forget_others(void)
{
    for (struct cache *cache = cache_first(); cache; cache = cache->next) {
        if (!cache->seat || cache->seat == &cache_seat) continue;
        cache->seat = NULL;
        caches.torn = true;
    }
}

bool cache_any_torn(void)
{
    return caches.torn;
}

void cache_check(const struct cache *cache)
{
    uint64_t room_bytes = 0;
    large_cache_check(&cache->large);
    for (unsigned i = 1; i < SIZE_CLASS_COUNT; i++) {
        const struct cache_bin *bin = &cache->bins[i];
        ASSERT(bin->bottom <= bin->top && bin->top <= bin->ceiling);
        ASSERT(room_of(bin) <= size_classes[i].cached_max);
        if (is_long(cache, i)) room_bytes += (uint64_t)room_of(bin) * size_classes[i].bytes;
        for (void **slot = bin->bottom; slot < bin->top; slot++) {
            size_t offset = page_map_offset(*slot);
            ASSERT(offset < page_map.reserved_bytes);
            ASSERT(page_map_class(offset >> PAGE_SHIFT) == i);
            live_check_free(*slot);
        }
    }
    ASSERT(room_bytes == cache->room_bytes && room_bytes <= CACHE_BYTES_MAX);
}
