/*
 * sweep - one step of the walk over all series that drops what expired and seals what closed.
 *
 *     places of a shard --look--> changes --apply--> words
 *
 *     look:  in the epoch, without a lock
 *     apply: under the shard's lock
 *
 * All that takes time is done while looking: chunks are read, encoded, compared and put into their
 * region. Under the lock words are exchanged, if the chunk is still what was read. One that got a
 * sample meanwhile stays open, for the next sweep. A hold of the lock is ended after the change
 * that makes it SWEEP_HOLD_NS.
 *
 * Threads: one sweep at a time.
 */
#ifndef HEARTH_STORAGE_SWEEP_H
#define HEARTH_STORAGE_SWEEP_H

#include "storage/state.h"

enum { SWEEP_HOLD_NS = 30000 };

/* Begin with the first shard, going by these bounds. */
void sweep_start(struct storage *db, const struct storage_bounds *bounds);

/* One step; behind the last shard the sweep is not `running` any more. */
void sweep_step(struct storage *db);

#endif
