/* cells - indices to addresses and back; the pool itself is the 128-byte class of the heap. */
#include "alloc/cells.h"

#include <endian.h>
#include <stddef.h>
#include <string.h>

#include "alloc/heap.h"
#include "alloc/page_map.h"
#include "base/assert.h"

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

static const struct cell *next_of(const struct cell *cell)
{
    return cells_at(atomic_load_explicit(&cell->next, memory_order_relaxed));
}

/* One cell's worth of a chain; moves the copy on. */
static void copy_cell(struct cells_copy *copy, const struct cell *cell)
{
    uint32_t bytes = copy->bytes < CELL_PAYLOAD_BYTES ? copy->bytes : CELL_PAYLOAD_BYTES;
    uint32_t words = (bytes + 3) / 4;
    for (uint32_t i = 0; i < words; i++) {
        uint32_t word = htobe32(atomic_load_explicit(&cell->words[i], memory_order_relaxed));
        memcpy(copy->out + (size_t)i * 4, &word, sizeof(word));
    }
    copy->out += (size_t)words * 4;
    copy->bytes -= bytes;
}

/* A cell is two cache lines. */
static void fetch_cell(const struct cell *cell)
{
    __builtin_prefetch(cell);
    __builtin_prefetch((const char *)cell + CELL_BYTES / 2);
}

void cells_gather(struct cells_copy *copies, uint32_t count)
{
    const struct cell *at[CELLS_COPIES_MAX];
    uint32_t left = 0;
    DEBUG_ASSERT(count <= CELLS_COPIES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (copies[i].bytes == 0) continue;
        copies[left] = copies[i];
        at[left] = cells_at(copies[i].cell);
        fetch_cell(at[left++]);
    }
    while (left) {
        uint32_t kept = 0;
        for (uint32_t i = 0; i < left; i++) {
            copy_cell(&copies[i], at[i]);
            if (copies[i].bytes == 0) continue;
            copies[kept] = copies[i];
            at[kept] = next_of(at[i]);
            fetch_cell(at[kept++]);
        }
        left = kept;
    }
}
