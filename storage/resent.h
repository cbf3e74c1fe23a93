/*
 * resent - samples that come again, which their chunks may have already.
 *
 * A sender that is not sure of an answer sends the same once more, sometimes hours of it. To know
 * an old sample its chunk has to be decoded, so that is done for several chunks at once
 * (storage/chunk_batch.h), and before their shard is locked: what is in a stream stays in it.
 *
 * Threads: any, inside the epoch the chunks were found in.
 */
#ifndef HEARTH_STORAGE_RESENT_H
#define HEARTH_STORAGE_RESENT_H

#include "storage/chunk.h"

struct resent {
    const struct chunk *chunk;
    const struct sample *samples; /* [count], in any order */
    uint32_t count;
    uint32_t duplicates; /* set: how many from the first on are in the stream with these bits */
};

/* Count them. Scratch comes from the arena, rewound before return; where it refuses, nothing is
 * found. */
void resent_find(struct resent *items, size_t count, struct arena *scratch);

#endif
