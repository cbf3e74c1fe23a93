/*
 * disk - a simulated disk, in memory, from a seed: what was not synced may be lost, torn or
 * reordered when the power fails; operations may be refused; a dishonest one lies.
 *
 * Each file has what its readers see and what is on stable storage; the changes between the two
 * wait for a sync. Names likewise: a file made, renamed or removed is only durable after its folder
 * was synced. A power cut keeps any subset of the waiting changes, and of a write any of its
 * sectors. The order of operations and their outcomes follow from the seed alone.
 *
 * The machine stops at a chosen operation: from then on everything is refused and nothing changes,
 * so that the process can be taken apart in order, as if it had never come to that.
 *
 * Threads: one.
 */
#ifndef HEARTH_TESTS_SIM_DISK_H
#define HEARTH_TESTS_SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "snapshot/disk.h"
#include "tests/unit/alloc/random.h"

/* How often of 1,024 operations something goes wrong. */
struct sim_weather {
    unsigned read_fails;
    unsigned write_fails; /* after any part of it */
    unsigned write_short;
    unsigned sync_fails; /* what waited is seen by readers and never becomes stable */
    unsigned name_fails; /* open, rename, remove, folders */
    uint64_t capacity;   /* bytes; 0: without end */
    /* Lies. */
    unsigned write_astray; /* it goes to another place or file */
    unsigned sync_lies;    /* says yes and does nothing */
};

extern const struct disk sim_disk;

/* An empty disk. */
void sim_disk_format(uint64_t seed);
void sim_disk_weather(const struct sim_weather *weather);

/* Stop at the operation after so many more; INT64_MAX: never. */
void sim_disk_stop_after(int64_t operations);
bool sim_disk_stopped(void);

/* The process is gone: its descriptors close. With a power cut only stable storage is left and a
 * part of what waited. Then everything works again, in fair weather. */
void sim_disk_restart(bool power_cut);

/* Turn one bit of some file over: damage that no sync prevents. */
void sim_disk_rot(void);

/* Since the last question: whether a write went astray, something rotted, or a power cut came upon
 * what the disk only said it had synced, whenever that was. */
bool sim_disk_lied(void);

struct sim_disk_stats {
    uint64_t operations;
    uint64_t trace; /* of all operations and their outcomes: equal for equal seeds */
    uint64_t refused, astray, unsynced, torn, rotted;
};
struct sim_disk_stats sim_disk_stats(void);

#endif
