/* central - objects in and out of the bits of their spans, and which spans shall become empty. */
#include "alloc/central.h"

#include <stdatomic.h>
#include <stddef.h>

#include "alloc/central_lists.h"
#include "alloc/limit.h"
#include "alloc/live.h"
#include "alloc/os.h"
#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "base/assert.h"
#include "base/lock.h"

enum {
    /* Of all slots of a class, free ones in spans that may give them away; and those of a span. */
    LOOSE_PARTS = 512,
    /* Each is a cache miss or two, which whoever allocates waits for: from sixteen spans it was
     * half of what is above p99.9 beside a big heap. */
    TAKE_SPANS_MAX = 2
};

void central_init(void)
{
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++)
        mutex_init(&centrals[i].lock, LOCK_CENTRAL);
}

/* As pull, from resident pages only. */
static uint32_t pull_resident(struct span *span, void **out, uint32_t wanted)
{
    uint32_t bytes = size_classes[span->size_class].bytes;
    uint32_t words = span_words(span->size_class);
    uint8_t *base = page_map_address(span->page);
    uint64_t *all = span_bits(span);
    uint32_t got = 0;
    for (uint32_t w = span->first_word; w < words; w++) {
        for (uint64_t bits = all[w]; bits && got < wanted; bits &= bits - 1) {
            uint32_t slot = w * SPAN_WORD_BITS + (uint32_t)__builtin_ctzll(bits);
            if (span_slot_pages(span->size_class, slot) & span->gone) continue;
            all[w] ^= bits & -bits;
            out[got++] = base + (size_t)slot * bytes;
        }
    }
    span->free_slots -= (uint16_t)got;
    return got;
}

/* As pull, from a span without bits. */
static uint32_t pull_fresh(struct span *span, void **out, uint32_t wanted)
{
    uint32_t bytes = size_classes[span->size_class].bytes;
    uint8_t *first = page_map_address(span->page) + (size_t)span->fresh * bytes;
    uint32_t got = wanted < span->free_slots ? wanted : span->free_slots;
    for (uint32_t i = 0; i < got; i++)
        out[i] = first + (size_t)i * bytes;
    span->fresh += (uint16_t)got;
    span->free_slots -= (uint16_t)got;
    return got;
}

/* Move up to `wanted` objects from the span to out, lowest address first. */
static uint32_t pull(struct span *span, void **out, uint32_t wanted)
{
    span->touched = central_now();
    if (!span->has_bits) return pull_fresh(span, out, wanted);
    if (span->gone) return pull_resident(span, out, wanted);
    uint32_t bytes = size_classes[span->size_class].bytes;
    uint32_t words = span_words(span->size_class);
    uint8_t *base = page_map_address(span->page);
    uint64_t *all = span_bits(span);
    uint32_t got = 0;
    for (uint32_t w = span->first_word; w < words && got < wanted; w++) {
        uint64_t bits = all[w];
        for (; bits && got < wanted; bits &= bits - 1) {
            uint32_t slot = w * SPAN_WORD_BITS + (uint32_t)__builtin_ctzll(bits);
            out[got++] = base + (size_t)slot * bytes;
        }
        all[w] = bits;
        span->first_word = (uint8_t)(bits ? w : w + 1);
    }
    span->free_slots -= (uint16_t)got;
    return got;
}

/* Charge the pages under the first slot of a span in GONE_LIST again; false at the limit. */
static bool retake(struct central *c, struct span *span)
{
    uint32_t page = (uint32_t)__builtin_ctz(span->gone);
    uint32_t slot = size_class_slot(span->size_class, page * OS_PAGE_BYTES);
    uint32_t pages = span_slot_pages(span->size_class, slot) & span->gone;
    if (!limit_charge(central_gone_bytes(pages))) return false;
    central_add(&c->bytes[CENTRAL_RETAKEN], central_gone_bytes(pages));
    central_set_gone(c, span, span->gone & ~pages);
    live_refill(span, pages);
    return true;
}

/* From now on its objects go home when they are freed; or as before. */
static void set_emptying(struct central *c, struct span *span, bool emptying)
{
    c->loose -= central_loose(span);
    span->emptying = emptying;
    c->loose += central_loose(span);
    page_map_set_emptying(span, emptying);
}

/* pull from a span in a list. A span that gives slots away is not emptying. */
static uint32_t pull_linked(struct central *c, struct span *span, void **out, uint32_t wanted)
{
    if (span->emptying) set_emptying(c, span, false);
    c->loose -= central_loose(span);
    uint32_t got = pull(span, out, wanted);
    c->loose += central_loose(span);
    return got;
}

static uint32_t take_gone(struct central *c, void **out, uint32_t wanted)
{
    uint32_t got = 0;
    bool charged = true;
    struct span *span;
    while (got < wanted && charged && (span = c->lists[GONE_LIST])) {
        while (got < wanted && span->gone_slots && (charged = retake(c, span)))
            got += pull_linked(c, span, out + got, wanted - got);
        central_relink(c, span);
    }
    return got;
}

/* Their records are not in any cache, as a rule: the misses happen side by side. */
static void expect(const struct span *span)
{
    __builtin_prefetch(span, 1);
    __builtin_prefetch(span->words, 1);
}

/* The fullest of the partial spans and one of the next list, which has more to give; of emptying
 * ones only when there is no other. Returns how many. */
static unsigned choose(struct central *c, struct span *spans[TAKE_SPANS_MAX])
{
    unsigned count = 0;
    for (unsigned list = 0; list < SERVED_LISTS && count < TAKE_SPANS_MAX; list++) {
        if (list == EMPTYING_LISTS && count) break;
        if (!c->lists[list]) continue;
        expect(c->lists[list]);
        spans[count++] = c->lists[list];
    }
    if (count == 1 && spans[0]->after) spans[count++] = spans[0]->after;
    return count;
}

static uint32_t take_locked(struct central *c, void **out, uint32_t wanted)
{
    struct span *spans[TAKE_SPANS_MAX];
    unsigned count = choose(c, spans);
    uint32_t got = 0;
    for (unsigned i = 0; i < count && got < wanted; i++) {
        got += pull_linked(c, spans[i], out + got, wanted - got);
        central_relink(c, spans[i]);
    }
    return got ? got : take_gone(c, out, wanted);
}

/* A new span with all slots free, in no list. */
static struct span *create_span(unsigned size_class)
{
    const struct size_class *k = &size_classes[size_class];
    struct span *span = page_heap_alloc(k->pages, size_class);
    if (!span) return NULL;
    span->free_slots = (uint16_t)span_slots(span);
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
    central_link(c, span, central_list_for(span));
    c->loose += central_loose(span);
    central_count(c, span, 1);
    mutex_unlock(&c->lock);
    return got;
}

/* Back into the bits of its span, which is returned. */
static struct span *push(struct central *c, const void *object, unsigned size_class)
{
    struct span *span = page_map_span((uint32_t)(page_map_offset(object) >> PAGE_SHIFT));
    ASSERT(span->size_class == size_class); /* else freed with the size of another class */
    uint32_t slot = page_map_slot(span, object);
    uint32_t w = slot / SPAN_WORD_BITS;
    uint64_t bit = UINT64_C(1) << (slot % SPAN_WORD_BITS);
    c->loose -= central_loose(span);
    if (!span->has_bits) span_start_bits(span);
    uint64_t *word = &span_bits(span)[w];
    ASSERT(!(*word & bit)); /* freed twice */
    *word |= bit;
    if (w < span->first_word) span->first_word = (uint8_t)w;
    span->free_slots++;
    c->loose += central_loose(span);
    span->touched = central_now();
    span->trimmed = false;
    return span;
}

/* As many of the emptiest spans as the others have free slots to spare for. */
static void start_emptying(struct central *c, unsigned size_class)
{
    uint64_t keep = size_classes[size_class].slots + central_slots(size_class) / LOOSE_PARTS;
    for (unsigned list = PARTIAL_LISTS; c->loose > keep && list-- > 0;) {
        struct span *span;
        while ((span = c->lists[list])) {
            if (c->loose - central_loose(span) < keep) return;
            set_emptying(c, span, true);
            central_relink(c, span);
        }
    }
}

void central_give(unsigned size_class, void *const *objects, uint32_t count)
{
    struct central *c = &centrals[size_class];
    struct span *empty = NULL; /* chained by after */
    mutex_lock(&c->lock);
    for (uint32_t i = 0; i < count; i++) {
        struct span *span = push(c, objects[i], size_class);
        if (span->list != MOVING_LIST) empty = central_place(c, span, empty);
    }
    start_emptying(c, size_class);
    mutex_unlock(&c->lock);
    if (empty) page_heap_free(empty);
}

uint64_t central_spans(unsigned size_class)
{
    return atomic_load_explicit(&centrals[size_class].spans, memory_order_relaxed);
}

uint64_t central_slots(unsigned size_class)
{
    return atomic_load_explicit(&centrals[size_class].slots, memory_order_relaxed);
}

uint64_t central_pages(unsigned size_class)
{
    return atomic_load_explicit(&centrals[size_class].pages, memory_order_relaxed);
}

uint64_t central_bytes(enum central_bytes which)
{
    uint64_t sum = 0;
    for (unsigned i = 1; i < SIZE_CLASS_COUNT; i++)
        sum += atomic_load_explicit(&centrals[i].bytes[which], memory_order_relaxed);
    return sum;
}

uint64_t central_free_slots(unsigned size_class)
{
    struct central *c = &centrals[size_class];
    uint64_t slots = 0;
    mutex_lock(&c->lock);
    for (unsigned list = 0; list < LIST_COUNT; list++)
        for (const struct span *span = c->lists[list]; span; span = span->after)
            slots += span->free_slots;
    mutex_unlock(&c->lock);
    return slots;
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

static void check_bits(struct span *span)
{
    const uint64_t *bits = span_bits(span);
    uint32_t words = span_words(span->size_class);
    uint32_t set = 0;
    if (!span->has_bits) {
        ASSERT(span->free_slots == span_slots(span) - span->fresh);
        ASSERT(!span->gone);
        return;
    }
    for (uint32_t w = 0; w < words; w++) {
        ASSERT(w >= span->first_word || bits[w] == 0);
        set += (uint32_t)__builtin_popcountll(bits[w]);
    }
    ASSERT(set == span->free_slots);
    ASSERT((span->gone & ~span_free_pages(span)) == 0);
    ASSERT(span->gone_slots == span_slots_on(span, span->gone));
}

/* What all spans of a list come to. */
struct sums {
    uint64_t spans, slots, pages, gone_bytes, loose;
};

static void check_list(struct central *c, unsigned size_class, unsigned list, struct sums *sums)
{
    const struct span *before = NULL;
    for (struct span *span = c->lists[list]; span; span = span->after) {
        ASSERT(span->state == SPAN_SMALL && span->size_class == size_class);
        ASSERT(span->before == before && span->list == list);
        ASSERT(list == MOVING_LIST || central_list_for(span) == list);
        ASSERT(list == MOVING_LIST || span->free_slots < span_slots(span));
        check_bits(span);
        if (list != MOVING_LIST) live_check_span(span); /* its pages are on their way */
        for (uint32_t i = 0; i < span->pages; i++)
            ASSERT(page_map_is_emptying(span->page + i) == span->emptying);
        sums->gone_bytes += central_gone_bytes(span->gone);
        sums->loose += central_loose(span);
        sums->spans++;
        sums->slots += span_slots(span);
        sums->pages += span->pages;
        before = span;
    }
}

void central_check(void)
{
    for (unsigned size_class = 1; size_class < SIZE_CLASS_COUNT; size_class++) {
        struct central *c = &centrals[size_class];
        mutex_lock(&c->lock);
        struct sums sums = {0};
        for (unsigned list = 0; list < LIST_COUNT; list++)
            check_list(c, size_class, list, &sums);
        ASSERT(sums.spans == central_spans(size_class) && sums.loose == c->loose);
        ASSERT(sums.slots == central_slots(size_class));
        ASSERT(sums.pages == central_pages(size_class));
        ASSERT(sums.gone_bytes ==
               atomic_load_explicit(&c->bytes[CENTRAL_RELEASED], memory_order_relaxed));
        mutex_unlock(&c->lock);
    }
}
