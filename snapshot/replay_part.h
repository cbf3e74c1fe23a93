/*
 * replay_part - the series of a segment whose ids have the same last bits, and what becomes of
 * their samples.
 *
 *     batch -> entries of the part -> series of their ids -> the ends of chunks (storage/refill.h)
 *                                                       \-> appender, for all that is not so simple
 *
 * Batches are applied in their order. What cannot be put at the end of a chunk is handed to the
 * appender, and with it what follows of the same series: so the samples of a series never change
 * places, and it does not matter which threads have which parts when.
 *
 * Threads: one at a time for each part; parts beside each other.
 */
#ifndef HEARTH_SNAPSHOT_REPLAY_PART_H
#define HEARTH_SNAPSHOT_REPLAY_PART_H

#include "snapshot/definitions.h"
#include "snapshot/wal_batch.h"
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
void replay_totals_add(struct replay_totals *to, const struct replay_totals *more);

struct replay_part {
    struct storage *db;
    uint32_t number;
    bool alone;                     /* nobody else uses storage: a series that was found stays */
    uint16_t turn;                  /* may begin again */
    struct definitions definitions; /* by id / WAL_PARTS: neighbours lie together */
};
void replay_part_init(struct replay_part *p, struct storage *db, uint32_t number, bool alone);
void replay_part_release(struct replay_part *p);
/* Another segment. */
void replay_part_reset(struct replay_part *p);

/* What a thread works with. NULL: no memory. */
struct replay_hand;
MUST_USE struct replay_hand *replay_hand_create(void);
void replay_hand_destroy(struct replay_hand *hand);

/* Apply what batches have of the part; totals are added to.
 * ERR_NO_MEMORY, ERR_TOO_LARGE: storage, the arena or we are at the limit. */
MUST_USE enum status replay_part_apply(struct replay_part *p,
                                       const struct wal_batch *const *batches, size_t count,
                                       struct replay_hand *hand, struct replay_totals *totals,
                                       struct error *err);

#endif
