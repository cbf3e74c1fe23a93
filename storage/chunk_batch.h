/*
 * chunk_batch - the streams of several chunks, read at once.
 *
 * Their cells are fetched in turn (alloc/cells.h) and their samples decoded in lock step
 * (encoding/open_lanes.h), which takes a third of the time where samples differ.
 *
 * Threads: as readers of a chunk.
 */
#ifndef HEARTH_STORAGE_CHUNK_BATCH_H
#define HEARTH_STORAGE_CHUNK_BATCH_H

#include "storage/chunk.h"

enum { CHUNK_BATCH_MAX = CELLS_COPIES_MAX };

struct chunk_batch_item {
    const struct chunk *chunk;  /* of its stream alone: a base and a late run are not read */
    struct chunk_extent extent; /* so much of it */
    struct columns *columns;    /* of this chunk alone */
};

/* Append the samples with t_min_ms <= t <= t_max_ms of each chunk to its columns, as chunk_read.
 * Scratch comes from the arena, rewound before return; columns may lie on it, too.
 * ERR_NO_MEMORY, ERR_TOO_LARGE: an arena. ERR_CORRUPT: the stream of item *failed does not decode.
 */
MUST_USE enum status chunk_batch_read(const struct chunk_batch_item *items, size_t count,
                                      int64_t t_min_ms, int64_t t_max_ms, struct arena *scratch,
                                      size_t *failed, struct error *err);

#endif
