/*
 * vec - a growing array of one type on an arena.
 *
 *     struct numbers VEC_OF(double);
 *     struct numbers n = {0};
 *     double *slot = VEC_PUSH(&n, arena);     NULL when the arena refuses
 *     if (!slot) return arena_error(arena, err);
 *     *slot = 1.5;
 *
 * Items move when it grows; do not keep pointers to them across a push. They are the arena's, and
 * go with it.
 *
 * Threads: one at a time, as for the arena.
 */
#ifndef HEARTH_ALLOC_VEC_H
#define HEARTH_ALLOC_VEC_H

#include <stdbool.h>
#include <stddef.h>

#include "alloc/arena.h"

#define VEC_OF(type)                                                                               \
    {                                                                                              \
        type *items; /* NOLINT(bugprone-macro-parentheses): a type takes none */                   \
        size_t count;                                                                              \
        size_t capacity;                                                                           \
    }

/* Make room for one more in a full vector. items_field is the address of the vector's items, which
 * move; false, and everything as it was, when the arena refuses. Used through VEC_PUSH. */
MUST_USE bool vec_grow(struct arena *a, void *items_field, size_t *capacity, size_t item_bytes);

/* A new item at the end, undefined; NULL when the arena refuses (the vector is unchanged). */
#define VEC_PUSH(vec, arena)                                                                       \
    (((vec)->count < (vec)->capacity ||                                                            \
      vec_grow((arena), &(vec)->items, &(vec)->capacity, sizeof((vec)->items[0])))                 \
         ? &(vec)->items[(vec)->count++]                                                           \
         : NULL)

#if HEARTH_DEBUG && !defined(PLACE_OF_CALLER)
#    define vec_grow(a, items, capacity, item_bytes)                                               \
        (HEAP_PLACE(), vec_grow(a, items, capacity, item_bytes))
#endif

#endif
