/*
 * create - what a new series costs, from the bytes of a request to the store, without network and
 * log.
 *
 *     create [series=100000] [rounds=3] [threads=1] [passes=3]
 *
 * Requests as bench/storage/feed.h makes them; the first sample of each series
 * makes it, two more find it. Each round has a store of its own.
 *
 * Prints the CPU per series of the best round: made, in the order of before, and in the opposite
 * order of requests.
 */
#include <pthread.h>
#include <stdbool.h>

#include "bench/storage/feed.h"
#include "bench/storage/program.h"

enum { STEP_MS = 15000, PASSES = 3, THREADS_MAX = 16 };

struct worker {
    pthread_t thread;
    struct storage *db;
    const struct feed *feed;
    unsigned first; /* of its requests; then every `step`-th */
    unsigned step;
    bool backwards;
    double cpu_s;
};

static void *work(void *self)
{
    struct worker *w = self;
    const struct feed *feed = w->feed;
    struct arena a;
    arena_init(&a, HEAP_HTTP, UINT64_MAX);
    double start_s = cpu_s();
    for (size_t i = w->first; i < feed->count; i += w->step) {
        size_t at = w->backwards ? feed->count - 1 - i : i;
        feed_write(w->db, &a, feed->items[at]);
        arena_reset(&a);
    }
    w->cpu_s = cpu_s() - start_s;
    arena_release(&a);
    return NULL;
}

/* All bodies on so many threads; the CPU of all. */
static double run(struct storage *db, const struct feed *feed, unsigned threads, bool backwards)
{
    struct worker workers[THREADS_MAX];
    double total_s = 0;
    for (unsigned i = 0; i < threads; i++) {
        workers[i] = (struct worker){
            .db = db, .feed = feed, .first = i, .step = threads, .backwards = backwards};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) exit(1);
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        total_s += workers[i].cpu_s;
    }
    return total_s;
}

int main(int argc, char **argv)
{
    unsigned series = option(argc, argv, "series", 100000);
    unsigned rounds = option(argc, argv, "rounds", 3);
    unsigned threads = option(argc, argv, "threads", 1);
    struct feed feeds[PASSES] = {0};
    double best[PASSES] = {0};
    struct error err;
    unsigned passes = option(argc, argv, "passes", PASSES);
    if (threads < 1 || threads > THREADS_MAX || passes > PASSES) return 2;
    for (unsigned n = 0; n < passes; n++)
        feed_make(&feeds[n], series, n, clock_wall_ms() - (int64_t)PASSES * STEP_MS, STEP_MS);
    for (unsigned round = 0; round < rounds; round++) {
        struct storage_options options = storage_options_default();
        struct storage *db;
        must(storage_open(&options, &db, &err), &err);
        for (unsigned n = 0; n < passes; n++) {
            double s = run(db, &feeds[n], threads, n == PASSES - 1);
            if (round == 0 || s < best[n]) best[n] = s;
        }
        storage_close(db);
    }
    printf("%u series, %u threads, ns each: made %.0f, next sample %.0f, requests in other order "
           "%.0f\n",
           series, threads, best[0] * 1e9 / series, best[1] * 1e9 / series, best[2] * 1e9 / series);
    return 0;
}
