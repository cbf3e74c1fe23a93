/*
 * drain - what idle threads keep at hand goes back.
 *
 * Every object in a thread cache keeps its span from becoming free; a thread that sleeps would keep
 * a few hundred spans for nothing. Its cache is taken out of its seat, emptied and put back,
 * without its help: see alloc/cache.h for how the two keep out of each other's way. A thread that
 * wakes up just then waits until its cache is back.
 *
 * Idle is who asked for nothing and gave nothing back for DRAIN_IDLE_NS. That is shorter than the
 * idle age of pages (alloc/scavenge.c), which starts where this ends.
 *
 * Needs a barrier in all threads of the process (os_barrier); where the system has none, caches
 * stay as they are.
 *
 * Threads: any.
 */
#ifndef HEARTH_ALLOC_DRAIN_H
#define HEARTH_ALLOC_DRAIN_H

#include <stdint.h>

#define DRAIN_IDLE_NS INT64_C(2000000000)

/* Look at all caches, empty those that have been idle for long enough at now_ns, a monotonic time.
 * Returns how many objects went back. */
uint64_t drain_idle(int64_t now_ns);

/* Empty all caches, but for those of threads that are using theirs just now, and the stacks between
 * them and the central lists. */
uint64_t drain_all(void);

#endif
