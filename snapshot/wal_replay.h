/*
 * wal_replay - segments back into storage.
 *
 *     segment -> records -> batches (snapshot/replay_ring.h) -> storage
 *
 * Storage must have no journal. Replaying is idempotent: what is there already is a duplicate.
 * Damage is logged where it is met, with file and offset, and counted; it ends nothing.
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_SNAPSHOT_WAL_REPLAY_H
#define HEARTH_SNAPSHOT_WAL_REPLAY_H

#include "snapshot/data_folder.h"
#include "snapshot/replay_ring.h"

struct wal_replay {
    const struct data_folder *folder;
    struct replay_ring *ring;
    const struct file *file; /* that is being read */
    bool cut_tail;
    _Atomic uint64_t *bytes_done; /* added to as segments are read; may be NULL */
    uint64_t offset;              /* of the segment, told in bytes_done */
    uint64_t looked_offset;       /* at which the clock was looked at last */
    int64_t told_ns;              /* when the log was told how far it is */
    uint64_t next_sequence;       /* one more than the highest seen; 0: none seen */
    struct replay_totals totals;
};

/* alone: nothing else happens to storage, maintenance included, until the replay is released. At
 * most so many threads are used (0: as 1). ERR_NO_MEMORY, and nothing to be released. */
MUST_USE enum status wal_replay_init(struct wal_replay *r, const struct data_folder *folder,
                                     struct storage *db, bool alone, uint32_t threads,
                                     struct error *err);
void wal_replay_release(struct wal_replay *r);

/* Replay one segment. cut_tail: it is the newest, so a damaged end is a torn write and cut off.
 *
 * OK                also after damage, and for a segment of another folder
 * ERR_NO_MEMORY     storage or we are at the memory limit
 * ERR_UNSUPPORTED   the segment has another format version */
MUST_USE enum status wal_replay_segment(struct wal_replay *r, uint64_t number, bool cut_tail,
                                        struct error *err);

#endif
