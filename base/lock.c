/* lock - pthreads, who waited for them, and in debug builds the ranks each thread holds. */
#include "base/lock.h"

#include <errno.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/counter.h"

#if HEARTH_DEBUG
/* How many locks of each rank this thread holds. Ranks are few, so a step down is found by a scan.
 */
static _Thread_local uint8_t held[LOCK_RANK_COUNT];

static void rank_enter(enum lock_rank rank)
{
    for (int r = (int)rank; r < LOCK_RANK_COUNT; r++)
        ASSERT(held[r] == 0);
    held[rank]++;
}

static void rank_leave(enum lock_rank rank)
{
    ASSERT(held[rank] > 0);
    held[rank]--;
}
#else
static void rank_enter(enum lock_rank rank)
{
    (void)rank;
}

static void rank_leave(enum lock_rank rank)
{
    (void)rank;
}
#endif

/* Waiting is rare, and whoever waits has time: relaxed atomics next to each other. */
static struct {
    struct counter reads, writes, read_ns, write_ns;
} waits[LOCK_RANK_COUNT];

void lock_waits_read(enum lock_rank rank, struct lock_waits *out)
{
    *out = (struct lock_waits){.reads = counter_read(&waits[rank].reads),
                               .writes = counter_read(&waits[rank].writes),
                               .read_ns = counter_read(&waits[rank].read_ns),
                               .write_ns = counter_read(&waits[rank].write_ns)};
}

const char *lock_rank_name(enum lock_rank rank)
{
    static const char *const names[LOCK_RANK_COUNT] = {[LOCK_SERVER] = "server",
                                                       [LOCK_QUEUE] = "queue",
                                                       [LOCK_MAINTENANCE] = "maintenance",
                                                       [LOCK_WAL] = "wal",
                                                       [LOCK_GATE] = "gate",
                                                       [LOCK_VIEWS] = "views",
                                                       [LOCK_SHARD] = "shard",
                                                       [LOCK_SYMBOLS] = "symbols",
                                                       [LOCK_REGIONS] = "regions",
                                                       [LOCK_EPOCH] = "epoch",
                                                       [LOCK_PRESENT] = "present",
                                                       [LOCK_REGEX] = "regex",
                                                       [LOCK_CACHES] = "caches",
                                                       [LOCK_TRANSFER] = "transfer",
                                                       [LOCK_CENTRAL] = "central",
                                                       [LOCK_PAGE_HEAP] = "page_heap",
                                                       [LOCK_PLACES] = "places",
                                                       [LOCK_META] = "meta"};
    return names[rank];
}

static void count_wait(struct counter *count, struct counter *ns, int64_t start_ns)
{
    counter_add(count, 1);
    counter_add(ns, (uint64_t)(clock_mono_ns() - start_ns));
}

static void wait_for_mutex(struct mutex *m)
{
    int64_t start_ns = clock_mono_ns();
    ASSERT(pthread_mutex_lock(&m->os) == 0);
    count_wait(&waits[m->rank].writes, &waits[m->rank].write_ns, start_ns);
}

static void wait_to_read(struct rwlock *l)
{
    int64_t start_ns = clock_mono_ns();
    ASSERT(pthread_rwlock_rdlock(&l->os) == 0);
    count_wait(&waits[l->rank].reads, &waits[l->rank].read_ns, start_ns);
}

static void wait_to_write(struct rwlock *l)
{
    int64_t start_ns = clock_mono_ns();
    ASSERT(pthread_rwlock_wrlock(&l->os) == 0);
    count_wait(&waits[l->rank].writes, &waits[l->rank].write_ns, start_ns);
}

void mutex_init(struct mutex *m, enum lock_rank rank)
{
    ASSERT(pthread_mutex_init(&m->os, NULL) == 0);
    m->rank = rank;
}

void mutex_release(struct mutex *m)
{
    ASSERT(pthread_mutex_destroy(&m->os) == 0);
}

void mutex_lock(struct mutex *m)
{
    rank_enter(m->rank);
    if (pthread_mutex_trylock(&m->os) != 0) wait_for_mutex(m);
}

bool mutex_try_lock(struct mutex *m)
{
    if (pthread_mutex_trylock(&m->os) != 0) return false;
    rank_enter(m->rank);
    return true;
}

void mutex_unlock(struct mutex *m)
{
    ASSERT(pthread_mutex_unlock(&m->os) == 0);
    rank_leave(m->rank);
}

void rwlock_init(struct rwlock *l, enum lock_rank rank)
{
    pthread_rwlockattr_t attributes;
    ASSERT(pthread_rwlockattr_init(&attributes) == 0);
    ASSERT(pthread_rwlockattr_setkind_np(&attributes,
                                         PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) == 0);
    ASSERT(pthread_rwlock_init(&l->os, &attributes) == 0);
    pthread_rwlockattr_destroy(&attributes);
    l->rank = rank;
}

void rwlock_release(struct rwlock *l)
{
    ASSERT(pthread_rwlock_destroy(&l->os) == 0);
}

void rwlock_read_lock(struct rwlock *l)
{
    rank_enter(l->rank);
    if (pthread_rwlock_tryrdlock(&l->os) != 0) wait_to_read(l);
}

void rwlock_read_unlock(struct rwlock *l)
{
    ASSERT(pthread_rwlock_unlock(&l->os) == 0);
    rank_leave(l->rank);
}

void rwlock_write_lock(struct rwlock *l)
{
    rank_enter(l->rank);
    if (pthread_rwlock_trywrlock(&l->os) != 0) wait_to_write(l);
}

void rwlock_write_unlock(struct rwlock *l)
{
    ASSERT(pthread_rwlock_unlock(&l->os) == 0);
    rank_leave(l->rank);
}

void cond_init(struct cond *c)
{
    pthread_condattr_t attributes;
    ASSERT(pthread_condattr_init(&attributes) == 0);
    ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    ASSERT(pthread_cond_init(&c->os, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
}

void cond_release(struct cond *c)
{
    ASSERT(pthread_cond_destroy(&c->os) == 0);
}

void cond_signal(struct cond *c)
{
    ASSERT(pthread_cond_signal(&c->os) == 0);
}

void cond_broadcast(struct cond *c)
{
    ASSERT(pthread_cond_broadcast(&c->os) == 0);
}

void cond_wait(struct cond *c, struct mutex *m)
{
    rank_leave(m->rank);
    ASSERT(pthread_cond_wait(&c->os, &m->os) == 0);
    rank_enter(m->rank);
}

bool cond_wait_for(struct cond *c, struct mutex *m, int64_t timeout_ms)
{
    enum { NS_PER_S = 1000000000, MS_PER_S = 1000 };
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(timeout_ms / MS_PER_S);
    until.tv_nsec += (long)(timeout_ms % MS_PER_S) * NS_PER_MS;
    if (until.tv_nsec >= NS_PER_S) {
        until.tv_sec++;
        until.tv_nsec -= NS_PER_S;
    }
    rank_leave(m->rank);
    int result = pthread_cond_timedwait(&c->os, &m->os, &until);
    ASSERT(result == 0 || result == ETIMEDOUT);
    rank_enter(m->rank);
    return result == 0;
}
