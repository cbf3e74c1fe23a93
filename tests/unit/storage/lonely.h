/* lonely: neighbours of an object on the heap, that leave it alone in a span which shall become
 * empty. */
#ifndef HEARTH_TESTS_UNIT_STORAGE_LONELY_H
#define HEARTH_TESTS_UNIT_STORAGE_LONELY_H

#include "alloc/heap.h"
#include "tests/unit/suite.h"

enum { LONELY_NEIGHBOURS = 1024, LONELY_SPAN_BYTES = 64 << 10 };

struct lonely {
    void *neighbours[LONELY_NEIGHBOURS];
    size_t count;
    size_t size; /* of each */
};

/* Half of them: before the object is made, and after it. */
static inline void lonely_surround(struct lonely *l)
{
    for (size_t i = 0; i < LONELY_NEIGHBOURS / 2; i++) {
        l->neighbours[l->count] = heap_alloc(l->size, HEAP_INDEX);
        ck_assert_ptr_nonnull(l->neighbours[l->count++]);
    }
}

static inline void lonely_free(struct lonely *l, size_t i)
{
    heap_free(l->neighbours[i], l->size, HEAP_INDEX);
    l->neighbours[i] = NULL;
}

/* All near it go, and a quarter of the others. */
static inline void lonely_leave(struct lonely *l, const void *object)
{
    for (size_t i = 0; i < l->count; i++) {
        ptrdiff_t away = (const char *)l->neighbours[i] - (const char *)object;
        if ((away < LONELY_SPAN_BYTES && away > -LONELY_SPAN_BYTES) || i % 4 == 0)
            lonely_free(l, i);
    }
    heap_flush_thread();
    ck_assert(heap_is_emptying(object));
}

static inline void lonely_end(struct lonely *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->neighbours[i]) lonely_free(l, i);
}

#endif
