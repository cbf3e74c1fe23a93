/* lock: ranks are kept, and a step down or sideways ends a debug build. */
#include "base/lock.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/thread.h"
#include "tests/unit/aborts.h"
#include "tests/unit/suite.h"

static struct mutex low = MUTEX_INIT(LOCK_QUEUE);
static struct mutex high = MUTEX_INIT(LOCK_SHARD);
static struct mutex twin = MUTEX_INIT(LOCK_SHARD);

static void go_down(void)
{
    mutex_lock(&high);
    mutex_lock(&low);
}

static void go_sideways(void)
{
    mutex_lock(&high);
    mutex_lock(&twin);
}

static void go_down_by_rwlock(void)
{
    struct rwlock l;
    rwlock_init(&l, LOCK_QUEUE);
    mutex_lock(&high);
    rwlock_read_lock(&l);
}

START_TEST(locks_are_taken_upwards_in_any_combination)
{
    mutex_lock(&low);
    mutex_lock(&high);
    mutex_unlock(&low);
    mutex_unlock(&high);
    mutex_lock(&low);
    mutex_unlock(&low);
    ck_assert(mutex_try_lock(&high));
    ck_assert(!mutex_try_lock(&high));
    mutex_unlock(&high);
}
END_TEST

START_TEST(a_step_down_or_sideways_ends_a_debug_build)
{
    ck_assert_int_eq(aborts(go_down), HEARTH_DEBUG);
    ck_assert_int_eq(aborts(go_down_by_rwlock), HEARTH_DEBUG);
    if (HEARTH_DEBUG) ck_assert(aborts(go_sideways));
}
END_TEST

struct shared {
    struct mutex mutex;
    struct cond cond;
    struct rwlock rwlock;
    int turns;
    int readers_saw;
};

enum { TURNS = 2000 };

static void take_turns(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; i < TURNS; i++) {
        mutex_lock(&s->mutex);
        s->turns++;
        cond_signal(&s->cond);
        mutex_unlock(&s->mutex);
        rwlock_write_lock(&s->rwlock);
        s->readers_saw++;
        rwlock_write_unlock(&s->rwlock);
    }
}

START_TEST(threads_exclude_each_other)
{
    struct shared s = {.turns = 0};
    struct thread threads[3];
    mutex_init(&s.mutex, LOCK_SERVER);
    rwlock_init(&s.rwlock, LOCK_SHARD);
    cond_init(&s.cond);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(thread_start(&threads[i], "turns", take_turns, &s, NULL), OK);
    mutex_lock(&s.mutex);
    while (s.turns < 3 * TURNS)
        cond_wait(&s.cond, &s.mutex);
    mutex_unlock(&s.mutex);
    for (int i = 0; i < 3; i++)
        thread_join(&threads[i]);
    rwlock_read_lock(&s.rwlock);
    ck_assert_int_eq(s.readers_saw, 3 * TURNS);
    rwlock_read_unlock(&s.rwlock);
    cond_release(&s.cond);
    rwlock_release(&s.rwlock);
    mutex_release(&s.mutex);
}
END_TEST

struct taken {
    struct rwlock lock;
    atomic_bool is_waiting;
    bool reads;
};

static void take_once(void *arg)
{
    struct taken *t = arg;
    atomic_store(&t->is_waiting, true);
    if (t->reads) {
        rwlock_read_lock(&t->lock);
        rwlock_read_unlock(&t->lock);
    } else {
        rwlock_write_lock(&t->lock);
        rwlock_write_unlock(&t->lock);
    }
}

/* Let a thread wait for a lock of ours for a few milliseconds; on a busy machine it may come when
 * we have gone. */
static void try_to_make_wait(bool reads)
{
    struct taken t = {.reads = reads};
    struct thread thread;
    rwlock_init(&t.lock, LOCK_REGEX);
    rwlock_write_lock(&t.lock);
    ck_assert_int_eq(thread_start(&thread, "waits", take_once, &t, NULL), OK);
    while (!atomic_load(&t.is_waiting))
        thread_sleep_ms(1);
    thread_sleep_ms(20);
    rwlock_write_unlock(&t.lock);
    thread_join(&thread);
    rwlock_release(&t.lock);
}

/* How often it is counted until it has been once. */
static uint64_t make_wait(bool reads)
{
    struct lock_waits before;
    struct lock_waits now;
    lock_waits_read(LOCK_REGEX, &before);
    for (int tries = 0; tries < 100; tries++) {
        try_to_make_wait(reads);
        lock_waits_read(LOCK_REGEX, &now);
        if (now.reads + now.writes != before.reads + before.writes) break;
    }
    return now.reads + now.writes - before.reads - before.writes;
}

START_TEST(only_who_waits_is_counted)
{
    struct lock_waits before;
    struct lock_waits now;
    struct rwlock l;
    rwlock_init(&l, LOCK_REGEX);
    lock_waits_read(LOCK_REGEX, &before);
    for (int i = 0; i < 100; i++) {
        rwlock_read_lock(&l);
        rwlock_read_unlock(&l);
        rwlock_write_lock(&l);
        rwlock_write_unlock(&l);
    }
    lock_waits_read(LOCK_REGEX, &now);
    ck_assert_uint_eq(now.reads + now.writes, before.reads + before.writes);
    ck_assert_uint_eq(make_wait(true), 1);
    lock_waits_read(LOCK_REGEX, &now);
    ck_assert_uint_eq(now.reads, before.reads + 1);
    ck_assert_uint_eq(now.writes, before.writes);
    ck_assert_uint_eq(make_wait(false), 1);
    lock_waits_read(LOCK_REGEX, &now);
    ck_assert_uint_eq(now.writes, before.writes + 1);
    ck_assert_uint_gt(now.write_ns, before.write_ns);
    rwlock_release(&l);
    for (int r = 0; r < LOCK_RANK_COUNT; r++)
        ck_assert_ptr_nonnull(lock_rank_name((enum lock_rank)r));
}
END_TEST

START_TEST(waiting_ends_when_the_time_is_up)
{
    struct cond c;
    cond_init(&c);
    int64_t start_ns = clock_mono_ns();
    mutex_lock(&low);
    while (cond_wait_for(&c, &low, 20)) {
    }
    mutex_unlock(&low);
    ck_assert_int_ge(clock_mono_ns() - start_ns, 20 * 1000000);
    cond_release(&c);
}
END_TEST

SUITE(lock, locks_are_taken_upwards_in_any_combination, a_step_down_or_sideways_ends_a_debug_build,
      threads_exclude_each_other, only_who_waits_is_counted, waiting_ends_when_the_time_is_up)
