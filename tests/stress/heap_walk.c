/*
 * heap_walk - a random walk through alloc/, beside a model.
 *
 *     heap_walk [--ops=1000000] [--long-ops=OPS] [--threads=1] [--seconds=unbounded] [--seed=clock]
 *
 * ops is the sum over all threads; long-ops replaces it when HEARTH_LONG is in the environment. It
 * ends after so many operations or so many seconds, whichever comes first. A broken promise ends
 * the process by an ASSERT or by a sanitizer; the seed is printed first, and with one thread it
 * repeats the walk (but for how much the scavenger does, which goes by CPU time). See walk.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/audit.h"
#include "alloc/memstats.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/thread.h"
#include "tests/stress/walk.h"

enum { TURN_OPS_MAX = 400000, REPORT_TURNS = 64 };

static struct walker walkers[WALK_THREADS_MAX];

static uint64_t option(int argc, char **argv, const char *name, uint64_t fallback)
{
    size_t length = strlen(name);
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], name, length) == 0) return strtoull(argv[i] + length, NULL, 0);
    return fallback;
}

static void walk(void *arg)
{
    struct walker *w = arg;
    for (; w->ops_left; w->ops_left--) {
        uint64_t what = random_below(&w->random, 4000);
        if (what < 2)
            weather_change(w);
        else if (what < 15)
            arenas_step(w);
        else if (what < 60)
            bufs_step(w);
        else if (what < 400)
            chains_step(w);
        else if (what < 600)
            windows_step(w);
        else
            objects_step(w);
    }
    windows_leave(w);
}

/* Nobody walks: what the books say is what the model says, to the object and the byte. */
static void compare_books(unsigned threads)
{
    static struct memstats s;
    struct census census = {0};
    while (epoch_collect(&walk_epoch, SIZE_MAX))
        continue;
    ASSERT(epoch_garbage(&walk_epoch) == 0); /* nobody is inside */
    heap_flush_thread();
    heap_check();
    ASSERT(audit_books());
    memstats_read(&s);
    memstats_check(&s);
    objects_count(walkers, threads, &census);
    windows_count_shared(&census);
    for (unsigned i = 0; i < threads; i++) {
        bufs_count(&walkers[i], &census);
        chains_count(&walkers[i], &census);
    }
    for (int t = 0; t < HEAP_TAG_COUNT; t++) {
        ASSERT(s.tag_objects[t] == census.objects[t]);
        ASSERT(s.tag_bytes[t] == census.bytes[t]);
        ASSERT(s.tag_requested[t] == census.requested[t]);
    }
}

/* Threads start, walk, end. */
static void turn(unsigned threads, uint64_t ops)
{
    struct thread running[WALK_THREADS_MAX];
    for (unsigned i = 0; i < threads; i++) {
        walkers[i].ops_left = ops;
        ASSERT(thread_start(&running[i], "walker", walk, &walkers[i], NULL) == OK);
    }
    for (unsigned i = 0; i < threads; i++)
        thread_join(&running[i]);
    weather_clear();
    compare_books(threads);
}

/* Everything is given back: nothing is left, and all of it can go. */
static void finish(unsigned threads)
{
    static struct memstats s;
    for (unsigned i = 0; i < threads; i++) {
        objects_drop(&walkers[i]);
        bufs_drop(&walkers[i]);
        chains_drop(&walkers[i]);
    }
    objects_drop_shared(&walkers[0]);
    windows_drop_shared(&walkers[0]);
    compare_books(threads);
    memstats_read(&s);
    ASSERT(s.heap_objects == 0 && s.heap_alloc == 0 && s.heap_inuse == 0);
    heap_scavenge_lazily(false);
    heap_scavenge(UINT64_MAX);
    memstats_read(&s);
    ASSERT(s.heap_released == s.heap_idle && s.heap_idle == s.heap_sys);
}

static void report(const char *what, uint64_t done, unsigned threads, int64_t start_ns)
{
    struct walker sum = {0};
    for (unsigned i = 0; i < threads; i++) {
        sum.refused += walkers[i].refused;
        sum.traded += walkers[i].traded;
        sum.moved += walkers[i].moved;
        sum.gathered += walkers[i].gathered;
        sum.sealed += walkers[i].sealed;
        sum.expired += walkers[i].expired;
    }
    printf("%s %llu operations, %.1f s; refused %llu, traded %llu, moved %llu, gathered %llu, "
           "sealed %llu, expired %llu\n",
           what, (unsigned long long)done, (double)(clock_mono_ns() - start_ns) * 1e-9,
           (unsigned long long)sum.refused, (unsigned long long)sum.traded,
           (unsigned long long)sum.moved, (unsigned long long)sum.gathered,
           (unsigned long long)sum.sealed, (unsigned long long)sum.expired);
    fflush(stdout);
}

static void start_walkers(unsigned threads, struct random *r)
{
    for (unsigned i = 0; i < threads; i++) {
        walkers[i] = (struct walker){.index = i, .random.state = random_next(r)};
        bufs_init(&walkers[i]);
    }
}

int main(int argc, char **argv)
{
    uint64_t ops = option(argc, argv, "--ops=", 1000000);
    if (getenv("HEARTH_LONG")) ops = option(argc, argv, "--long-ops=", ops);
    unsigned threads = (unsigned)option(argc, argv, "--threads=", 1);
    int64_t start_ns = clock_mono_ns();
    int64_t max_ns = (int64_t)option(argc, argv, "--seconds=", INT32_MAX) * INT64_C(1000000000);
    struct random r = {.state = option(argc, argv, "--seed=", (uint64_t)start_ns)};
    if (threads < 1 || threads > WALK_THREADS_MAX) return 2;
    printf("heap_walk --ops=%llu --threads=%u --seed=%llu\n", (unsigned long long)ops, threads,
           (unsigned long long)r.state);
    fflush(stdout);
    objects_init();
    chains_init(threads);
    windows_init();
    weather_init(threads);
    start_walkers(threads, &r);
    uint64_t done = 0;
    for (unsigned turns = 0; done < ops && clock_mono_ns() - start_ns < max_ns; turns++) {
        uint64_t each = random_size(&r, TURN_OPS_MAX);
        if (each > (ops - done) / threads + 1) each = (ops - done) / threads + 1;
        turn(threads, each);
        done += each * threads;
        if (turns % REPORT_TURNS == 0) report("after", done, threads, start_ns);
    }
    finish(threads);
    report("all of", done, threads, start_ns);
    return 0;
}
