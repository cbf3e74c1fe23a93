/*
 * heap - the doors: the path of every allocation, and the rare cases beside it.
 *
 * The fast path is entering and leaving the thread's cache (two plain stores and a load), one of
 * the injection counter, one of where the class's bin is, a pop, and two plain increments of the
 * tally. Everything else is behind an unlikely branch. Measured, a pair is bound by two loads of
 * the bin's top from the store before (12 to 14 cycles on Zen 4): without the tallies, or without
 * entering and leaving, it takes one cycle less.
 */
#define PLACE_OF_CALLER
#include "alloc/heap.h"

#include <stdatomic.h>
#include <string.h>

#include "alloc/cache.h"
#include "alloc/central.h"
#include "alloc/door.h"
#include "alloc/limit.h"
#include "alloc/live.h"
#include "alloc/meta.h"
#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "alloc/poison.h"
#include "alloc/transfer.h"
#include "base/assert.h"
#include "base/bits.h"
#include "base/thread.h"

enum { RED_ZONE_BYTES = 8 };

/* Where all objects of no bytes are. As aligned as heap_alloc_aligned can be asked for. */
static _Alignas(HEAP_PAGE_BYTES) uint8_t nothing[1];

static _Atomic uint64_t allocs_left = UINT64_MAX; /* heap_fail_after */
static atomic_bool fails_once;                    /* heap_fail_once */
static atomic_bool has_failed_once;
static atomic_bool red_zones; /* heap_red_zones */
static struct thread_once ready = THREAD_ONCE_INIT;

/* Where the bin of a size begins in cache.bins, in bytes, by (size + 7) / 8; bin 0 for size 0.
 * Written once, before any cache; threads that have none may read it meanwhile. */
static _Atomic uint16_t bin_offsets[HEAP_SMALL_MAX / 8 + 1];
_Static_assert(SIZE_CLASS_COUNT * sizeof(struct cache_bin) <= UINT16_MAX, "offsets fit");

static void set_up(void)
{
    for (size_t i = 1; i < ARRAY_COUNT(bin_offsets); i++)
        atomic_store_explicit(&bin_offsets[i],
                              (uint16_t)(size_class_of(i * 8) * sizeof(struct cache_bin)),
                              memory_order_relaxed);
    page_map_init();
    central_init();
    transfer_init();
    cache_init();
}

/* For size <= HEAP_SMALL_MAX. */
static unsigned class_of(size_t size)
{
    return size ? size_class_of(size) : SIZE_CLASS_LARGE;
}

static inline bool has_red_zones(void)
{
    return HEARTH_DEBUG && atomic_load_explicit(&red_zones, memory_order_relaxed);
}

void heap_red_zones(void)
{
    atomic_store_explicit(&red_zones, HEARTH_DEBUG, memory_order_relaxed);
}

/* For a new object, with so many bytes behind it if they are wanted and there is such a class. */
static unsigned class_to_give(size_t size, size_t zone_bytes)
{
    bool longer = has_red_zones() && size + zone_bytes <= HEAP_SMALL_MAX;
    return class_of(longer ? size + zone_bytes : size);
}

/* Of an object that was given for `size`: with red zones the size alone does not tell. */
static unsigned class_given(const void *p, size_t size)
{
    return has_red_zones() ? page_map_class(page_map_offset(p) >> PAGE_SHIFT) : class_of(size);
}

/* The same as a bin; an addition is less work than the product that an index would be. */
static inline struct cache_bin *bin_of(struct cache *cache, size_t size)
{
    uint16_t offset = atomic_load_explicit(&bin_offsets[(size + 7) / 8], memory_order_relaxed);
    return (struct cache_bin *)(void *)((char *)cache->bins + offset);
}

static inline bool injection_is_on(void)
{
    return atomic_load_explicit(&allocs_left, memory_order_relaxed) != UINT64_MAX;
}

/* Count one allocation; true when this one has to fail. */
static bool injected_failure(void)
{
    uint64_t left = atomic_load_explicit(&allocs_left, memory_order_relaxed);
    do {
        if (left == UINT64_MAX) return false;
        if (left == 0) return !fails_once || !atomic_exchange(&has_failed_once, true);
    } while (!atomic_compare_exchange_weak_explicit(&allocs_left, &left, left - 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    return false;
}

void door_open(void)
{
    thread_once(&ready, set_up);
}

bool door_refuses(void)
{
    return UNLIKELY(injection_is_on()) && injected_failure();
}

bool door_has_red_zones(void)
{
    return has_red_zones();
}

static uint64_t inject(uint64_t count, bool once)
{
    atomic_store(&fails_once, once);
    atomic_store(&has_failed_once, false);
    return atomic_exchange(&allocs_left, count);
}

uint64_t heap_fail_after(uint64_t count)
{
    return inject(count, false);
}

uint64_t heap_fail_once(uint64_t count)
{
    return inject(count, true);
}

/* Enter as the fast path does not: with the heap set up, and a cache if there is one to be had.
 * Every function below that takes a cache is called between that and cache_leave. */
static struct cache *join(struct cache *cache)
{
    if (LIKELY(cache != &cache_none)) return cache;
    door_open();
    return cache_join();
}

static struct cache *enter(void)
{
    return join(cache_enter());
}

/* The same without giving a thread that has none a cache. */
static struct cache *enter_own(void)
{
    struct cache *cache = cache_enter();
    if (cache != &cache_none) return cache;
    return cache_seat.owned ? cache_join() : NULL;
}

/* At the limit: what this thread and the transfer stacks keep may free whole spans. True when they
 * kept anything. */
static bool flush(struct cache *cache)
{
    uint64_t flushed = cache ? cache_flush(cache) : 0;
    return flushed + transfer_flush() > 0;
}

static void *refuse(void)
{
    limit_count_refusal();
    return NULL;
}

static void tally_given(struct cache *cache, uint64_t bytes, enum heap_tag tag)
{
    if (LIKELY(cache))
        tally_grow(&cache->requested_bytes.given[tag], bytes);
    else
        tally_add(&tally_shared.requested_bytes.given[tag], bytes);
}

static void tally_taken(struct cache *cache, uint64_t bytes, enum heap_tag tag)
{
    if (LIKELY(cache))
        tally_grow(&cache->requested_bytes.taken[tag], bytes);
    else
        tally_add(&tally_shared.requested_bytes.taken[tag], bytes);
}

/* Without a cache: one object at a time. */
static void *alloc_uncached(unsigned size_class, enum heap_tag tag)
{
    void *p;
    if (!transfer_take(size_class, &p, 1) && !(flush(NULL) && transfer_take(size_class, &p, 1)))
        return NULL;
    tally_add(&tally_shared.objects[size_class].given[tag], 1);
    return p;
}

/* An object of a class for `size` bytes. */
static void *alloc_small(struct cache *cache, unsigned size_class, size_t size, enum heap_tag tag)
{
    void *p;
    if (UNLIKELY(!cache)) {
        p = alloc_uncached(size_class, tag);
        if (!p) return refuse();
    } else {
        struct cache_bin *bin = &cache->bins[size_class];
        if (UNLIKELY(bin->top == bin->bottom) && !cache_refill(cache, size_class) &&
            !(flush(cache) && cache_refill(cache, size_class)))
            return refuse();
        p = *--bin->top;
        tally_bump(&bin->objects.given[tag]);
    }
    tally_given(cache, size, tag);
    live_mark(p, size, tag);
    poison_show(p, size);
    return p;
}

static uint64_t span_bytes(const struct span *span)
{
    return (uint64_t)span->pages << PAGE_SHIFT;
}

/* Whole pages; 0 when size does not fit any count of them. */
static uint32_t pages_for(size_t size)
{
    size_t pages = (size >> PAGE_SHIFT) + (size % HEAP_PAGE_BYTES != 0);
    return pages <= UINT32_MAX ? (uint32_t)pages : 0;
}

static void tally_large_malloc(struct cache *cache, uint64_t bytes, enum heap_tag tag)
{
    if (UNLIKELY(!cache)) {
        tally_add(&tally_shared.large_bytes.given[tag], bytes);
        tally_add(&tally_shared.objects[SIZE_CLASS_LARGE].given[tag], 1);
        return;
    }
    tally_grow(&cache->large.object_bytes.given[tag], bytes);
    tally_bump(&cache->bins[SIZE_CLASS_LARGE].objects.given[tag]);
}

static void tally_large_free(struct cache *cache, uint64_t bytes, enum heap_tag tag)
{
    if (UNLIKELY(!cache)) {
        tally_add(&tally_shared.large_bytes.taken[tag], bytes);
        tally_add(&tally_shared.objects[SIZE_CLASS_LARGE].taken[tag], 1);
        return;
    }
    tally_grow(&cache->large.object_bytes.taken[tag], bytes);
    tally_bump(&cache->bins[SIZE_CLASS_LARGE].objects.taken[tag]);
}

static struct span *large_create(struct cache *cache, uint32_t pages)
{
    struct span *span = cache ? large_cache_take(&cache->large, pages) : NULL;
    if (!span) span = page_heap_alloc(pages, SIZE_CLASS_LARGE);
    if (!span && flush(cache)) span = page_heap_alloc(pages, SIZE_CLASS_LARGE);
    return span;
}

static void *alloc_large(struct cache *cache, size_t size, enum heap_tag tag, bool *zero)
{
    uint32_t pages = pages_for(size);
    struct span *span = pages ? large_create(cache, pages) : NULL;
    if (!span) return refuse();
    span->owner = (uint8_t)(tag + 1);
    void *p = page_map_address(span->page);
    *zero = span->known_zero;
    poison_show(p, size);
    live_mark(p, size, tag);
    tally_large_malloc(cache, span_bytes(span), tag);
    tally_given(cache, size, tag);
    return p;
}

/* Everything but the injection. */
static void *allocate(struct cache *cache, size_t size, enum heap_tag tag, bool *zero)
{
    *zero = false;
    if (size == 0) return nothing;
    if (size <= HEAP_SMALL_MAX)
        return alloc_small(cache, class_to_give(size, RED_ZONE_BYTES), size, tag);
    return alloc_large(cache, size, tag, zero);
}

/* From heap_alloc, which entered. */
static NO_INLINE void *alloc_slowly(struct cache *cache, size_t size, enum heap_tag tag)
{
    bool zero;
    void *p = NULL;
    cache = join(cache);
    if (size == 0 || !injected_failure()) p = allocate(cache, size, tag, &zero);
    cache_leave();
    return p;
}

void *heap_alloc(size_t size, enum heap_tag tag)
{
    struct cache *cache = cache_enter();
    if (UNLIKELY(size > HEAP_SMALL_MAX || injection_is_on() || has_red_zones()))
        return alloc_slowly(cache, size, tag);
    struct cache_bin *bin = bin_of(cache, size);
    void **top = bin->top;
    /* Class 0 has an empty stack: size 0 leaves here too, and so do threads without a cache. */
    if (UNLIKELY(top == bin->bottom)) return alloc_slowly(cache, size, tag);
    void *p = *--top;
    bin->top = top;
    tally_bump(&bin->objects.given[tag]);
    tally_grow(&cache->requested_bytes.given[tag], size);
    live_mark(p, size, tag); /* still inside: an audit compares notes and tallies */
    cache_leave();
    poison_show(p, size);
    return p;
}

void *heap_calloc(size_t count, size_t size, enum heap_tag tag)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
    if (bytes == 0) return nothing;
    if (door_refuses()) return NULL;
    bool zero;
    void *p = allocate(enter(), bytes, tag, &zero);
    cache_leave();
    if (p && !zero) memset(p, 0, bytes);
    return p;
}

/* A multiple of a power of two is as aligned as its object: either it is a multiple of the step
 * between the classes around it, and then a class itself, or that step is one of the power. */
void *heap_alloc_aligned(size_t size, size_t alignment, enum heap_tag tag)
{
    ASSERT(bits_is_power_of_two(alignment) && alignment <= HEAP_PAGE_BYTES);
    ASSERT(size % alignment == 0);
    if (!has_red_zones() || size > HEAP_SMALL_MAX || size == 0) return heap_alloc(size, tag);
    if (door_refuses()) return NULL;
    void *p = alloc_small(enter(), class_to_give(size, alignment), size, tag);
    cache_leave();
    return p;
}

/* The size a caller gives leads to the class the object has. */
static inline bool is_of_class(const void *p, unsigned size_class)
{
    return page_map_class(page_map_offset(p) >> PAGE_SHIFT) == size_class;
}

/* The span of a large object; aborts when p is not the start of one (freed already, perhaps). */
static struct span *large_span(const void *p)
{
    size_t offset = page_map_offset(p);
    ASSERT(offset < page_map.reserved_bytes && offset % HEAP_PAGE_BYTES == 0);
    struct span *span = page_map_span((uint32_t)(offset >> PAGE_SHIFT));
    ASSERT(span->state == SPAN_LARGE && span->page == offset >> PAGE_SHIFT && span->owner != 0);
    return span;
}

static void free_large(struct cache *cache, void *p, size_t size, enum heap_tag tag)
{
    struct span *span = large_span(p);
    ASSERT(span->pages == pages_for(size)); /* else allocated with another size */
    tally_taken(cache, size, tag);
    tally_large_free(cache, span_bytes(span), tag);
    poison_hide(p, span_bytes(span));
    span->owner = 0;
    span->known_zero = false;
    if (LIKELY(cache)) {
        large_cache_give(&cache->large, span);
        return;
    }
    span->after = NULL;
    page_heap_free(span);
}

bool heap_is_emptying(const void *p)
{
    size_t offset = page_map_offset(p);
    return p && offset < page_map.reserved_bytes && page_map_is_emptying(offset >> PAGE_SHIFT);
}

static void free_small(struct cache *cache, void *p, unsigned size_class, size_t size,
                       enum heap_tag tag)
{
    ASSERT(is_of_class(p, size_class)); /* else allocated with another size */
    poison_hide(p, size_classes[size_class].bytes);
    tally_taken(cache, size, tag);
    if (!cache) {
        tally_add(&tally_shared.objects[size_class].taken[tag], 1);
        transfer_give(size_class, &p, 1);
        return;
    }
    struct cache_bin *bin = &cache->bins[size_class];
    tally_bump(&bin->objects.taken[tag]);
    if (page_map_is_emptying(page_map_offset(p) >> PAGE_SHIFT)) {
        central_give(size_class, &p, 1);
        return;
    }
    if (bin->top == bin->ceiling) cache_spill(cache, size_class);
    *bin->top++ = p;
}

/* From heap_free, which entered. */
static NO_INLINE void free_slowly(struct cache *cache, void *p, size_t size, enum heap_tag tag)
{
    if (p && p != nothing) {
        live_expect(p, false);
        live_unmark(p, size, tag);
        ASSERT(page_map_offset(p) < page_map.reserved_bytes); /* else not from this heap */
        cache = join(cache);
        if (size > HEAP_SMALL_MAX)
            free_large(cache, p, size, tag);
        else
            free_small(cache, p, class_given(p, size), size, tag);
    }
    cache_leave();
}

void heap_free(void *p, size_t size, enum heap_tag tag)
{
    struct cache *cache = cache_enter();
    if (UNLIKELY(size > HEAP_SMALL_MAX || has_red_zones())) {
        free_slowly(cache, p, size, tag);
        return;
    }
    struct cache_bin *bin = bin_of(cache, size);
    void **top = bin->top;
    /* Class 0 has an empty stack without room, and so have threads without a cache, which must not
     * look at the page map: there may be none yet. */
    if (UNLIKELY(top == bin->ceiling || page_map_offset(p) >= page_map.reserved_bytes ||
                 page_map_is_emptying(page_map_offset(p) >> PAGE_SHIFT))) {
        free_slowly(cache, p, size, tag);
        return;
    }
    live_expect(p, false);
    live_unmark(p, size, tag);
    poison_hide(p, size_classes[bin - cache->bins].bytes);
    tally_bump(&bin->objects.taken[tag]);
    tally_grow(&cache->requested_bytes.taken[tag], size);
    *top = p;
    bin->top = top + 1;
    cache_leave();
    /* Whoever gets it next will write to it at once. */
    __builtin_prefetch(p, 1);
}

/* Rare next to the objects that are written into them: no fast path. */
void *heap_alloc_cell(enum heap_tag tag)
{
    if (door_refuses()) return NULL;
    void *cell = alloc_small(enter(), SIZE_CLASS_CELLS, HEAP_CELL_BYTES, tag);
    cache_leave();
    return cell;
}

void heap_free_cell(void *cell, enum heap_tag tag)
{
    if (!cell) return;
    live_expect(cell, true);
    live_unmark(cell, HEAP_CELL_BYTES, tag);
    free_small(enter(), cell, SIZE_CLASS_CELLS, HEAP_CELL_BYTES, tag);
    cache_leave();
}

static size_t usable_size(const void *p)
{
    if (!p || p == nothing) return 0;
    size_t offset = page_map_offset(p);
    ASSERT(offset < page_map.reserved_bytes);
    unsigned size_class = page_map_class(offset >> PAGE_SHIFT);
    if (size_class != SIZE_CLASS_LARGE) return size_classes[size_class].bytes;
    return span_bytes(large_span(p));
}

void heap_free_unsized(void *p, enum heap_tag tag)
{
    heap_free(p, has_red_zones() ? live_size(p) : usable_size(p), tag);
}

size_t heap_usable_size(const void *p)
{
    size_t size = usable_size(p);
    if (size) live_open(p);
    poison_show(p, size); /* from here on the caller may use all of it */
    return size;
}

size_t heap_good_size(size_t size)
{
    if (size == 0) return 0;
    if (size <= HEAP_SMALL_MAX) return size_classes[size_class_of(size)].bytes;
    return size <= SIZE_MAX - HEAP_PAGE_BYTES ? bits_align_up(size, HEAP_PAGE_BYTES) : size;
}

/* A large object to another count of pages, without moving it. */
static bool resize_large(void *p, size_t size, enum heap_tag tag)
{
    struct span *span = large_span(p);
    uint64_t before = span_bytes(span);
    uint32_t pages = pages_for(size);
    if (pages == span->pages) return true;
    if (!pages) return false;
    /* Counted before pages leave, after they came: see alloc/tally.h. */
    uint64_t after = (uint64_t)pages << PAGE_SHIFT;
    if (after > before) {
        if (!page_heap_resize(span, pages)) return false;
        tally_add(&tally_shared.large_bytes.given[tag], after - before);
        return true;
    }
    tally_add(&tally_shared.large_bytes.taken[tag], before - after);
    if (page_heap_resize(span, pages)) return true;
    tally_add(&tally_shared.large_bytes.given[tag], before - after);
    return false;
}

static bool resize_in_place(void *p, size_t old_size, size_t size, enum heap_tag tag)
{
    if (old_size > HEAP_SMALL_MAX) {
        if (size <= HEAP_SMALL_MAX) return false;
        live_open(p);
        if (!resize_large(p, size, tag)) {
            live_close(p, old_size);
            return false;
        }
    } else if (size > HEAP_SMALL_MAX ||
               class_to_give(size, RED_ZONE_BYTES) != class_given(p, old_size)) {
        return false;
    }
    struct cache *cache = enter();
    if (size > old_size)
        tally_given(cache, size - old_size, tag);
    else
        tally_taken(cache, old_size - size, tag);
    cache_leave();
    poison_hide(p, usable_size(p));
    poison_show(p, size);
    live_close(p, size);
    return true;
}

void *heap_resize(void *p, size_t old_size, size_t size, enum heap_tag tag)
{
    if (!p || p == nothing) return heap_alloc(size, tag);
    if (size == 0) {
        heap_free(p, old_size, tag);
        return nothing;
    }
    live_examine(p, old_size, tag);
    /* Else allocated with another size. */
    ASSERT(heap_good_size(old_size) == usable_size(p) || has_red_zones());
    if (door_refuses()) return NULL;
    if (resize_in_place(p, old_size, size, tag)) return p;
    bool zero;
    void *moved = allocate(enter(), size, tag, &zero);
    cache_leave();
    if (!moved) return NULL;
    memcpy(moved, p, old_size < size ? old_size : size);
    heap_free(p, old_size, tag);
    return moved;
}

void heap_flush_thread(void)
{
    door_open();
    (void)flush(enter_own());
    cache_leave();
}

void heap_flush_large(void)
{
    door_open();
    struct cache *cache = enter_own();
    if (cache) (void)large_cache_flush(&cache->large);
    cache_leave();
}

void heap_check(void)
{
    const struct cache *cache = enter_own();
    if (cache) cache_check(cache);
    cache_leave();
    transfer_check();
    central_check();
    page_heap_check();
    meta_check();
}
