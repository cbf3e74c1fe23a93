/* lock - pthreads, and in debug builds the ranks each thread holds. */
#include "base/lock.h"

#include <errno.h>
#include <time.h>

#include "base/assert.h"

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
    ASSERT(pthread_mutex_lock(&m->os) == 0);
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
    ASSERT(pthread_rwlock_rdlock(&l->os) == 0);
}

void rwlock_read_unlock(struct rwlock *l)
{
    ASSERT(pthread_rwlock_unlock(&l->os) == 0);
    rank_leave(l->rank);
}

void rwlock_write_lock(struct rwlock *l)
{
    rank_enter(l->rank);
    ASSERT(pthread_rwlock_wrlock(&l->os) == 0);
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
    enum { NS_PER_S = 1000000000, NS_PER_MS = 1000000, MS_PER_S = 1000 };
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
