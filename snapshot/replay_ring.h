/*
 * replay_ring - the records of one segment through several threads, in order.
 *
 *     read (one at a time) -> decode (anybody) -> | slot | slot | slot | slot | -> parts
 *                                                    |             |      |
 *                                              part 3 is here  part 0   published up to here
 *
 * Whoever has nothing to do reads the next record into a free slot and decodes it; if there is no
 * free one, he applies what is published to the part that is furthest behind
 * (snapshot/replay_part.h). A slot is free again when all parts have passed it. With one thread
 * everything happens in turn, in the caller's.
 *
 * What goes by the order of all records is done when one is published: counting gaps, telling
 * damage, and moving the time that windows go by. Before that moves, all parts catch up, so that
 * each record meets the time that the ones before it made.
 *
 * Threads: replay_ring_run from one, which starts the others.
 */
#ifndef HEARTH_SNAPSHOT_REPLAY_RING_H
#define HEARTH_SNAPSHOT_REPLAY_RING_H

#include "base/lock.h"
#include "snapshot/record.h"
#include "snapshot/replay_part.h"

enum { REPLAY_SLOTS = 16 };

/* A record on its way. */
struct replay_slot {
    struct record record; /* without its payload, which is here: */
    struct buf payload;
    struct arena arena; /* labels of the batch */
    struct wal_batch batch;
    bool decoded;
    enum status st; /* ERR_CORRUPT: it is not a batch, */
    struct error why;
    uint64_t bytes; /* of memory */
};

/* What the owner of the ring does with what is seen, one call at a time. */
struct replay_watcher {
    void *self;
    /* A record of any type, in order, with the damage before it. */
    void (*record)(void *self, const struct record *record);
    /* It is not to be used. */
    void (*refused)(void *self, const struct record *record, const char *reason);
    /* Behind the last record; damaged_bytes may be 0. */
    void (*end)(void *self, const struct record *tail);
};

struct replay_ring {
    struct storage *db;
    uint32_t threads;
    struct replay_watcher watcher;
    struct buf buffer; /* of the scan */

    struct mutex lock; /* everything below, but for the scan, which is the reader's */
    struct cond changed;
    uint32_t sleepers;
    struct record_scan scan;
    bool reading;
    bool ended;         /* nothing is left to read; */
    struct record tail; /* what stands there, */
    enum status lost;   /* or why the disk gives no more */
    struct error lost_why;
    uint64_t read;      /* records read, */
    uint64_t published; /* and those that may be applied */
    uint64_t bytes;     /* of slots that are in use */
    uint64_t untidied;  /* bytes read since storage_tidy */
    struct replay_slot slots[REPLAY_SLOTS];
    struct replay_slot *used[REPLAY_SLOTS];   /* by number of the record, modulo REPLAY_SLOTS */
    struct replay_slot *unused[REPLAY_SLOTS]; /* the last one first, as its memory is warm */
    uint32_t unused_count;
    struct replay_part parts[WAL_PARTS];
    uint64_t applied[WAL_PARTS]; /* records */
    bool busy[WAL_PARTS];
    struct replay_totals totals; /* of what was applied */
    enum status st;              /* the first failure, which ends all */
    struct error err;
};

/* alone: as replay_part. */
void replay_ring_init(struct replay_ring *r, struct storage *db, bool alone, uint32_t threads,
                      const struct replay_watcher *watcher);
void replay_ring_release(struct replay_ring *r);

/* The records of [start, size) of the file. Ids mean what the last replay_ring_reset left.
 *
 * OK             also after damage
 * ERR_IO         the file cannot be read any further; what was read before is applied
 * ERR_NO_MEMORY */
MUST_USE enum status replay_ring_run(struct replay_ring *r, const struct file *file, uint64_t size,
                                     uint64_t start, uint32_t seed, struct error *err);
/* Another segment: ids mean nothing. */
void replay_ring_reset(struct replay_ring *r);

#endif
