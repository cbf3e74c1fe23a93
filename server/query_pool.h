/*
 * query_pool - the threads that evaluate queries, and the bounded queue in front of them.
 *
 *     submit -> | queue, first in first out | -> a worker runs it -> done
 *
 * While there are tasks, a watcher looks at all of them every QUERY_WATCH_MS: a task whose client
 * has gone is cancelled, and a queued one whose deadline has passed is answered at once instead of
 * waiting for a worker.
 *
 * A task is embedded in what it belongs to; the pool allocates nothing per task. run() is called
 * exactly once for every task that was submitted, with the reason in task->fate, and then done().
 *
 * Threads: submit, cancel and stats from any thread; open and close from one.
 */
#ifndef HEARTH_SERVER_QUERY_POOL_H
#define HEARTH_SERVER_QUERY_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/histogram.h"

enum { QUERY_WATCH_MS = 100 };

struct query_pool;

enum query_fate {
    QUERY_RUNS,    /* evaluate it */
    QUERY_EXPIRED, /* the deadline passed in the queue */
    QUERY_DROPPED  /* cancelled in the queue */
};

struct query_task {
    /* Set by the caller before submit. */
    void *owner;
    void (*run)(struct query_task *task);  /* on a pool thread */
    void (*done)(struct query_task *task); /* after run; the task may be gone when it returns */
    bool (*abandoned)(struct query_task *task); /* has the client gone? must not block */
    int64_t deadline_ns;                        /* on clock_mono_ns; 0: none */
    /* Read by run. */
    enum query_fate fate;
    atomic_bool cancelled; /* becomes true while it runs, when it should stop */
    int64_t queued_ns;     /* how long it waited */
    /* The pool's own, under its lock. */
    uint64_t id; /* from 1 on, no two tasks of a pool have the same */
    struct query_task *next;
    struct query_task *previous;
    int64_t submitted_ns;
};

/* ERR_NO_MEMORY, ERR_IO (no threads). */
MUST_USE enum status query_pool_open(uint32_t threads, uint64_t queue_max, struct query_pool **out,
                                     struct error *err);
/* false: the queue is full, or the pool is closing; run and done are not called. */
MUST_USE bool query_pool_submit(struct query_pool *pool, struct query_task *task);
/* Ask one task to stop; false: there is none with this id, or it was asked before. */
bool query_pool_cancel(struct query_pool *pool, uint64_t id);
/* All tasks, the longest running first and the last queued last. visit() holds the pool's lock,
 * which keeps the task: it must not wait, and reads only what was set before submit and the id. */
void query_pool_visit(struct query_pool *pool,
                      void (*visit)(void *self, const struct query_task *task, bool running),
                      void *self);
/* Ask every task to stop, queued and running. */
void query_pool_cancel_all(struct query_pool *pool);
/* Cancel, run every task down, end the threads. Nothing is taken any more; stats still answer. */
void query_pool_stop(struct query_pool *pool);
/* Stop unless that has been done, and free. NULL is ignored. */
void query_pool_close(struct query_pool *pool);

struct query_pool_stats {
    uint64_t running;
    uint64_t queued;
    uint64_t threads;
    uint64_t submitted; /* ever */
    uint64_t rejected;  /* the queue was full */
    uint64_t expired;   /* the deadline passed in the queue */
    uint64_t cancelled; /* by the client's going, by id, or by the server's end */
    const struct histogram *queue_time;
};
void query_pool_stats_read(struct query_pool *pool, struct query_pool_stats *out);

#endif
