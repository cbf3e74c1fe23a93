/* cells - indices to addresses and back; the pool itself is a class of the heap. */
#include "alloc/cells.h"

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "alloc/heap.h"
#include "alloc/page_map.h"
#include "base/assert.h"

enum { CELL_WORDS = CELL_PAYLOAD_BYTES / 4 };

_Static_assert(sizeof(struct cell) == CELL_BYTES, "a cell fills its class");

uint32_t cells_alloc(void)
{
    struct cell *cell = heap_alloc_cell(HEAP_CHUNKS);
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
        heap_free_cell(cell, HEAP_CHUNKS);
        count++;
    }
    return count;
}

static uint32_t next_of(const struct cell *cell)
{
    return atomic_load_explicit(&cell->next, memory_order_acquire);
}

/* Words that everybody has seen written, two at a time. */
static void copy_settled(uint8_t *out, const _Atomic uint32_t *words, uint32_t count)
{
    const uint8_t *from = (const uint8_t *)words;
    uint32_t i = 0;
    for (; i + 2 <= count; i += 2) {
        uint64_t pair;
        memcpy(&pair, from + (size_t)i * 4, sizeof(pair));
        pair = htobe64(pair << 32 | pair >> 32);
        memcpy(out + (size_t)i * 4, &pair, sizeof(pair));
    }
}

static void copy_word(uint8_t *out, const _Atomic uint32_t *from)
{
    uint32_t word = htobe32(atomic_load_explicit(from, memory_order_relaxed));
    memcpy(out, &word, sizeof(word));
}

/* One cell's worth of a chain; moves the copy on. Only the last word of all may still be written
 * to: it holds bits of samples that are not published yet. */
static void copy_cell(struct cells_copy *copy, const struct cell *cell)
{
    if (copy->bytes > CELL_PAYLOAD_BYTES) {
        copy_settled(copy->out, cell->words, CELL_WORDS - 1);
        copy_word(copy->out + CELL_PAYLOAD_BYTES - 4, &cell->words[CELL_WORDS - 1]);
        copy->out += CELL_PAYLOAD_BYTES;
        copy->bytes -= CELL_PAYLOAD_BYTES;
        return;
    }
    uint32_t words = (copy->bytes + 3) / 4;
    for (uint32_t i = 0; i < words; i++)
        copy_word(copy->out + (size_t)i * 4, &cell->words[i]);
    copy->bytes = 0;
}

/* A cell is two cache lines. */
static void fetch_cell(const struct cell *cell)
{
    __builtin_prefetch(cell);
    __builtin_prefetch((const char *)cell + CELL_BYTES / 2);
}

static void fetch_room(const struct cells_copy *copy)
{
    __builtin_prefetch(copy->out, 1);
    __builtin_prefetch(copy->out + CELL_BYTES / 2, 1);
}

/* Get ready to copy from the cell that copy->cell names. false: there is nothing to be copied any
 * more, or nothing but zeros, which have been written. */
static bool fetch(const struct cells_copy *copy)
{
    if (copy->bytes == 0) return false;
    if (copy->cell == CELL_NONE) {
        memset(copy->out, 0, (copy->bytes + 3) & ~3u);
        return false;
    }
    fetch_room(copy);
    fetch_cell(cells_at(copy->cell));
    return true;
}

uint32_t cells_gather_some(struct cells_copy *copies, uint32_t count, uint32_t cells)
{
    uint32_t left = 0;
    DEBUG_ASSERT(count <= CELLS_COPIES_MAX && cells > 0);
    for (uint32_t i = 0; i < count; i++) {
        if (fetch(&copies[i])) copies[left++] = copies[i];
    }
    for (; left && cells; cells--) {
        uint32_t kept = 0;
        for (uint32_t i = 0; i < left; i++) {
            const struct cell *cell = cells_at(copies[i].cell);
            copy_cell(&copies[i], cell);
            copies[i].cell = next_of(cell);
            if (fetch(&copies[i])) copies[kept++] = copies[i];
        }
        left = kept;
    }
    return left;
}

void cells_gather(struct cells_copy *copies, uint32_t count)
{
    while (count)
        count = cells_gather_some(copies, count, UINT32_MAX);
}
