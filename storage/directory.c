/* directory - doubling segments, each with a bitmap of its free ids. */
#include "storage/directory.h"

#include <stddef.h>

#include "alloc/heap.h"
#include "base/assert.h"

enum { WORD_BITS = 64 };

/* The first two segments have 64 ids each, so that later ones begin at powers of two. */
static uint32_t segment_of(uint32_t local)
{
    uint32_t n = local >> DIRECTORY_FIRST_BITS;
    return n ? 32u - (uint32_t)__builtin_clz(n) : 0;
}

static uint32_t segment_first(uint32_t segment)
{
    return segment ? 1u << (DIRECTORY_FIRST_BITS + segment - 1) : 0;
}

static uint32_t segment_count(uint32_t segment)
{
    return segment ? segment_first(segment) : 1u << DIRECTORY_FIRST_BITS;
}

static struct directory_segment *segment_at(const struct directory *d, uint32_t segment)
{
    return atomic_load_explicit(&d->segments[segment], memory_order_acquire);
}

static struct directory_place *place_of(const struct directory *d, uint32_t local)
{
    uint32_t segment = segment_of(local);
    struct directory_segment *s = segment_at(d, segment);
    return s ? &s->places[local - segment_first(segment)] : NULL;
}

static size_t segment_bytes(uint32_t count, uint32_t slots)
{
    size_t bits = (size_t)count / 8;
    return sizeof(struct directory_segment) + count * sizeof(struct directory_place) +
           (1 + slots) * bits;
}

static uint64_t *free_bits(struct directory_segment *s)
{
    return (uint64_t *)(uintptr_t)(s->places + s->count);
}

/* Of the ids that may hold something in this slot. */
static _Atomic uint64_t *held_bits(struct directory_segment *s, uint32_t slot)
{
    return (_Atomic uint64_t *)free_bits(s) + (size_t)(1 + slot) * (s->count / WORD_BITS);
}

void directory_init(struct directory *d, uint32_t limit, uint32_t slots)
{
    uint32_t reach = segment_first(DIRECTORY_SEGMENTS - 1) * 2;
    *d = (struct directory){.limit = limit < reach ? limit : reach, .slots = slots};
}

void directory_segment_destroy(struct directory_segment *segment)
{
    if (segment) heap_free(segment, segment_bytes(segment->count, segment->slots), HEAP_INDEX);
}

void directory_release(struct directory *d)
{
    for (uint32_t i = 0; i < DIRECTORY_SEGMENTS; i++)
        directory_segment_destroy(segment_at(d, i));
}

static struct directory_segment *segment_create(uint32_t count, uint32_t slots)
{
    struct directory_segment *s = heap_calloc(1, segment_bytes(count, slots), HEAP_INDEX);
    if (!s) return NULL;
    s->count = count;
    s->slots = slots;
    for (uint32_t w = 0; w < count / WORD_BITS; w++)
        free_bits(s)[w] = ~UINT64_C(0);
    return s;
}

static uint32_t lowest_free(struct directory_segment *s)
{
    const uint64_t *bits = free_bits(s);
    while (bits[s->free_from] == 0)
        s->free_from++;
    return s->free_from * WORD_BITS + (uint32_t)__builtin_ctzll(bits[s->free_from]);
}

bool directory_reserve(struct directory *d)
{
    uint32_t segment = 0;
    struct directory_segment *s;
    while ((s = segment_at(d, segment)) != NULL && s->taken == s->count)
        if (++segment == DIRECTORY_SEGMENTS) return false;
    uint32_t first = segment_first(segment);
    if (first >= d->limit) return false;
    if (!s) {
        s = segment_create(segment_count(segment), d->slots);
        if (!s) return false;
        atomic_store_explicit(&d->segments[segment], s, memory_order_release);
    }
    d->next = first + lowest_free(s);
    return d->next < d->limit;
}

uint32_t directory_add(struct directory *d, struct series *series)
{
    uint32_t local = d->next;
    uint32_t segment = segment_of(local);
    uint32_t at = local - segment_first(segment);
    struct directory_segment *s = segment_at(d, segment);
    DEBUG_ASSERT(free_bits(s)[at / WORD_BITS] >> at % WORD_BITS & 1);
    free_bits(s)[at / WORD_BITS] &= ~(UINT64_C(1) << at % WORD_BITS);
    s->taken++;
    atomic_store_explicit(&s->places[at].series, (uintptr_t)series, memory_order_release);
    if (local >= directory_high(d))
        atomic_store_explicit(&d->high, local + 1, memory_order_release);
    return local;
}

struct directory_place *directory_place(const struct directory *d, uint32_t local)
{
    return local < directory_high(d) ? place_of(d, local) : NULL;
}

struct directory_span directory_span(const struct directory *d, uint32_t local)
{
    uint32_t segment = segment_of(local);
    struct directory_segment *s = segment_at(d, segment);
    return (struct directory_span){s->places, segment_first(segment), s->count};
}

struct series *directory_get(const struct directory *d, uint32_t local)
{
    const struct directory_place *place = directory_place(d, local);
    return place ? directory_series(place) : NULL;
}

/* The word with the bit of an id; NULL when there is no such id. */
static _Atomic uint64_t *held_word(const struct directory *d, uint32_t local, uint32_t slot,
                                   uint64_t *bit)
{
    uint32_t segment = segment_of(local);
    uint32_t at = local - segment_first(segment);
    struct directory_segment *s = segment_at(d, segment);
    *bit = UINT64_C(1) << at % WORD_BITS;
    return s ? held_bits(s, slot) + at / WORD_BITS : NULL;
}

/* Under the write lock there is one writer: a load and a store do. */
static void set_word(_Atomic uint64_t *word, uint64_t before, uint64_t after)
{
    if (after != before) atomic_store_explicit(word, after, memory_order_relaxed);
}

void directory_mark(struct directory *d, uint32_t local, uint32_t slot)
{
    uint64_t bit;
    _Atomic uint64_t *word = held_word(d, local, slot, &bit);
    uint64_t before = atomic_load_explicit(word, memory_order_relaxed);
    set_word(word, before, before | bit);
}

void directory_unmark(struct directory *d, uint32_t local, uint32_t slot)
{
    uint64_t bit;
    _Atomic uint64_t *word = held_word(d, local, slot, &bit);
    uint64_t before = atomic_load_explicit(word, memory_order_relaxed);
    set_word(word, before, before & ~bit);
}

void directory_unmark_all(struct directory *d, uint32_t slot)
{
    for (uint32_t i = 0; i < DIRECTORY_SEGMENTS; i++) {
        struct directory_segment *s = segment_at(d, i);
        if (!s) continue;
        _Atomic uint64_t *words = held_bits(s, slot);
        for (uint32_t w = 0; w < s->count / WORD_BITS; w++)
            atomic_store_explicit(&words[w], 0, memory_order_relaxed);
    }
}

uint64_t directory_held_word(const struct directory *d, uint32_t n, uint32_t slot)
{
    uint64_t bit;
    const _Atomic uint64_t *word = held_word(d, n * WORD_BITS, slot, &bit);
    return word ? atomic_load_explicit(word, memory_order_relaxed) : 0;
}

void directory_clear(struct directory *d, uint32_t local)
{
    atomic_store_explicit(&place_of(d, local)->series, 0, memory_order_release);
}

/* The end of the last segment there is. */
static uint32_t segments_end(const struct directory *d)
{
    for (uint32_t i = DIRECTORY_SEGMENTS; i > 0; i--)
        if (segment_at(d, i - 1)) return segment_first(i - 1) + segment_count(i - 1);
    return 0;
}

struct directory_segment *directory_recycle(struct directory *d, uint32_t local)
{
    uint32_t segment = segment_of(local);
    uint32_t at = local - segment_first(segment);
    struct directory_segment *s = segment_at(d, segment);
    DEBUG_ASSERT(atomic_load_explicit(&s->places[at].series, memory_order_relaxed) == 0);
    free_bits(s)[at / WORD_BITS] |= UINT64_C(1) << at % WORD_BITS;
    if (at / WORD_BITS < s->free_from) s->free_from = at / WORD_BITS;
    if (--s->taken > 0) return NULL;
    atomic_store_explicit(&d->segments[segment], NULL, memory_order_release);
    uint32_t end = segments_end(d);
    if (end < directory_high(d)) atomic_store_explicit(&d->high, end, memory_order_release);
    return s;
}

uint64_t directory_places(const struct directory *d)
{
    uint64_t places = 0;
    for (uint32_t i = 0; i < DIRECTORY_SEGMENTS; i++)
        if (segment_at(d, i)) places += segment_count(i);
    return places;
}
