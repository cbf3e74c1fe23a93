/* central - lists of spans by fullness, and the moving of objects in and out of their bits. */
#include "alloc/central.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "alloc/live.h"
#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "alloc/poison.h"
#include "base/assert.h"
#include "base/lock.h"

enum {
    PARTIAL_LISTS = 4,         /* 0: least free ... 3: most free */
    FULL_LIST = PARTIAL_LISTS, /* no free slot */
    LIST_COUNT
};

struct central {
    CACHE_ALIGNED struct mutex lock; /* classes do not share cache lines */
    struct span *lists[LIST_COUNT];  /* doubly linked, any order */
    _Atomic uint64_t spans;          /* in all lists; written under the lock */
};

static struct central centrals[SIZE_CLASS_COUNT];

void central_init(void)
{
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++)
        mutex_init(&centrals[i].lock, LOCK_CENTRAL);
}

static unsigned list_for(const struct span *span)
{
    uint32_t quarter = size_classes[span->size_class].quarter;
    if (span->free_slots == 0) return FULL_LIST;
    return (span->free_slots > quarter) + (span->free_slots > 2 * quarter) +
           (span->free_slots > 3 * quarter);
}

static void link_span(struct central *c, struct span *span, unsigned list)
{
    span->list = (uint8_t)list;
    span->before = NULL;
    span->after = c->lists[list];
    if (span->after) span->after->before = span;
    c->lists[list] = span;
}

static void unlink_span(struct central *c, struct span *span)
{
    if (span->before)
        span->before->after = span->after;
    else
        c->lists[span->list] = span->after;
    if (span->after) span->after->before = span->before;
}

static void relink_span(struct central *c, struct span *span)
{
    unsigned list = list_for(span);
    if (list == span->list) return;
    unlink_span(c, span);
    link_span(c, span, list);
}

static void add_spans(struct central *c, uint64_t n)
{
    atomic_fetch_add_explicit(&c->spans, n, memory_order_relaxed);
}

/* Move up to `wanted` objects from the span's bits to out, lowest address first. */
static uint32_t pull(struct span *span, void **out, uint32_t wanted)
{
    uint32_t bytes = size_classes[span->size_class].bytes;
    uint32_t words = span_words(span->size_class);
    uint8_t *base = page_map_address(span->page);
    uint32_t got = 0;
    for (uint32_t w = span->first_word; w < words && got < wanted; w++) {
        uint64_t bits = span->bits[w];
        for (; bits && got < wanted; bits &= bits - 1) {
            uint32_t slot = w * SPAN_WORD_BITS + (uint32_t)__builtin_ctzll(bits);
            out[got++] = base + (size_t)slot * bytes;
        }
        span->bits[w] = bits;
        span->first_word = (uint16_t)(bits ? w : w + 1);
    }
    span->free_slots -= got;
    return got;
}

static uint32_t take_locked(struct central *c, void **out, uint32_t wanted)
{
    uint32_t got = 0;
    for (unsigned list = 0; list < PARTIAL_LISTS && got < wanted; list++) {
        struct span *span = c->lists[list];
        while (span && got < wanted) {
            struct span *after = span->after;
            got += pull(span, out + got, wanted - got);
            relink_span(c, span);
            span = after;
        }
    }
    return got;
}

/* A new span with all slots free, in no list. */
static struct span *create_span(unsigned size_class)
{
    const struct size_class *k = &size_classes[size_class];
    struct span *span = page_heap_alloc(k->pages, size_class);
    if (!span) return NULL;
    uint32_t words = span_words(size_class);
    for (uint32_t w = 0; w < words; w++)
        span->bits[w] = UINT64_MAX;
    if (k->slots % SPAN_WORD_BITS)
        span->bits[words - 1] = (UINT64_C(1) << (k->slots % SPAN_WORD_BITS)) - 1;
    span->first_word = 0;
    span->free_slots = k->slots;
    live_fill(span);
    return span;
}

uint32_t central_take(unsigned size_class, void **out, uint32_t wanted)
{
    struct central *c = &centrals[size_class];
    mutex_lock(&c->lock);
    uint32_t got = take_locked(c, out, wanted);
    mutex_unlock(&c->lock);
    if (got) return got;

    /* The system may be asked for pages now; nobody should wait for that. */
    struct span *span = create_span(size_class);
    if (!span) {
        /* Somebody may have given objects back meanwhile. */
        mutex_lock(&c->lock);
        got = take_locked(c, out, wanted);
        mutex_unlock(&c->lock);
        return got;
    }
    got = pull(span, out, wanted);
    mutex_lock(&c->lock);
    link_span(c, span, list_for(span));
    add_spans(c, 1);
    mutex_unlock(&c->lock);
    return got;
}

/* Back into the bits of its span, which is returned. */
static struct span *push(const void *object, unsigned size_class)
{
    struct span *span = page_map_span((uint32_t)(page_map_offset(object) >> PAGE_SHIFT));
    ASSERT(span->size_class == size_class); /* else freed with the size of another class */
    uint32_t slot = page_map_slot(span, object);
    uint32_t w = slot / SPAN_WORD_BITS;
    uint64_t bit = UINT64_C(1) << (slot % SPAN_WORD_BITS);
    ASSERT(!(span->bits[w] & bit)); /* freed twice */
    span->bits[w] |= bit;
    if (w < span->first_word) span->first_word = (uint16_t)w;
    span->free_slots++;
    return span;
}

void central_give(unsigned size_class, void *const *objects, uint32_t count)
{
    struct central *c = &centrals[size_class];
    struct span *empty = NULL; /* chained by after */
    mutex_lock(&c->lock);
    for (uint32_t i = 0; i < count; i++) {
        struct span *span = push(objects[i], size_class);
        if (span->free_slots < size_classes[size_class].slots) {
            relink_span(c, span);
            continue;
        }
        unlink_span(c, span);
        add_spans(c, UINT64_MAX);
        span->after = empty;
        empty = span;
    }
    mutex_unlock(&c->lock);
    if (empty) page_heap_free(empty);
}

uint64_t central_spans(unsigned size_class)
{
    return atomic_load_explicit(&centrals[size_class].spans, memory_order_relaxed);
}

void central_hold_all(void)
{
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++)
        mutex_lock(&centrals[i].lock);
}

void central_let_go_all(void)
{
    for (unsigned i = SIZE_CLASS_COUNT; i > 0; i--)
        mutex_unlock(&centrals[i - 1].lock);
}

static void check_bits(const struct span *span)
{
    uint32_t words = span_words(span->size_class);
    uint32_t set = 0;
    for (uint32_t w = 0; w < words; w++) {
        ASSERT(w >= span->first_word || span->bits[w] == 0);
        set += (uint32_t)__builtin_popcountll(span->bits[w]);
    }
    ASSERT(set == span->free_slots);
}

static uint64_t check_list(struct central *c, unsigned size_class, unsigned list)
{
    uint64_t count = 0;
    const struct span *before = NULL;
    for (struct span *span = c->lists[list]; span; span = span->after) {
        ASSERT(span->state == SPAN_SMALL && span->size_class == size_class);
        ASSERT(span->before == before && span->list == list && list_for(span) == list);
        ASSERT(span->free_slots < size_classes[size_class].slots);
        check_bits(span);
        live_check_span(span);
        before = span;
        count++;
    }
    return count;
}

void central_check(void)
{
    for (unsigned size_class = 1; size_class < SIZE_CLASS_COUNT; size_class++) {
        struct central *c = &centrals[size_class];
        mutex_lock(&c->lock);
        uint64_t count = 0;
        for (unsigned list = 0; list < LIST_COUNT; list++)
            count += check_list(c, size_class, list);
        ASSERT(count == central_spans(size_class));
        mutex_unlock(&c->lock);
    }
}
