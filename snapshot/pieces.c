/* pieces - a list of places, and stretches of it. */
#include "snapshot/pieces.h"

enum { TOGETHER_BYTES_MAX = 512 << 10 }; /* half of what a record of a window usually has */

static const size_t list_bytes_max = UINT64_C(1) << 32;

void pieces_init(struct pieces *p)
{
    *p = (struct pieces){.hands = 0};
    buf_init(&p->items, HEAP_SNAPSHOT, list_bytes_max);
}

void pieces_release(struct pieces *p)
{
    buf_release(&p->items);
}

static struct piece *items(const struct pieces *p)
{
    return (struct piece *)(void *)p->items.data;
}

static uint32_t count(const struct pieces *p)
{
    return (uint32_t)(p->items.size / sizeof(struct piece));
}

bool pieces_add(struct pieces *p, uint64_t start, uint64_t end)
{
    struct piece *last = count(p) ? &items(p)[count(p) - 1] : NULL;
    if (last && last->end == start && end - last->start <= TOGETHER_BYTES_MAX) {
        last->end = end;
        return true;
    }
    const struct piece next = {.start = start, .end = end};
    buf_append(&p->items, &next, sizeof(next));
    return !p->items.refused;
}

void pieces_divide(struct pieces *p, uint32_t hands)
{
    p->hands = hands;
    for (uint32_t h = 0; h < hands; h++) {
        p->stretches[h].next = (uint32_t)((uint64_t)count(p) * h / hands);
        p->stretches[h].end = (uint32_t)((uint64_t)count(p) * (h + 1) / hands);
    }
}

static uint32_t left(const struct pieces *p, uint32_t hand)
{
    return p->stretches[hand].end - p->stretches[hand].next;
}

bool pieces_take(struct pieces *p, uint32_t hand, struct piece *out)
{
    uint32_t from = hand;
    for (uint32_t h = 0; left(p, hand) == 0 && h < p->hands; h++)
        if (left(p, h) > left(p, from)) from = h;
    if (left(p, from) == 0) return false;
    *out = items(p)[from == hand ? p->stretches[from].next++ : --p->stretches[from].end];
    return true;
}
