/* parallel - start, take part, join. */
#include "base/parallel.h"

#include "base/thread.h"

void parallel_run(uint32_t threads, const char *name, void (*fn)(void *arg), void *arg)
{
    struct thread others[PARALLEL_THREADS_MAX - 1];
    uint32_t started = 0;
    if (threads > PARALLEL_THREADS_MAX) threads = PARALLEL_THREADS_MAX;
    while (started + 1 < threads && thread_start(&others[started], name, fn, arg, NULL) == OK)
        started++;
    fn(arg);
    while (started > 0)
        thread_join(&others[--started]);
}

uint32_t parallel_cores(void)
{
    uint32_t cores = thread_cores();
    return cores < PARALLEL_THREADS_MAX ? cores : PARALLEL_THREADS_MAX;
}
