/*
 * wal_replay - segments back into storage, through the normal appender.
 *
 *     segment -> records -> batch -> labels of its ids -> appender -> storage
 *
 * Storage must have no journal. Replaying is idempotent: what is there already is a duplicate.
 * Damage is logged where it is met, with file and offset, and counted; it ends nothing.
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_SNAPSHOT_WAL_REPLAY_H
#define HEARTH_SNAPSHOT_WAL_REPLAY_H

#include "snapshot/data_folder.h"
#include "snapshot/definitions.h"
#include "storage/storage.h"

struct replay_totals {
    uint64_t batches;         /* applied */
    uint64_t samples;         /* new ones */
    uint64_t duplicates;      /* were there already */
    uint64_t bytes;           /* of segments read */
    uint64_t corruptions;     /* damaged places, undecodable batches, unreadable segments */
    uint64_t truncations;     /* torn tails cut */
    uint64_t skipped;         /* records of unknown type, segments of other folders */
    uint64_t missing;         /* sequence numbers never seen */
    uint64_t orphans;         /* samples whose labels are lost */
    uint64_t too_old;         /* samples before the retained windows */
    uint64_t too_new;         /* samples after the clock */
    uint64_t refused;         /* other refusals: more series than allowed, conflicts */
    int64_t too_new_from_ms;  /* the first of those; INT64_MAX: none */
    int64_t too_new_until_ms; /* the last; INT64_MIN */
};
struct replay_totals replay_totals_none(void);

struct wal_replay {
    const struct data_folder *folder;
    struct storage *db;
    bool alone;         /* nobody else uses storage: a series that was found stays */
    struct arena arena; /* of one batch */
    struct buf buffer;  /* of the scan */
    struct definitions definitions;
    uint64_t next_sequence; /* one more than the highest seen; 0: none seen */
    struct replay_totals totals;
};

/* alone: nothing else happens to storage, maintenance included, until the replay is released. */
void wal_replay_init(struct wal_replay *r, const struct data_folder *folder, struct storage *db,
                     bool alone);
void wal_replay_release(struct wal_replay *r);

/* Replay one segment. cut_tail: it is the newest, so a damaged end is a torn write and cut off.
 *
 * OK                also after damage, and for a segment of another folder
 * ERR_NO_MEMORY     storage or we are at the memory limit
 * ERR_UNSUPPORTED   the segment has another format version */
MUST_USE enum status wal_replay_segment(struct wal_replay *r, uint64_t number, bool cut_tail,
                                        struct error *err);

#endif
