/* cells - indices to addresses and back; the pool itself is the 128-byte class of the heap. */
#include "alloc/cells.h"

#include <stddef.h>

#include "alloc/heap.h"
#include "alloc/page_map.h"

_Static_assert(sizeof(struct cell) == CELL_BYTES, "a cell fills its class");

uint32_t cells_alloc(void)
{
    struct cell *cell = heap_alloc(CELL_BYTES, HEAP_CHUNKS);
    if (!cell) return CELL_NONE;
    atomic_store_explicit(&cell->next, CELL_NONE, memory_order_relaxed);
    /* Spans start at pages and the class is CELL_BYTES exactly: nothing is lost in the division. */
    return (uint32_t)(page_map_offset(cell) / CELL_BYTES);
}

struct cell *cells_at(uint32_t index)
{
    return (struct cell *)(void *)(page_map.base + (size_t)index * CELL_BYTES);
}

uint32_t cells_free_chain(uint32_t index)
{
    uint32_t count = 0;
    while (index != CELL_NONE) {
        struct cell *cell = cells_at(index);
        index = atomic_load_explicit(&cell->next, memory_order_relaxed);
        heap_free(cell, CELL_BYTES, HEAP_CHUNKS);
        count++;
    }
    return count;
}
