/*
 * clock - the only place that reads time.
 *
 * Wall time is Unix milliseconds (CLOCK_REALTIME), for samples and windows; monotonic time is
 * nanoseconds since an arbitrary start (CLOCK_MONOTONIC), for durations and deadlines. Both go
 * through clock_gettime of a dynamic libc, so libfaketime moves them.
 *
 * Tests set the clock with clock_freeze and clock_advance: both times then stand still until moved,
 * so that hours pass in microseconds.
 *
 * Threads: all functions from any thread.
 */
#ifndef HEARTH_BASE_CLOCK_H
#define HEARTH_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_MS INT64_C(1000000)

int64_t clock_wall_ms(void);
int64_t clock_mono_ns(void);

/* CPU time of the whole process, and of the calling thread, in nanoseconds. */
int64_t clock_process_cpu_ns(void);
int64_t clock_thread_cpu_ns(void);

/* For tests: stop both clocks, the wall clock at wall_ms; move them; let them run again. */
void clock_freeze(int64_t wall_ms);
void clock_advance(int64_t ms);
void clock_thaw(void);

#endif
