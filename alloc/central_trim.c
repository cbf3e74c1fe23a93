/* central_trim - giving back the system pages that lie free inside spans. */
#include "alloc/central_lists.h"
#include "alloc/limit.h"
#include "alloc/page_heap.h"
#include "alloc/page_map.h"

enum { EXAMINED_MAX = 64 /* spans, without letting others have the lock */ };

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
    if (span->trimmed || (uint8_t)(central_now() - span->touched) < age) return 0;
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
            central_unlink(c, span);
            central_link(c, span, MOVING_LIST);
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
    limit_uncharge(central_gone_bytes(went));
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
    if (!c->hand && c->hand_list == 0) c->hand_list = SERVED_LISTS;
    while (gone < bytes && (span = detach_due(c, age, &pages))) {
        mutex_unlock(&c->lock);
        uint32_t went = release_pages(span, pages, lazily);
        mutex_lock(&c->lock);
        gone += central_gone_bytes(went);
        central_add(&c->bytes[CENTRAL_TRIMMED], central_gone_bytes(went));
        central_set_gone(c, span, span->gone | went);
        empty = central_place(c, span, empty);
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
