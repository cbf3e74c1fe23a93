/*
 * life - one process of a simulation: it starts on the simulated disk, writes, syncs, seals, takes
 * snapshots while the clock goes on, and at times jumps, and ends at any operation.
 *
 * Threads: one.
 */
#ifndef HEARTH_TESTS_SIM_LIFE_H
#define HEARTH_TESTS_SIM_LIFE_H

#include "snapshot/durability.h"
#include "tests/sim/disk.h"
#include "tests/sim/ledger.h"

struct sim {
    struct random random;
    struct ledger ledger;
    bool honest; /* the disk never lies */

    struct storage *db;
    struct durability *durability;
    enum wal_sync sync;
    bool begun;            /* the folder has been made */
    uint64_t damages;      /* places that the process has reported */
    uint64_t write_errors; /* of its log, when the last snapshot was taken */
    uint32_t first_batch;  /* of this process */
    bool fair;             /* the disk refuses nothing */
    bool jumpy;            /* the clock jumps at times */
    int64_t error_ms;      /* the clock less the right time, which senders have */
    int64_t error_left_ms; /* it is put right after so long at the latest */
    /* Nobody can tell a clock that is ahead when nothing is held: the life goes by it, and takes
     * a while to believe another one; so do the next ones, when a snapshot without samples says
     * that time. What expired by it has gone. */
    bool ahead;
    int64_t gone_ms;

    uint64_t lives, kills, power_cuts, refused_starts, promised, snapshots, jumps;
    char fault[400]; /* the first broken promise; empty: none */
};

/* From birth to death, then the next process looks at what is there. False: see fault. */
bool life_run(struct sim *s);

#endif
