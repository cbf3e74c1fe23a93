/* columns - two arrays that grow together, doubling. */
#include "storage/columns.h"

#include <string.h>

enum { COLUMNS_FIRST = 256 };

bool columns_reserve(struct columns *c, size_t more)
{
    size_t needed;
    if (__builtin_add_overflow(c->count, more, &needed)) return false;
    if (needed <= c->capacity) return true;
    size_t capacity = c->capacity ? c->capacity * 2 : COLUMNS_FIRST;
    if (capacity < needed) capacity = needed;
    int64_t *t_ms = arena_alloc_array(c->arena, capacity, sizeof(*t_ms));
    double *v = t_ms ? arena_alloc_array(c->arena, capacity, sizeof(*v)) : NULL;
    if (!v) return false;
    if (c->count) {
        memcpy(t_ms, c->t_ms, c->count * sizeof(*t_ms));
        memcpy(v, c->v, c->count * sizeof(*v));
    }
    c->t_ms = t_ms;
    c->v = v;
    c->capacity = capacity;
    return true;
}

size_t columns_lower_bound(const int64_t *times_ms, size_t from, size_t count, int64_t t_ms)
{
    size_t end = count;
    while (from < end) {
        size_t middle = from + (end - from) / 2;
        if (times_ms[middle] < t_ms)
            from = middle + 1;
        else
            end = middle;
    }
    return from;
}

void columns_keep(struct columns *c, size_t first, int64_t t_min_ms, int64_t t_max_ms)
{
    size_t from = columns_lower_bound(c->t_ms, first, c->count, t_min_ms);
    if (t_max_ms < INT64_MAX) c->count = columns_lower_bound(c->t_ms, from, c->count, t_max_ms + 1);
    if (from == first) return;
    memmove(c->t_ms + first, c->t_ms + from, (c->count - from) * sizeof(*c->t_ms));
    memmove(c->v + first, c->v + from, (c->count - from) * sizeof(*c->v));
    c->count -= from - first;
}

bool columns_find(const struct columns *c, int64_t t_ms, size_t *at)
{
    *at = columns_lower_bound(c->t_ms, 0, c->count, t_ms);
    return *at < c->count && c->t_ms[*at] == t_ms;
}
