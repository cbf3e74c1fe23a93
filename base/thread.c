/* thread - pthreads with a name, a trampoline and blocked signals. */
#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"

/* What the new thread needs to know; lives on the starter's stack until `taken`. */
struct start {
    void (*fn)(void *);
    void *arg;
    atomic_bool taken;
};

static void *run(void *opaque)
{
    struct start *start = opaque;
    void (*fn)(void *) = start->fn;
    void *arg = start->arg;
    atomic_store_explicit(&start->taken, true, memory_order_release);
    fn(arg);
    return NULL;
}

enum status thread_start(struct thread *t, const char *name, void (*fn)(void *), void *arg,
                         struct error *err)
{
    struct start start = {.fn = fn, .arg = arg};
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&t->os, NULL, run, &start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result) return error_set_errno(err, ERR_IO, result, "start thread %s", name);
    pthread_setname_np(t->os, name);
    while (!atomic_load_explicit(&start.taken, memory_order_acquire))
        sched_yield();
    return OK;
}

void thread_join(struct thread *t)
{
    ASSERT(pthread_join(t->os, NULL) == 0);
}

void thread_exit_hook_init(struct thread_exit_hook *hook, void (*fn)(void *value))
{
    ASSERT(pthread_key_create(&hook->os, fn) == 0);
}

void thread_exit_hook_set(struct thread_exit_hook *hook, void *value)
{
    ASSERT(pthread_setspecific(hook->os, value) == 0);
}

void thread_once(struct thread_once *once, void (*fn)(void))
{
    ASSERT(pthread_once(&once->os, fn) == 0);
}

void thread_sleep_ms(int64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        continue;
}

void thread_yield(void)
{
    (void)sched_yield();
}

uint32_t thread_cores(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 0 ? (uint32_t)cores : 1;
}
