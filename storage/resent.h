/*
 * resent - samples older than the end of their chunk, which may have them already.
 *
 * A sender that is not sure of an answer sends the same once more, sometimes hours of it, and some
 * send what is late. To know an old sample its chunk has to be decoded, so that is done once for
 * all samples of a chunk and for several chunks at once (storage/chunk_batch.h), and before their
 * shard is locked: what is in a stream stays in it.
 *
 * Threads: any, inside the epoch the chunks were found in.
 */
#ifndef HEARTH_STORAGE_RESENT_H
#define HEARTH_STORAGE_RESENT_H

#include "storage/chunk.h"

enum { RESENT_SAMPLES_MAX = 32 };

/* What a stream says of samples, a bit of each: their times are in it, with the same or with other
 * bits, or they are not and never will be, since it goes on at its end. A sample that is later than
 * that has none. */
struct resent_known {
    uint32_t same;
    uint32_t other;
    uint32_t absent;
};

struct resent {
    const struct chunk *chunk;    /* with a stream */
    const struct sample *samples; /* [count], in any order */
    uint32_t count;               /* at most RESENT_SAMPLES_MAX */
    struct resent_known known;    /* set */
};

/* Look for them. Scratch comes from the arena, rewound before return; where it refuses, nothing is
 * known. */
void resent_find(struct resent *items, size_t count, struct arena *scratch);

#endif
