/*
 * parallel - one piece of work on several threads, from its beginning to its end.
 *
 * The threads live as long as the call: nothing is left running behind it. What is done by whom is
 * the work's own business; it must come out right on any number of threads, one included, since the
 * system may have no more.
 */
#ifndef HEARTH_BASE_PARALLEL_H
#define HEARTH_BASE_PARALLEL_H

#include <stdint.h>

enum { PARALLEL_THREADS_MAX = 64 };

/* Run fn(arg) on so many threads at once (0: as 1), the caller's among them; returns when all of
 * them have. With one, no thread is started. name: at most 15 bytes. */
void parallel_run(uint32_t threads, const char *name, void (*fn)(void *arg), void *arg);

/* Cores of this machine, as many as this may use. */
uint32_t parallel_cores(void);

#endif
