/*
 * seal - the end of a window: open chunks are copied into its region, as short as they are.
 *
 * Chunks are sealed in batches, their chains of cells copied in lock step (alloc/cells.h). A chunk
 * with late samples, or over a sealed one, is merged into one stream first. What has no room stays
 * open, and works.
 *
 * Threads: the shard's write lock is held.
 */
#ifndef HEARTH_STORAGE_SEAL_H
#define HEARTH_STORAGE_SEAL_H

#include "alloc/cells.h"
#include "storage/shard.h"

enum { SEAL_BATCH = CELLS_COPIES_MAX };

/* An open chunk; of a slot whose window is the shard's in that slot. */
struct seal_item {
    struct series *series;
    uint32_t slot;
};

/* Seal count (<= SEAL_BATCH) chunks; returns how many there was no memory for. */
uint32_t seal_chunks(struct shard *sh, const struct seal_item *items, uint32_t count,
                     struct arena *scratch);

/* Put a sealed chunk of these bytes into an empty slot of this window, which the shard has entered.
 * false at the limit. */
MUST_USE bool seal_image(struct shard *sh, struct series *s, const struct chunk_image *image);

/* Copy a sealed chunk out of a region that is being left; false at the limit. */
MUST_USE bool seal_move(struct shard *sh, struct series *s, uint32_t slot);

#endif
