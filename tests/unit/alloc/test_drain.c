/* drain: idle caches become empty, busy ones stay, and owners that wake up notice nothing. */
#include "alloc/drain.h"

#include <stdatomic.h>

#include "alloc/cache.h"
#include "alloc/os.h"
#include "base/thread.h"
#include "tests/unit/alloc/random.h"
#include "tests/unit/alloc/stats.h"
#include "tests/unit/suite.h"

/* A thread that leaves objects in its cache and sleeps until it is told to go on. */
struct sleeper {
    atomic_int step; /* 1: has used its cache, 2: may go on, 3: has used it again, 4: may end */
};

static void await_step(struct sleeper *s, int step)
{
    while (atomic_load(&s->step) < step)
        thread_sleep_ms(1);
}

static void use_cache(void)
{
    enum { OBJECTS = 1000 };
    void *p[OBJECTS];
    for (int i = 0; i < OBJECTS; i++)
        p[i] = heap_alloc(512, HEAP_QUERY);
    for (int i = 0; i < OBJECTS; i++)
        heap_free(p[i], 512, HEAP_QUERY);
    void *large = heap_alloc(100000, HEAP_QUERY);
    heap_free(large, 100000, HEAP_QUERY);
}

static void sleep_with_a_cache(void *arg)
{
    struct sleeper *s = arg;
    use_cache();
    atomic_store(&s->step, 1);
    await_step(s, 2);
    use_cache();
    atomic_store(&s->step, 3);
    await_step(s, 4);
}

START_TEST(all_caches_are_emptied_at_once_when_asked)
{
    struct thread t;
    struct sleeper s = {0};
    use_cache();
    ck_assert_int_eq(thread_start(&t, "sleeper", sleep_with_a_cache, &s, NULL), OK);
    await_step(&s, 1);
    ck_assert_uint_gt(stats().heap_inuse, 0);
    ck_assert_uint_gt(drain_all(), 0);
    ck_assert_uint_eq(stats().heap_inuse, 0);
    ck_assert_uint_eq(drain_all(), 0);
    atomic_store(&s.step, 2);
    await_step(&s, 3);
    atomic_store(&s.step, 4);
    thread_join(&t);
    use_cache();
    heap_flush_all();
    ck_assert_uint_eq(stats().heap_inuse, 0);
    heap_check();
}
END_TEST

START_TEST(the_cache_of_an_idle_thread_is_emptied_without_its_help)
{
    struct thread t;
    struct sleeper s = {0};
    ck_assert(os_barrier());
    heap_flush_thread();
    ck_assert_int_eq(thread_start(&t, "sleeper", sleep_with_a_cache, &s, NULL), OK);
    await_step(&s, 1);
    int64_t now_ns = 1000 * DRAIN_IDLE_NS;
    ck_assert_uint_eq(drain_idle(now_ns), 0); /* seen for the first time */
    ck_assert_uint_eq(drain_idle(now_ns + DRAIN_IDLE_NS - 1), 0);
    ck_assert_uint_gt(stats().heap_inuse, 0);
    ck_assert_uint_gt(drain_idle(now_ns + DRAIN_IDLE_NS), 0);
    ck_assert_uint_eq(stats().heap_inuse, 0);
    ck_assert_uint_eq(drain_idle(now_ns + 2 * DRAIN_IDLE_NS), 0); /* nothing new in it */
    /* It works as before, and is watched again. */
    atomic_store(&s.step, 2);
    await_step(&s, 3);
    ck_assert_uint_gt(stats().heap_inuse, 0);
    ck_assert_uint_eq(drain_idle(now_ns + 3 * DRAIN_IDLE_NS), 0);
    ck_assert_uint_gt(drain_idle(now_ns + 4 * DRAIN_IDLE_NS), 0);
    ck_assert_uint_eq(stats().heap_inuse, 0);
    atomic_store(&s.step, 4);
    thread_join(&t);
    heap_check();
}
END_TEST

START_TEST(a_thread_in_the_middle_of_something_keeps_its_cache)
{
    heap_flush_thread();
    heap_free(heap_alloc(512, HEAP_QUERY), 512, HEAP_QUERY);
    int64_t now_ns = 2000 * DRAIN_IDLE_NS;
    (void)drain_idle(now_ns);
    struct cache *mine = cache_enter();
    ck_assert_ptr_nonnull(mine);
    ck_assert_uint_eq(drain_idle(now_ns + DRAIN_IDLE_NS), 0);
    ck_assert_ptr_eq(cache_enter(), mine);
    cache_leave();
    ck_assert_uint_gt(drain_idle(now_ns + DRAIN_IDLE_NS), 0);
    ck_assert_ptr_eq(cache_enter(), mine);
    cache_leave();
    heap_check();
}
END_TEST

/* Owners that work, go idle and wake up at random, and end at random, too. */
struct owner {
    struct random random;
    atomic_bool *stop;
};

static void own(void *arg)
{
    enum { OBJECTS = 200 };
    struct owner *o = arg;
    struct random *r = &o->random;
    uint8_t *p[OBJECTS] = {0};
    size_t sizes[OBJECTS];
    uint64_t left = 10000 + random_below(r, 100000);
    while (left-- > 0 && !atomic_load_explicit(o->stop, memory_order_relaxed)) {
        size_t i = random_below(r, OBJECTS);
        if (p[i]) {
            ck_assert_uint_eq(p[i][sizes[i] - 1], (uint8_t)i);
            heap_free(p[i], sizes[i], HEAP_QUERY);
            p[i] = NULL;
        } else {
            sizes[i] = random_size(r, random_below(r, 50) ? 2000 : 100000);
            ck_assert_ptr_nonnull(p[i] = heap_alloc(sizes[i], HEAP_QUERY));
            p[i][sizes[i] - 1] = (uint8_t)i;
        }
        uint64_t what = random_below(r, 5000);
        if (what == 0) thread_sleep_ms((int64_t)random_below(r, 10));
        if (what == 1) heap_flush_thread();
        if (what == 2) heap_check();
    }
    for (size_t i = 0; i < OBJECTS; i++)
        if (p[i]) heap_free(p[i], sizes[i], HEAP_QUERY);
}

struct drainer {
    atomic_bool *stop;
    uint64_t drained;
};

/* Every look is an idle age later: all caches that had no traffic in between are due. */
static void drain_all_the_time(void *arg)
{
    struct drainer *d = arg;
    int64_t now_ns = 10000 * DRAIN_IDLE_NS;
    while (!atomic_load_explicit(d->stop, memory_order_relaxed)) {
        d->drained += drain_idle(now_ns);
        now_ns += DRAIN_IDLE_NS;
        if (now_ns / DRAIN_IDLE_NS % 16 == 0) thread_sleep_ms(1); /* the lock is not fair */
    }
}

START_TEST(owners_that_wake_up_at_random_lose_nothing)
{
    enum { OWNERS = 4, DRAINERS = 2, LIVES = 8 / SUITE_FEWER };
    struct random r = random_start("drain");
    struct thread threads[OWNERS];
    struct thread drainer_threads[DRAINERS];
    struct owner owners[OWNERS];
    struct drainer drainers[DRAINERS];
    atomic_bool stop = false;
    atomic_bool stop_drainers = false;
    heap_flush_thread();
    for (int i = 0; i < DRAINERS; i++) {
        drainers[i] = (struct drainer){.stop = &stop_drainers};
        ck_assert_int_eq(
            thread_start(&drainer_threads[i], "drain", drain_all_the_time, &drainers[i], NULL), OK);
    }
    for (int life = 0; life < LIVES; life++) {
        for (int i = 0; i < OWNERS; i++) {
            owners[i] = (struct owner){.random.state = random_next(&r), .stop = &stop};
            ck_assert_int_eq(thread_start(&threads[i], "owner", own, &owners[i], NULL), OK);
        }
        for (int i = 0; i < 20; i++) {
            struct memstats s = stats();
            ck_assert_uint_le(s.heap_requested, s.heap_alloc);
            ck_assert_uint_le(s.heap_alloc, s.heap_inuse);
            ck_assert_uint_eq(s.heap_sys, s.heap_inuse + s.heap_idle);
            thread_sleep_ms((int64_t)random_below(&r, 5));
        }
        atomic_store(&stop, life % 2);
        for (int i = 0; i < OWNERS; i++)
            thread_join(&threads[i]);
        atomic_store(&stop, false);
    }
    atomic_store(&stop_drainers, true);
    uint64_t drained = 0;
    for (int i = 0; i < DRAINERS; i++) {
        thread_join(&drainer_threads[i]);
        drained += drainers[i].drained;
    }
    ck_assert_uint_gt(drained, 0);
    heap_flush_thread();
    struct memstats s = stats();
    ck_assert_uint_eq(s.heap_objects, 0);
    ck_assert_uint_eq(s.heap_requested, 0);
    ck_assert_uint_eq(s.heap_inuse, 0);
    heap_check();
}
END_TEST

SUITE(drain, all_caches_are_emptied_at_once_when_asked,
      the_cache_of_an_idle_thread_is_emptied_without_its_help,
      a_thread_in_the_middle_of_something_keeps_its_cache,
      owners_that_wake_up_at_random_lose_nothing)
