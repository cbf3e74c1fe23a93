/*
 * cells - the shared pool of 128-byte cells that open chunks are made of.
 *
 *     | 124 bytes of payload | next: uint32 |      one cell, two whole cache lines
 *
 * A cell is named by a 32-bit index (its offset in the heap's address range / 128: 512 GiB of
 * reach), so a chain costs four bytes a link. Cells come from heap_alloc_cell, tagged HEAP_CHUNKS:
 * no growth copies, no growth slack, no holes of odd sizes (docs/architecture.md, A chunk).
 *
 * Threads: all functions from any thread. Contents are the owner's business; `next` is atomic, so
 * that a reader may walk a chain while its only writer links one more cell.
 */
#ifndef HEARTH_ALLOC_CELLS_H
#define HEARTH_ALLOC_CELLS_H

#include <stdatomic.h>
#include <stdint.h>

#include "alloc/heap.h"
#include "base/compiler.h"

enum { CELL_BYTES = HEAP_CELL_BYTES, CELL_PAYLOAD_BYTES = 124, CELL_NONE = 0 };

struct cell {
    _Atomic uint32_t words[CELL_PAYLOAD_BYTES / 4]; /* the payload, 31 words */
    _Atomic uint32_t next;                          /* index of the next cell, or CELL_NONE */
};

/* A new cell, payload undefined, next = CELL_NONE. Returns its index, CELL_NONE at the limit. */
MUST_USE uint32_t cells_alloc(void);

/* The cell behind an index from cells_alloc; valid until freed. */
struct cell *cells_at(uint32_t index);

/* Give back the whole chain that starts at index (CELL_NONE: nothing); returns how many cells. */
uint32_t cells_free_chain(uint32_t index);

/* Where the words of a chain go. */
struct cells_copy {
    uint32_t cell;  /* the first of the chain, or CELL_NONE */
    uint32_t bytes; /* of the payload that are wanted; behind the end of the chain are zeros */
    uint8_t *out;   /* [bytes], rounded up to whole words */
};
enum { CELLS_COPIES_MAX = 16 };

/* Copy the payloads of up to CELLS_COPIES_MAX chains, each word with its most significant byte
 * first, in lock step: while one cell is copied, those of the other chains are on their way from
 * memory. A chain may grow meanwhile: words behind those that were published, and more cells,
 * linked with release when they have been zeroed. The copies are used up. */
void cells_gather(struct cells_copy *copies, uint32_t count);

/* The same, but no more than so many cells of each chain (> 0): the latter part of a long chain is
 * a cache miss per cell. Returns how many copies are left, to go on with. */
MUST_USE uint32_t cells_gather_some(struct cells_copy *copies, uint32_t count, uint32_t cells);

#endif
