/* central_lists - linking, and which list it is. */
#include "alloc/central_lists.h"

_Static_assert(1 << PARTIAL_LISTS == SIZE_CLASS_SLOTS_MAX, "every partial span has a list");

struct central centrals[SIZE_CLASS_COUNT];
static _Atomic uint8_t tick;

void central_tick(uint8_t now)
{
    atomic_store_explicit(&tick, now, memory_order_relaxed);
}

uint8_t central_now(void)
{
    return atomic_load_explicit(&tick, memory_order_relaxed);
}

unsigned central_list_for(const struct span *span)
{
    if (span->free_slots == 0) return FULL_LIST;
    if (span->gone && span->free_slots == span->gone_slots) return GONE_LIST;
    unsigned log = 31 - (unsigned)__builtin_clz(span->free_slots);
    return span->emptying ? EMPTYING_LISTS + log : log;
}

void central_link(struct central *c, struct span *span, unsigned list)
{
    span->list = (uint8_t)list;
    span->before = NULL;
    span->after = c->lists[list];
    if (span->after) span->after->before = span;
    c->lists[list] = span;
}

void central_unlink(struct central *c, struct span *span)
{
    if (c->hand == span) c->hand = span->after;
    if (span->before)
        span->before->after = span->after;
    else
        c->lists[span->list] = span->after;
    if (span->after) span->after->before = span->before;
}

void central_relink(struct central *c, struct span *span)
{
    unsigned list = central_list_for(span);
    if (list == span->list) return;
    central_unlink(c, span);
    central_link(c, span, list);
}

struct span *central_place(struct central *c, struct span *span, struct span *empty)
{
    if (span->free_slots < span_slots(span)) {
        central_relink(c, span);
        return empty;
    }
    central_unlink(c, span);
    c->loose -= central_loose(span);
    span->emptying = false;
    central_count(c, span, UINT64_MAX);
    central_add(&c->bytes[CENTRAL_RELEASED], -central_gone_bytes(span->gone));
    span->after = empty;
    return span;
}

void central_set_gone(struct central *c, struct span *span, uint32_t pages)
{
    central_add(&c->bytes[CENTRAL_RELEASED],
                central_gone_bytes(pages) - central_gone_bytes(span->gone));
    c->loose -= central_loose(span);
    span->gone = pages;
    span->gone_slots = (uint16_t)span_slots_on(span, pages);
    c->loose += central_loose(span);
}
