/* directory - doubling segments and a list of free ids inside them. */
#include "storage/directory.h"

#include "alloc/heap.h"
#include "base/assert.h"

/* The id n of all ids lies in the segment of the highest bit of n + 64. */
static uint32_t segment_of(uint32_t local)
{
    uint32_t n = local + (1u << DIRECTORY_FIRST_BITS);
    return 31u - (uint32_t)__builtin_clz(n) - DIRECTORY_FIRST_BITS;
}

static uint32_t segment_first(uint32_t segment)
{
    return (1u << (DIRECTORY_FIRST_BITS + segment)) - (1u << DIRECTORY_FIRST_BITS);
}

static _Atomic uintptr_t *place_of(const struct directory *d, uint32_t local)
{
    uint32_t segment = segment_of(local);
    _Atomic uintptr_t *places = atomic_load_explicit(&d->segments[segment], memory_order_acquire);
    return &places[local - segment_first(segment)];
}

static size_t segment_bytes(uint32_t segment)
{
    return sizeof(_Atomic uintptr_t) << (DIRECTORY_FIRST_BITS + segment);
}

void directory_init(struct directory *d, uint32_t limit)
{
    uint32_t reach = segment_first(DIRECTORY_SEGMENTS - 1) * 2;
    *d = (struct directory){.limit = limit < reach ? limit : reach};
}

void directory_release(struct directory *d)
{
    for (size_t i = 0; i < DIRECTORY_SEGMENTS; i++)
        heap_free((void *)atomic_load_explicit(&d->segments[i], memory_order_relaxed),
                  segment_bytes((uint32_t)i), HEAP_INDEX);
}

bool directory_reserve(struct directory *d)
{
    uint32_t high = directory_high(d);
    if (d->free_plus_1) return true;
    if (high >= d->limit) return false;
    uint32_t segment = segment_of(high);
    if (atomic_load_explicit(&d->segments[segment], memory_order_relaxed)) return true;
    _Atomic uintptr_t *fresh = heap_calloc(1, segment_bytes(segment), HEAP_INDEX);
    if (!fresh) return false;
    atomic_store_explicit(&d->segments[segment], fresh, memory_order_release);
    return true;
}

uint32_t directory_peek(const struct directory *d)
{
    return d->free_plus_1 ? d->free_plus_1 - 1 : directory_high(d);
}

uint32_t directory_add(struct directory *d, struct series *s)
{
    uint32_t local = directory_peek(d);
    _Atomic uintptr_t *place = place_of(d, local);
    bool reused = d->free_plus_1 != 0;
    if (reused) {
        uintptr_t link = atomic_load_explicit(place, memory_order_relaxed);
        DEBUG_ASSERT(link & 1);
        d->free_plus_1 = (uint32_t)(link >> 1);
    }
    atomic_store_explicit(place, (uintptr_t)s, memory_order_release);
    if (!reused) atomic_store_explicit(&d->high, local + 1, memory_order_release);
    return local;
}

struct series *directory_get(const struct directory *d, uint32_t local)
{
    if (local >= directory_high(d)) return NULL;
    uintptr_t place = atomic_load_explicit(place_of(d, local), memory_order_acquire);
    return place & 1 ? NULL : (struct series *)place;
}

void directory_clear(struct directory *d, uint32_t local)
{
    atomic_store_explicit(place_of(d, local), 0, memory_order_release);
}

void directory_recycle(struct directory *d, uint32_t local)
{
    _Atomic uintptr_t *place = place_of(d, local);
    DEBUG_ASSERT(atomic_load_explicit(place, memory_order_relaxed) == 0);
    atomic_store_explicit(place, (uintptr_t)d->free_plus_1 << 1 | 1, memory_order_relaxed);
    d->free_plus_1 = local + 1;
}
