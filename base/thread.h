/*
 * thread - named threads, and what must happen when any thread ends.
 *
 * Only server/ starts threads that stay (base/parallel.h has those that do not). Threads made by
 * libraries (libmicrohttpd's pool) are served too: a thread_exit_hook runs for every thread that
 * has set it.
 */
#ifndef HEARTH_BASE_THREAD_H
#define HEARTH_BASE_THREAD_H

#include <pthread.h>
#include <stdint.h>

#include "base/error.h"

struct thread {
    pthread_t os;
};

/* Start fn(arg) under a name of at most 15 bytes, all signals blocked: main takes them.
 * ERR_IO when the system has no more threads. */
MUST_USE enum status thread_start(struct thread *t, const char *name, void (*fn)(void *), void *arg,
                                  struct error *err);
void thread_join(struct thread *t);

/* A value per thread with a destructor: fn(value) runs when a thread that set it ends. */
struct thread_exit_hook {
    pthread_key_t os;
};
void thread_exit_hook_init(struct thread_exit_hook *hook, void (*fn)(void *value));
void thread_exit_hook_set(struct thread_exit_hook *hook, void *value);

/* Run fn once in the life of the process, however many threads ask; all return after it has run. */
struct thread_once {
    pthread_once_t os;
};
#define THREAD_ONCE_INIT                                                                           \
    {                                                                                              \
        .os = PTHREAD_ONCE_INIT                                                                    \
    }
void thread_once(struct thread_once *once, void (*fn)(void));

/* Sleep on the real clock; clock_freeze does not hold it. */
void thread_sleep_ms(int64_t ms);

/* Let threads that wait for this core run first: before taking a lock that must not be held while
 * the system runs something else. */
void thread_yield(void);

/* Cores that are online; at least 1. */
uint32_t thread_cores(void);

#endif
