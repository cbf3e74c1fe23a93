/*
 * lock - mutexes and reader-writer locks with one order for the whole program.
 *
 * Every lock has a rank from the enum below. A thread may only take a lock of a higher rank than
 * the ones it holds; debug builds keep the held ranks per thread and abort on a step down or
 * sideways (the idea of jemalloc's witness). Under a lock: no I/O, no decoding, no logging, except
 * where the rank's line says so.
 *
 * A lock that is free is taken without a look at the time; only who has to wait is counted, by
 * rank: lock_waits_read says who waited for whom, and how long.
 *
 * Threads: that is what it is for. init/release: the caller makes sure nobody else uses it.
 */
#ifndef HEARTH_BASE_LOCK_H
#define HEARTH_BASE_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum lock_rank {
    LOCK_SERVER,      /* lifecycle of the process, lists of running queries */
    LOCK_QUEUE,       /* work queues between threads */
    LOCK_MAINTENANCE, /* one snapshot or expiry round at a time; file I/O allowed */
    LOCK_WAL,         /* the current segment; write(2) allowed, that is its purpose */
    LOCK_GATE,        /* requests being applied, shared; a query that begins, alone */
    LOCK_VIEWS,       /* which views are open */
    LOCK_SHARD,       /* one slice of the series */
    LOCK_SYMBOLS,     /* interned strings */
    LOCK_REGIONS,     /* which region each window has, and allocation in them */
    LOCK_EPOCH,       /* reader registration, garbage lists */
    LOCK_PRESENT,     /* what is known about a jump of the clock */
    LOCK_REGEX,       /* cache of compiled expressions */
    LOCK_CACHES,      /* which thread has which cache; draining them */
    LOCK_TRANSFER,    /* objects of one size class on their way between threads */
    LOCK_CENTRAL,     /* spans of one size class */
    LOCK_PAGE_HEAP,   /* free pages */
    LOCK_PLACES,      /* where memory was asked for (debug builds) */
    LOCK_META,        /* the allocator's own records */
    LOCK_RANK_COUNT
};

/* How often a lock of a rank was not free, and how long its takers waited, since the start. */
struct lock_waits {
    uint64_t reads;  /* rwlock_read_lock */
    uint64_t writes; /* rwlock_write_lock, mutex_lock */
    uint64_t read_ns;
    uint64_t write_ns;
};
void lock_waits_read(enum lock_rank rank, struct lock_waits *out);
/* "shard", "wal", ...; constant. */
const char *lock_rank_name(enum lock_rank rank);

struct mutex {
    pthread_mutex_t os;
    enum lock_rank rank;
};

struct rwlock {
    pthread_rwlock_t os;
    enum lock_rank rank;
};

struct cond {
    pthread_cond_t os;
};

#define MUTEX_INIT(lock_rank)                                                                      \
    {                                                                                              \
        .os = PTHREAD_MUTEX_INITIALIZER, .rank = (lock_rank)                                       \
    }

void mutex_init(struct mutex *m, enum lock_rank rank);
void mutex_release(struct mutex *m);
void mutex_lock(struct mutex *m);
bool mutex_try_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);

/* Writers are preferred: a stream of readers cannot starve them. */
void rwlock_init(struct rwlock *l, enum lock_rank rank);
void rwlock_release(struct rwlock *l);
void rwlock_read_lock(struct rwlock *l);
void rwlock_read_unlock(struct rwlock *l);
void rwlock_write_lock(struct rwlock *l);
void rwlock_write_unlock(struct rwlock *l);

/* Condition variables on the monotonic clock (the real one: clock_freeze does not hold them). */
void cond_init(struct cond *c);
void cond_release(struct cond *c);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);
/* m is locked by the caller, released while waiting, locked again on return; wake-ups may be
 * spurious. */
void cond_wait(struct cond *c, struct mutex *m);
/* As cond_wait, for at most timeout_ms; false when the time was up. */
bool cond_wait_for(struct cond *c, struct mutex *m, int64_t timeout_ms);

#endif
