/* heap with several threads: hand-over, exit, limit, everything at once. */
#include "alloc/heap.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "alloc/central.h"
#include "alloc/size_class.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/thread.h"
#include "tests/unit/alloc/random.h"
#include "tests/unit/alloc/stats.h"
#include "tests/unit/suite.h"

enum { THREADS = 4 };

static void use_and_leave(void *arg)
{
    (void)arg;
    void *p[100];
    for (int i = 0; i < 100; i++)
        p[i] = heap_alloc(128, HEAP_CHUNKS);
    for (int i = 0; i < 100; i++)
        heap_free(p[i], 128, HEAP_CHUNKS);
}

START_TEST(a_thread_that_ends_gives_its_objects_back)
{
    struct thread t;
    struct memstats start = stats();
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(thread_start(&t, "guest", use_and_leave, NULL, NULL), OK);
        thread_join(&t);
        struct memstats s = stats();
        ck_assert_uint_eq(s.heap_inuse, start.heap_inuse);
        ck_assert_uint_eq(s.mallocs, start.mallocs + (uint64_t)(i + 1) * 100);
        ck_assert_uint_eq(s.frees - start.frees, s.mallocs - start.mallocs);
        ck_assert_uint_eq(s.mcache_inuse, start.mcache_inuse);
        /* One cache serves them all, one after the other. */
        ck_assert_uint_lt(s.mcache_sys, 200000);
    }
    heap_check();
}
END_TEST

enum { HANDED = 5000 };

static void *handed[HANDED];

static size_t handed_size(int i)
{
    return (size_t)(16 + i % 2000);
}

static void free_handed(void *arg)
{
    (void)arg;
    for (int i = 0; i < HANDED; i++) {
        ck_assert_uint_eq(*(uint32_t *)handed[i], (uint32_t)i);
        heap_free(handed[i], handed_size(i), HEAP_CHUNKS);
    }
}

START_TEST(memory_freed_by_another_thread_serves_the_first_one_again)
{
    uint64_t inuse = 0;
    for (int round = 0; round < 10; round++) {
        struct thread t;
        for (int i = 0; i < HANDED; i++) {
            handed[i] = heap_alloc(handed_size(i), HEAP_CHUNKS);
            *(uint32_t *)handed[i] = (uint32_t)i;
        }
        if (round == 0) inuse = stats().heap_inuse;
        ck_assert_uint_le(stats().heap_inuse, inuse + inuse / 20);
        ck_assert_int_eq(thread_start(&t, "freer", free_handed, NULL, NULL), OK);
        thread_join(&t);
        ck_assert_uint_eq(stats().heap_alloc, 0);
    }
    heap_check();
}
END_TEST

/* A table that all threads fill and empty: most objects are freed by another thread. */
enum { SLOTS = 500, STEPS = 20000 };

struct slot {
    struct mutex lock;
    uint8_t *p;
    size_t size;
    enum heap_tag tag;
};

static struct slot slots[SLOTS];

struct worker {
    struct random random;
    uint64_t refused;
};

static void fill_slot(struct slot *slot, struct worker *w)
{
    slot->size = random_size(&w->random, random_below(&w->random, 20) ? 3000 : 150000);
    slot->tag = (enum heap_tag)random_below(&w->random, HEAP_TAG_COUNT);
    slot->p = heap_alloc(slot->size, slot->tag);
    if (slot->p)
        memset(slot->p, (int)(slot->size & 0xFF), slot->size);
    else
        w->refused++;
}

static void work(void *arg)
{
    struct worker *w = arg;
    for (int step = 0; step < STEPS; step++) {
        struct slot *slot = &slots[random_below(&w->random, SLOTS)];
        mutex_lock(&slot->lock);
        if (!slot->p) {
            fill_slot(slot, w);
        } else {
            ck_assert_uint_eq(slot->p[slot->size - 1], slot->size & 0xFF);
            heap_free(slot->p, slot->size, slot->tag);
            slot->p = NULL;
        }
        mutex_unlock(&slot->lock);
        uint64_t what = random_below(&w->random, 1000);
        if (what == 0) heap_scavenge(1 << 20);
        if (what == 1) heap_flush_thread();
        if (what == 2) heap_check();
        if (what >= 990) /* no idle run stands before it, as in heap_scavenge */
            central_trim(1 + (unsigned)(step % (SIZE_CLASS_COUNT - 1)), 0, 1 << 20, false);
        if (what == 3) heap_scavenge_round(clock_mono_ns() * 1000); /* hours in seconds */
    }
}

static uint64_t work_together(struct random *r)
{
    struct thread threads[THREADS];
    struct worker workers[THREADS];
    uint64_t refused = 0;
    for (int i = 0; i < SLOTS; i++)
        mutex_init(&slots[i].lock, LOCK_SHARD);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.random.state = random_next(r)};
        ck_assert_int_eq(thread_start(&threads[i], "worker", work, &workers[i], NULL), OK);
    }
    for (int i = 0; i < THREADS; i++) {
        thread_join(&threads[i]);
        refused += workers[i].refused;
    }
    for (int i = 0; i < SLOTS; i++) {
        if (slots[i].p) heap_free(slots[i].p, slots[i].size, slots[i].tag);
        slots[i].p = NULL;
        mutex_release(&slots[i].lock);
    }
    heap_flush_thread();
    heap_check();
    return refused;
}

START_TEST(threads_trade_objects_and_nothing_is_lost)
{
    struct random r = random_start("heap_threads");
    ck_assert_uint_eq(work_together(&r), 0);
    struct memstats s = stats();
    ck_assert_uint_eq(s.heap_alloc, 0);
    ck_assert_uint_eq(s.heap_requested, 0);
    ck_assert_uint_eq(s.heap_inuse, 0);
}
END_TEST

static void watch_limit(void *arg)
{
    atomic_bool *stop = arg;
    while (!atomic_load_explicit(stop, memory_order_relaxed)) {
        ck_assert_uint_le(heap_used_bytes(), heap_limit());
        thread_sleep_ms(1);
    }
}

START_TEST(the_limit_holds_while_threads_press_against_it)
{
    struct random r = random_start("heap_threads at the limit");
    struct thread watcher;
    atomic_bool stop = false;
    heap_scavenge(UINT64_MAX);
    heap_set_limit(heap_used_bytes() + (512 << 10)); /* a fraction of what they hold else */
    ck_assert_int_eq(thread_start(&watcher, "watcher", watch_limit, &stop, NULL), OK);
    uint64_t refused = work_together(&r);
    atomic_store(&stop, true);
    thread_join(&watcher);
    ck_assert_uint_gt(refused, 0);
    ck_assert_uint_ge(stats().limit_refusals, refused);
    ck_assert_uint_eq(stats().heap_alloc, 0);
    heap_set_limit(0);
    /* And then there is room again. */
    void *p = heap_alloc(16 << 20, HEAP_CHUNKS);
    ck_assert_ptr_nonnull(p);
    heap_free(p, 16 << 20, HEAP_CHUNKS);
}
END_TEST

struct failing {
    atomic_uint given;
};

static void take_many(void *arg)
{
    struct failing *f = arg;
    for (int i = 0; i < 1000; i++) {
        void *p = heap_alloc(40, HEAP_HTTP);
        if (!p) continue;
        atomic_fetch_add(&f->given, 1);
        heap_free(p, 40, HEAP_HTTP);
    }
}

START_TEST(failures_are_counted_over_all_threads)
{
    struct thread threads[THREADS];
    struct failing f = {0};
    heap_fail_after(1234);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(thread_start(&threads[i], "taker", take_many, &f, NULL), OK);
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
    heap_fail_after(UINT64_MAX);
    ck_assert_uint_eq(atomic_load(&f.given), 1234);
}
END_TEST

/* Without a cache (none fits under the limit) a thread is served from the central lists. */
struct pressed {
    void *given[10];
    int count;
};

static void live_without_cache(void *arg)
{
    struct pressed *pressed = arg;
    for (int i = 0; i < 10; i++) {
        void *p = heap_alloc(64, HEAP_HTTP);
        if (!p) break;
        pressed->given[pressed->count++] = p;
    }
    for (int i = 0; i < 5 && i < pressed->count; i++)
        heap_free(pressed->given[i], 64, HEAP_HTTP);
}

START_TEST(a_thread_that_gets_no_cache_still_allocates_and_frees)
{
    struct pressed pressed = {0};
    struct thread t;
    void *keeps_the_span = heap_alloc(64, HEAP_HTTP);
    uint64_t before = stats().mcache_sys;
    heap_set_limit(1);
    ck_assert_int_eq(thread_start(&t, "pressed", live_without_cache, &pressed, NULL), OK);
    thread_join(&t);
    heap_set_limit(0);
    ck_assert_int_eq(pressed.count, 10);
    struct memstats s = stats();
    ck_assert_uint_eq(s.tag_requested[HEAP_HTTP], UINT64_C(6) * 64);
    if (s.mcache_sys == before) ck_assert_uint_eq(s.tag_objects[HEAP_HTTP], 6);
    for (int i = 5; i < 10; i++)
        heap_free(pressed.given[i], 64, HEAP_HTTP);
    heap_free(keeps_the_span, 64, HEAP_HTTP);
    ck_assert_uint_eq(stats().heap_objects, 0);
    heap_flush_thread();
    ck_assert_uint_eq(stats().heap_inuse, 0);
    heap_check();
}
END_TEST

SUITE(heap_threads, a_thread_that_ends_gives_its_objects_back,
      memory_freed_by_another_thread_serves_the_first_one_again,
      threads_trade_objects_and_nothing_is_lost, the_limit_holds_while_threads_press_against_it,
      failures_are_counted_over_all_threads, a_thread_that_gets_no_cache_still_allocates_and_frees)
