/* central - lists of spans by fullness, and the moving of objects in and out of their bits. */
#include "alloc/central.h"

#include <stdatomic.h>
#include <stddef.h>

#include "alloc/limit.h"
#include "alloc/live.h"
#include "alloc/os.h"
#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "alloc/poison.h"
#include "base/assert.h"
#include "base/lock.h"

enum {
    PARTIAL_LISTS = 4,         /* 0: least free ... 3: most free */
    FULL_LIST = PARTIAL_LISTS, /* no free slot */
    GONE_LIST,                 /* free slots on pages that are gone only */
    MOVING_LIST,               /* madvise under way: no slot leaves it */
    LIST_COUNT,
    EXAMINED_MAX = 64 /* spans, without letting others have the lock */
};

struct central {
    CACHE_ALIGNED struct mutex lock; /* classes do not share cache lines */
    struct span *lists[LIST_COUNT];  /* doubly linked, any order */
    struct span *hand;               /* next one to trim; moves on when that leaves its list */
    unsigned hand_list;              /* lists from here on are done; 0 and no hand: start anew */
    _Atomic uint64_t spans;          /* in all lists; written under the lock, as the others */
    _Atomic uint64_t bytes[CENTRAL_BYTES_COUNT];
};

static struct central centrals[SIZE_CLASS_COUNT];
static _Atomic uint8_t tick;

void central_init(void)
{
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++)
        mutex_init(&centrals[i].lock, LOCK_CENTRAL);
}

static unsigned list_for(const struct span *span)
{
    uint32_t quarter = size_classes[span->size_class].quarter;
    if (span->free_slots == 0) return FULL_LIST;
    if (span->gone && span->free_slots == span->gone_slots) return GONE_LIST;
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
    if (c->hand == span) c->hand = span->after;
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

static void add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static uint64_t gone_bytes(uint32_t pages)
{
    return (uint64_t)__builtin_popcount(pages) * OS_PAGE_BYTES;
}

static void set_gone(struct central *c, struct span *span, uint32_t pages)
{
    add(&c->bytes[CENTRAL_RELEASED], gone_bytes(pages) - gone_bytes(span->gone));
    span->gone = pages;
    span->gone_slots = (uint16_t)span_slots_on(span, pages);
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
    span->touched = atomic_load_explicit(&tick, memory_order_relaxed);
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
    if (!limit_charge(gone_bytes(pages))) return false;
    add(&c->bytes[CENTRAL_RETAKEN], gone_bytes(pages));
    set_gone(c, span, span->gone & ~pages);
    live_refill(span, pages);
    return true;
}

static uint32_t take_gone(struct central *c, void **out, uint32_t wanted)
{
    uint32_t got = 0;
    bool charged = true;
    struct span *span;
    while (got < wanted && charged && (span = c->lists[GONE_LIST])) {
        while (got < wanted && span->gone_slots && (charged = retake(c, span)))
            got += pull(span, out + got, wanted - got);
        relink_span(c, span);
    }
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
    return got ? got : take_gone(c, out, wanted);
}

/* A new span with all slots free, in no list. */
static struct span *create_span(unsigned size_class)
{
    const struct size_class *k = &size_classes[size_class];
    struct span *span = page_heap_alloc(k->pages, size_class);
    if (!span) return NULL;
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
    add(&c->spans, 1);
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
    if (!span->has_bits) span_start_bits(span);
    uint64_t *word = &span_bits(span)[w];
    ASSERT(!(*word & bit)); /* freed twice */
    *word |= bit;
    if (w < span->first_word) span->first_word = (uint8_t)w;
    span->free_slots++;
    span->touched = atomic_load_explicit(&tick, memory_order_relaxed);
    span->trimmed = false;
    return span;
}

/* Back where it belongs now; an empty one is out, and the new head of the chain. */
static struct span *place(struct central *c, struct span *span, struct span *empty)
{
    if (span->free_slots < size_classes[span->size_class].slots) {
        relink_span(c, span);
        return empty;
    }
    unlink_span(c, span);
    add(&c->spans, UINT64_MAX);
    add(&c->bytes[CENTRAL_RELEASED], -gone_bytes(span->gone));
    span->after = empty;
    return span;
}

void central_give(unsigned size_class, void *const *objects, uint32_t count)
{
    struct central *c = &centrals[size_class];
    struct span *empty = NULL; /* chained by after */
    mutex_lock(&c->lock);
    for (uint32_t i = 0; i < count; i++) {
        struct span *span = push(objects[i], size_class);
        if (span->list != MOVING_LIST) empty = place(c, span, empty);
    }
    mutex_unlock(&c->lock);
    if (empty) page_heap_free(empty);
}

uint64_t central_spans(unsigned size_class)
{
    return atomic_load_explicit(&centrals[size_class].spans, memory_order_relaxed);
}

void central_tick(uint8_t now)
{
    atomic_store_explicit(&tick, now, memory_order_relaxed);
}

/* The next one in turn, the emptiest lists first; NULL after the last. */
static struct span *turn_hand(struct central *c)
{
    while (!c->hand && c->hand_list > 0)
        c->hand = c->lists[--c->hand_list];
    struct span *span = c->hand;
    if (span) c->hand = span->after;
    return span;
}

/* The pages of the span that may go; 0 when it was touched too lately. */
static uint32_t due_pages(struct span *span, uint8_t age)
{
    uint8_t now = atomic_load_explicit(&tick, memory_order_relaxed);
    if (span->trimmed || (uint8_t)(now - span->touched) < age) return 0;
    span->trimmed = true;
    if (!span->has_bits) span_start_bits(span);
    return span_free_pages(span) & ~span->gone;
}

/* Turn the hand to the next span with something to give, and move that out of reach. Lets go of the
 * lock now and then. */
static struct span *detach_due(struct central *c, uint8_t age, uint32_t *pages)
{
    struct span *span;
    for (int i = 1; (span = turn_hand(c)); i++) {
        *pages = due_pages(span, age);
        if (*pages) {
            unlink_span(c, span);
            link_span(c, span, MOVING_LIST);
            return span;
        }
        if (i % EXAMINED_MAX) continue;
        mutex_unlock(&c->lock);
        mutex_lock(&c->lock);
    }
    return NULL;
}

/* Returns the pages that really went. */
static uint32_t release_pages(const struct span *span, uint32_t pages, bool lazily)
{
    uint8_t *base = page_map_address(span->page);
    uint32_t went = 0;
    while (pages) {
        uint32_t first = (uint32_t)__builtin_ctz(pages);
        uint32_t rest = ~(pages >> first);
        uint32_t count = rest ? (uint32_t)__builtin_ctz(rest) : 32;
        uint32_t run = (UINT32_MAX >> (32 - count)) << first;
        if ((lazily ? os_release_lazily : os_release)(base + (size_t)first * OS_PAGE_BYTES,
                                                      (size_t)count * OS_PAGE_BYTES))
            went |= run;
        pages &= ~run;
    }
    limit_uncharge(gone_bytes(went));
    return went;
}

uint64_t central_trim(unsigned size_class, uint8_t age, uint64_t bytes, bool lazily)
{
    struct central *c = &centrals[size_class];
    struct span *empty = NULL; /* chained by after */
    uint64_t gone = 0;
    uint32_t pages;
    struct span *span;
    mutex_lock(&c->lock);
    if (!c->hand && c->hand_list == 0) c->hand_list = PARTIAL_LISTS;
    while (gone < bytes && (span = detach_due(c, age, &pages))) {
        mutex_unlock(&c->lock);
        uint32_t went = release_pages(span, pages, lazily);
        mutex_lock(&c->lock);
        gone += gone_bytes(went);
        add(&c->bytes[CENTRAL_TRIMMED], gone_bytes(went));
        set_gone(c, span, span->gone | went);
        empty = place(c, span, empty);
    }
    mutex_unlock(&c->lock);
    if (empty) page_heap_free(empty);
    return gone;
}

void central_rewind(unsigned size_class)
{
    struct central *c = &centrals[size_class];
    mutex_lock(&c->lock);
    c->hand = NULL;
    c->hand_list = 0;
    mutex_unlock(&c->lock);
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
        ASSERT(span->free_slots == size_classes[span->size_class].slots - span->fresh);
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

static uint64_t check_list(struct central *c, unsigned size_class, unsigned list, uint64_t *gone)
{
    uint64_t count = 0;
    const struct span *before = NULL;
    for (struct span *span = c->lists[list]; span; span = span->after) {
        ASSERT(span->state == SPAN_SMALL && span->size_class == size_class);
        ASSERT(span->before == before && span->list == list);
        ASSERT(list == MOVING_LIST || list_for(span) == list);
        ASSERT(list == MOVING_LIST || span->free_slots < size_classes[size_class].slots);
        check_bits(span);
        if (list != MOVING_LIST) live_check_span(span); /* its pages are on their way */
        *gone += gone_bytes(span->gone);
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
        uint64_t gone = 0;
        for (unsigned list = 0; list < LIST_COUNT; list++)
            count += check_list(c, size_class, list, &gone);
        ASSERT(count == central_spans(size_class));
        ASSERT(gone == atomic_load_explicit(&c->bytes[CENTRAL_RELEASED], memory_order_relaxed));
        mutex_unlock(&c->lock);
    }
}
