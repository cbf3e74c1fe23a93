/*
 * process - what the kernel says about this process and its limits: /proc, cgroups, rlimits.
 *
 * Threads: any.
 */
#ifndef HEARTH_SERVER_PROCESS_H
#define HEARTH_SERVER_PROCESS_H

#include <stdint.h>

struct process_stats {
    double cpu_seconds;
    uint64_t resident_bytes;
    uint64_t virtual_bytes;
    uint64_t virtual_max_bytes; /* UINT64_MAX: no limit */
    uint64_t open_fds;
    uint64_t max_fds;
    uint64_t threads;
};
/* What cannot be read is 0. */
void process_stats_read(struct process_stats *out);

/* Resident bytes now; 0 when unknown. Cheap: one small file. */
uint64_t process_resident_bytes(void);

/* Of those, bytes that the process gave up and the kernel has not taken yet (MADV_FREE); 0 when
 * unknown. Walks all page tables of the process: 25 ms of CPU time for a GiB, measured. */
uint64_t process_lazyfree_bytes(void);

/* The least of the machine's memory and the cgroup's limits, version 2 or 1, of every level above
 * this process that can be seen; 0 when unknown. */
uint64_t process_memory_available_bytes(void);

/* Raise the soft limit of open files to the hard one. */
void process_raise_fd_limit(void);

#endif
