/*
 * maintenance - the background threads: expiry and scavenging, snapshots, syncs.
 *
 *     maintain   every second, or every 100 ms while something waits to be freed: bounded rounds of
 *                storage_maintain; measure memory that is not ours, set the heap's pressure
 *                (server/budget), return idle pages. When nobody has worked, every
 *                MAINTENANCE_REST_MS, and nothing is measured that cannot have changed
 *     snapshot   every --snapshot.interval; at once when a sync of the log failed or files of it
 *                are gone, because memory then has what the disk may have lost, and again every
 *                MAINTENANCE_RETRY_MS until it works
 *     wal-sync   every --wal.sync-interval, with --wal.sync=interval; when nothing was logged in
 *                one of them, not before something is. Else only to wake the one above
 *
 * Threads: maintenance_pressure, _notice and _logged from any thread; the rest from main.
 */
#ifndef HEARTH_SERVER_MAINTENANCE_H
#define HEARTH_SERVER_MAINTENANCE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "alloc/heap.h"
#include "base/counter.h"
#include "base/histogram.h"
#include "server/ticker.h"
#include "snapshot/durability.h"
#include "storage/storage.h"

enum {
    MAINTENANCE_INTERVAL_MS = 100,
    MAINTENANCE_IDLE_MS = 1000,
    MAINTENANCE_REST_MS = 4700, /* behind a second: by then, what was free can go */
    MAINTENANCE_SETTLED_MS = 60000,
    MAINTENANCE_CALM_BYTES = 2 << 20, /* more or less is the same: a scrape of ourselves */
    MAINTENANCE_ROUNDS_MAX = 64,      /* of storage_maintain in a row */
    MAINTENANCE_MEASURE_MS = 950,     /* so that no idle round leaves it out */
    MAINTENANCE_WALK_REST = 100,      /* reading LazyFree is at most a hundredth of a core */
    MAINTENANCE_RETRY_MS = 3000
};
/* Above the soft line idle pages go back to the system at once, so much at a time. */
enum { SCAVENGE_STEP_BYTES = 64 << 20 };

struct maintenance_options {
    struct storage *storage;
    struct durability *durability;
    uint64_t memory_limit_bytes;
    int64_t snapshot_interval_ms;
    int64_t sync_interval_ms; /* of the log, where that is synced at intervals */
    bool rests;               /* windows are so long that a rest is short beside them */
};

struct maintenance {
    struct maintenance_options options;
    struct ticker maintain;
    struct ticker snapshot;
    struct ticker sync;
    int64_t measured_ns;           /* the maintain thread's own */
    int64_t walk_due_ns;           /* likewise: when LazyFree is read again */
    int64_t oldest_window;         /* likewise: retained when the last boundary was through */
    uint64_t used_bytes;           /* likewise: at that time */
    bool settled;                  /* likewise: there was nothing to do */
    atomic_bool noticed;           /* somebody has worked since */
    _Atomic uint64_t rested_bytes; /* more than that wakes the maintain thread; 0: it comes soon */
    bool snapshot_due;             /* the snapshot thread's own */
    atomic_bool rescuing;        /* the log has woken the snapshot thread; until one is published */
    struct gauge boundary_ms;    /* wall time at which the last expiry was through; 0: none yet */
    struct gauge other_bytes;    /* resident memory that is not the heap's */
    struct gauge lazyfree_bytes; /* resident still, though the heap gave it back */
    struct histogram rounds;     /* durations of storage_maintain */
    struct counter scavenge_ns;  /* CPU time of giving pages back */
    struct counter forced_releases; /* by request */
    struct gauge cpu_ns;            /* CPU time of the maintain thread so far */
    _Atomic int64_t start_ns;       /* monotonic; 0: not started yet. Set behind what is next */
    uint32_t cores;                 /* at the start; constant */
};

/* m is zeroed. ERR_IO: no threads; what was started is stopped again. */
MUST_USE enum status maintenance_start(struct maintenance *m,
                                       const struct maintenance_options *options,
                                       struct error *err);
/* Does nothing when it was not started. */
void maintenance_stop(struct maintenance *m);

/* After work that may have taken memory: what is left of it goes back in time, though the maintain
 * thread rests. Any thread, while maintenance runs; nearly free. */
void maintenance_notice(struct maintenance *m);

/* The log has something to sync: durability_options.news. Any thread, while maintenance runs. */
void maintenance_logged(struct maintenance *m);

/* CPU time of expiry and scavenging since the start / CPU time there was, of all cores: 0 to 1. */
double maintenance_cpu_fraction(const struct maintenance *m);

/* The pressure now: beyond the soft line as it is at this moment, below as it was measured last. */
enum heap_pressure maintenance_pressure(const struct maintenance *m);

/* Resident memory beyond the heap's, measured now; of what the kernel counts as resident,
 * lazyfree_bytes were given back by the heap. */
uint64_t maintenance_other_bytes(uint64_t lazyfree_bytes);

/* The same, to be shown beside these stats: measured now or, with lazy release, where measuring is
 * a walk over all pages, as the maintain thread found it last. Any thread. */
struct memstats;
uint64_t maintenance_other_now(const struct maintenance *m, const struct memstats *stats);

#endif
