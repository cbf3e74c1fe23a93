/* columns - two arrays that grow together, doubling. */
#include "storage/columns.h"

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
