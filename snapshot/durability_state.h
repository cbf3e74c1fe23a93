/*
 * durability_state - what is behind struct durability, shared by durability.c (the doors),
 * recover.c (in) and publish.c (out).
 *
 * Threads: manifests, files and hold belong to recovery, then to the one thread that snapshots; the
 * wal guards itself; counters are read by any.
 */
#ifndef HEARTH_SNAPSHOT_DURABILITY_STATE_H
#define HEARTH_SNAPSHOT_DURABILITY_STATE_H

#include <stdatomic.h>

#include "base/counter.h"
#include "snapshot/durability.h"
#include "snapshot/manifest.h"
#include "snapshot/wal.h"
#include "snapshot/window_block.h"

/* How an entry of the current manifest relates to what memory holds. */
enum file_state {
    FILE_STATE_STALE,   /* memory has other samples, or nobody knows */
    FILE_STATE_CURRENT, /* memory at `version` holds exactly the file */
    FILE_STATE_PENDING  /* not loaded: its window is later than the clock */
};
struct entry_state {
    enum file_state state;
    uint64_t version; /* of storage's window */
};

struct durability {
    struct durability_options options; /* path points into folder */
    struct data_folder folder;
    struct wal wal;

    struct manifest current; /* snapshot 0: none yet */
    struct manifest previous;
    struct entry_state states[MANIFEST_ENTRIES_MAX]; /* of current's entries */
    uint64_t next_snapshot;
    struct window_block scratch;
    bool recovered;       /* the wal is there */
    bool current_whole;   /* its files are there and intact, as far as anybody has looked */
    bool manifest_unread; /* at the start there was one that could not be read */
    bool unlisted;        /* window files hold what neither a manifest names nor the log has */
    _Atomic bool snapshotting;
    _Atomic bool hurried; /* snapshots are written without pauses */

    /* Segments that hold samples later than the clock: kept until all of them are taken. */
    bool held;
    bool held_stable;      /* this process has put them on stable storage */
    int64_t held_from_ms;  /* the first of them */
    int64_t held_until_ms; /* the last */
    uint64_t held_first_segment;
    uint64_t held_last_segment;

    _Atomic uint64_t progress_first;
    _Atomic uint64_t progress_last;
    _Atomic uint64_t progress_current;
    _Atomic uint64_t progress_bytes; /* of window files and segments, read */
    _Atomic uint64_t progress_total; /* to be read, unless damage asks for more */
    _Atomic bool progress_done;

    struct counter wal_corruptions;
    struct counter wal_truncations;
    struct counter wal_lost_batches;
    struct counter snapshot_corruptions;
    struct counter snapshots;
    struct counter snapshot_failures;
    struct counter snapshot_bytes;
    struct gauge snapshot_disk_bytes;
    struct gauge snapshot_last_ms;
    struct gauge snapshot_last_ns;
    struct gauge recover_ns;
    struct counter recovered_samples;
    struct counter recovered_series;
};

/* recover.c */

/* Once the clock has reached what recovery had to leave out: load it now. Keeps holding otherwise.
 */
MUST_USE enum status recover_held(struct durability *d, struct storage *db, struct error *err);

/* Where a window lies in time, by storage's settings. */
struct window_span recover_span(const struct storage *db, int64_t window);

/* publish.c */

MUST_USE enum status publish_snapshot(struct durability *d, struct storage *db, struct error *err);

/* Bytes of all window files of both generations, for the gauge. */
void publish_count_disk_bytes(struct durability *d);

#endif
