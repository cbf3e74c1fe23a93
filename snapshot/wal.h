/*
 * wal - the write-ahead log: batches in, records in the current segment out.
 *
 *     wal_log: encode -> queue -> the first waiter leads: one write for all, with `always` one
 * fsync
 *
 * Group commit (as in InnoDB and PostgreSQL): whoever finds nobody writing becomes the leader,
 * takes the queue, writes it with one pwritev outside the lock, and wakes the others. Encoding
 * happens before, in parallel.
 *
 * Segments: a new one when the current one is full, before each snapshot, and after a failure. A
 * record is only good in the segment it was encoded for (labels are written twice or so a
 * segment), so the leader encodes again what a change of segment overtook.
 *
 * Failures: a write that fails is cut off again. Disk full: the segment stays, every waiter is told
 * ERR_UNAVAILABLE, the next attempt may succeed. Any other refusal, or an fsync that failed: the
 * segment is left for good, never synced again, and a new one is begun. If acknowledged records may
 * have been lost with it, wants_snapshot says so: memory still has them. The same when its path
 * does not lead to the segment any more, because somebody has removed or replaced it or a folder
 * above: that is looked for after each write.
 *
 * Threads: wal_log from any; wal_sync from any; wal_rotate from one; init and close from one,
 * alone.
 */
#ifndef HEARTH_SNAPSHOT_WAL_H
#define HEARTH_SNAPSHOT_WAL_H

#include <stdatomic.h>

#include "alloc/buf.h"
#include "base/counter.h"
#include "base/histogram.h"
#include "base/lock.h"
#include "snapshot/data_folder.h"
#include "snapshot/durability.h"
#include "storage/journal.h"

enum {
    WAL_RETIRED_MAX = 8,           /* closed segments that wait for their fsync */
    WAL_BUFFERS_MAX = 16,          /* kept for the next batches */
    WAL_BUFFER_KEPT_MAX = 4 << 20, /* larger ones are given back */
    WAL_WAIT_MS = 10000,           /* without any progress of the disk */
    WAL_WAIT_SLICES = 10           /* in so many waits: see commit */
};

/* Why nothing is taken until a snapshot has what was acknowledged before; the graver ones last. */
enum wal_risk {
    WAL_SAFE,
    WAL_UNSYNCED,  /* it may have gone with a sync that failed */
    WAL_TAKEN_AWAY /* with files that were removed or replaced */
};

struct wal_waiter;

struct wal_retired {
    struct file file;
    uint32_t ordinal; /* of the segment */
    bool sync;        /* false: only close it */
};

struct wal {
    const struct data_folder *folder;
    enum wal_sync mode;
    uint64_t segment_bytes;
    void (*news)(void *self);
    void *news_self;

    struct mutex lock; /* LOCK_WAL; guards what follows up to the next comment */
    struct cond changed;
    bool writing; /* someone owns the current segment */
    bool syncing;
    bool failed; /* an fsync of the current segment failed: leave it */
    bool folder_unsynced;
    uint64_t synced;                 /* bytes of the current segment */
    struct wal_waiter *first, *last; /* the queue */
    struct wal_retired retired[WAL_RETIRED_MAX];
    size_t retired_count;
    struct buf buffers[WAL_BUFFERS_MAX];
    size_t buffer_count;

    /* Belongs to whoever set `writing`; changed with the lock held. */
    struct file segment;
    uint32_t seed;
    uint64_t segment_records;
    uint64_t next_number;
    uint64_t next_sequence;
    bool complained; /* about the disk, once per outage */

    _Atomic uint64_t written; /* bytes of the current segment that are complete */
    _Atomic uint32_t ordinal; /* of the current segment in this process; 0: none yet */
    _Atomic uint64_t number;  /* of the current segment */
    _Atomic bool wants_snapshot;
    _Atomic bool
        rests; /* wal_sync found nothing to do, and nothing has come; set with the lock held */
    _Atomic int risk; /* enum wal_risk */
    struct counter records;
    struct counter bytes;
    struct counter write_errors;
    struct gauge segments;   /* on disk */
    struct gauge disk_bytes; /* of all segments */
    struct histogram fsync;
};

struct wal_options {
    const struct data_folder *folder; /* outlives the wal */
    enum wal_sync mode;
    uint64_t segment_bytes;
    uint64_t first_number; /* of the next segment */
    uint64_t first_sequence;
    void (*news)(void *self); /* see wal_sync; also when a snapshot is wanted. May be NULL */
    void *news_self;
};
/* w is zeroed; its counters may be read before. */
void wal_init(struct wal *w, const struct wal_options *options);
/* Sync and close. Nobody is logging. */
void wal_close(struct wal *w);

/* See journal.log in storage/journal.h; also ERR_TOO_LARGE. */
MUST_USE enum status wal_log(struct wal *w, const struct journal_batch *batch, struct error *err);

/* Close the current segment, if it holds anything, and begin the next: *current is its number.
 * Refused: the old one goes on. ERR_UNAVAILABLE, ERR_IO. */
MUST_USE enum status wal_rotate(struct wal *w, uint64_t *current, struct error *err);

/* False when the segment is not where it should be, or was not and no snapshot has made up for it:
 * then nothing is taken, and the log goes on with wal_rotate. */
bool wal_look(struct wal *w);
/* A snapshot is published that has all of memory: what was at risk is not, unless another one has
 * been asked for since it began. */
void wal_made_up(struct wal *w);

/* Bring everything written so far to stable storage. Failures are counted and logged, and answered
 * with wants_snapshot. False when nothing was to be done: options.news is called once, without
 * a lock, when something is. */
bool wal_sync(struct wal *w);

#endif
