/*
 * pieces - the parts of a file that several hands take, each from a stretch of its own.
 *
 *     | piece | piece | piece | piece | piece | piece |
 *       hand 0 ->                       hand 1 ->
 *
 * Chunks of a window file stand shard by shard. Hands that take neighbouring pieces meet at the
 * same shard's lock nearly always; hands that are half a file apart hardly ever do. Whose stretch
 * is done helps in the longest one that is left.
 *
 * Threads: under the caller's lock.
 */
#ifndef HEARTH_SNAPSHOT_PIECES_H
#define HEARTH_SNAPSHOT_PIECES_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/buf.h"
#include "base/parallel.h"

struct piece {
    uint64_t start; /* offsets in the file */
    uint64_t end;
};

struct pieces {
    struct buf items; /* struct piece, in order */
    uint32_t hands;
    struct {
        uint32_t next, end;
    } stretches[PARALLEL_THREADS_MAX]; /* of each hand, in items */
};

void pieces_init(struct pieces *p);
void pieces_release(struct pieces *p);

/* Another one, behind the last. A short one becomes part of that, so the list is never long. false
 * at the memory limit. */
MUST_USE bool pieces_add(struct pieces *p, uint64_t start, uint64_t end);
/* All are there: divide them among so many hands. */
void pieces_divide(struct pieces *p, uint32_t hands);
/* The next one for this hand; false when none is left for anybody. */
bool pieces_take(struct pieces *p, uint32_t hand, struct piece *out);

#endif
