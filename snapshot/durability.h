/*
 * durability - what survives a crash: the data folder with its WAL and snapshots.
 *
 *     lock                       held (flock), as the folder is, while a process uses it
 *     HEARTH                     its identity
 *     wal/00000007               segments; a batch is one record (docs/formats.md)
 *     windows/123470-00000012    one file per window, written in time order
 *     manifests/00000012         the complete set of window files and the first segment to replay
 *
 * durability_open locks and prepares the folder; durability_recover loads the newest complete
 * snapshot and replays the WAL behind it into storage; then durability_journal is storage's
 * journal. durability_snapshot writes what changed, publishes a new manifest and removes files that
 * neither of the two newest manifests needs. Every acknowledged batch is in the WAL or in the
 * published snapshot, at any instant.
 *
 * Threads: log from any thread; snapshot from one at a time; sync from its own thread.
 */
#ifndef HEARTH_SNAPSHOT_DURABILITY_H
#define HEARTH_SNAPSHOT_DURABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/histogram.h"
#include "storage/storage.h"

struct durability;

enum wal_sync {
    WAL_SYNC_INTERVAL, /* by durability_sync; acknowledged after write(2) */
    WAL_SYNC_ALWAYS,   /* acknowledged after fsync, one for a group of waiting requests */
    WAL_SYNC_NEVER
};

struct durability_options {
    const char *path; /* of the data folder; created when missing */
    enum wal_sync sync;
    uint64_t segment_bytes;   /* a new segment after so much; 0: 1 GiB */
    uint32_t restore_threads; /* that read files at a start; 0 as 1 */
    /* Called by a thread that logs after durability_sync has said that there was nothing to do:
     * there is again; and by any when a snapshot is wanted. NULL: nobody waits for it. */
    void (*news)(void *self);
    void *news_self;
};

/* ERR_UNAVAILABLE  another process holds the folder
 * ERR_IO           not a folder, not writable, full, another program's data, ...: the text names
 *                  path and reason
 * ERR_INVALID      a path that is empty or too long
 * ERR_UNSUPPORTED  a format of another version
 * ERR_NO_MEMORY */
MUST_USE enum status durability_open(const struct durability_options *options,
                                     struct durability **out, struct error *err);

/* Before anything is served. Damage is logged with file and offset, skipped where possible,
 * counted. Also starts a new segment, so that logging can begin. ERR_IO, ERR_NO_MEMORY,
 * ERR_UNSUPPORTED: the server must not start. */
MUST_USE enum status durability_recover(struct durability *d, struct storage *db,
                                        struct error *err);

/* The journal for storage_set_journal. */
struct journal durability_journal(struct durability *d);

/* One round for the syncer thread (WAL_SYNC_INTERVAL), and of a snapshot's before its manifest:
 * fsync what was written since the last. False when that was nothing; options.news is called, once,
 * when there is something. */
bool durability_sync(struct durability *d);

/* From now on nobody is served: snapshots, one that is being written too, make no pauses. */
void durability_hurry(struct durability *d);

/* Write changed windows and publish; then drop files that are not needed. Retention of expired
 * windows happens here too.
 *
 * OK                also when nothing had changed
 * ERR_CONFLICT      another thread is taking one
 * ERR_UNAVAILABLE   disk full; the previous snapshot stays valid
 * ERR_IO, ERR_NO_MEMORY, ERR_CORRUPT   likewise */
MUST_USE enum status durability_snapshot(struct durability *d, struct storage *db,
                                         struct error *err);

/* Take a snapshot, and keep it under a name of its own: DATA/snapshots/<name>, a folder that can be
 * started on. without_open: windows that have not closed are left out. What is acknowledged after
 * the call has begun may be in it or not; what waits in the log for the clock to get there is not.
 *
 * Statuses as durability_snapshot; no folder then. */
enum { BACKUP_NAME_BYTES = 48 };
MUST_USE enum status durability_backup(struct durability *d, struct storage *db, bool without_open,
                                       char name[BACKUP_NAME_BYTES], struct error *err);

/* True when samples that are acknowledged may not be on stable storage and no fsync can tell: one
 * failed, or they were replayed from the log of a process that was ended. Take a snapshot now
 * rather than at the interval. From any thread. */
bool durability_wants_snapshot(const struct durability *d);

/* Sync, close, unlock. No writer may be left. */
void durability_close(struct durability *d);

struct durability_stats {
    uint64_t wal_records;
    uint64_t wal_bytes;
    uint64_t wal_segment;      /* current number */
    uint64_t wal_segments;     /* on disk */
    uint64_t wal_disk_bytes;   /* of all segments */
    uint64_t wal_write_errors; /* write or fsync failed */
    uint64_t wal_corruptions;  /* damaged records met by recovery */
    uint64_t wal_truncations;  /* torn tails cut by recovery */
    uint64_t wal_lost_batches; /* gaps in the sequence met by recovery */
    uint64_t snapshots;        /* taken since start, those that found nothing new among them */
    uint64_t snapshot_failures;
    uint64_t snapshot_corruptions; /* damaged places in window files and manifests */
    uint64_t snapshot_bytes;       /* written since start */
    uint64_t snapshot_disk_bytes;
    int64_t snapshot_last_ms;   /* wall time of the last one; 0: none since start */
    int64_t snapshot_last_ns;   /* how long it took */
    int64_t recover_ns;         /* how long recovery took */
    uint64_t recovered_samples; /* from snapshots and WAL together */
    uint64_t recovered_series;
    const struct histogram *fsync; /* durations; lives as long as d */
};
void durability_stats_read(const struct durability *d, struct durability_stats *out);

/* What recovery is at, for status/walreplay: from any thread while durability_recover runs. */
struct recovery_progress {
    uint64_t first_segment;
    uint64_t last_segment;
    uint64_t current_segment;
    uint64_t bytes_done; /* of window files and segments; at most bytes_total */
    uint64_t bytes_total;
    bool done;
};
void durability_progress(const struct durability *d, struct recovery_progress *out);

#endif
