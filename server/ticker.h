/*
 * ticker - a thread that calls a function again and again until it is stopped.
 *
 * The function is called at once, then after as many milliseconds as it returns, or when it is
 * woken. Stopping waits for a call that is under way.
 *
 * Threads: start and stop from one thread; wake from any, once it was started. Tickers that wake
 * each other are stopped one after the other, so lock and cond stay, and own nothing but these
 * bytes.
 */
#ifndef HEARTH_SERVER_TICKER_H
#define HEARTH_SERVER_TICKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/lock.h"
#include "base/thread.h"

/* Returned by a round that has nothing to do until it is woken. */
#define TICKER_UNTIL_WOKEN INT64_MAX

struct ticker {
    struct thread thread;
    struct mutex lock; /* LOCK_SERVER: stopping, woken */
    struct cond wake;
    bool stopping;
    bool woken; /* the next wait is left out */
    bool started;
    int64_t (*round)(void *arg); /* returns the milliseconds until the next one */
    void *arg;
};

/* t is zeroed. name: of the thread, at most 15 bytes. ERR_IO when there are no more threads. */
MUST_USE enum status ticker_start(struct ticker *t, const char *name, int64_t (*round)(void *arg),
                                  void *arg, struct error *err);
/* The next round comes now, or right after the one that runs; none when it was stopped. */
void ticker_wake(struct ticker *t);
/* Does nothing when it was not started. */
void ticker_stop(struct ticker *t);

#endif
