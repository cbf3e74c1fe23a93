/*
 * create - what a new series costs, from the bytes of a request to the store, without network and
 * log.
 *
 *     create [series=100000] [rounds=3] [threads=1] [passes=3]
 *
 * Bodies as in bench/bodies.h, one sample of each series, 2000 series in each; the first sample
 * makes the series, two more find them. Each round has a store of its own.
 *
 * Prints the CPU per series of the best round: made, in the order of before, and in the opposite
 * order of requests.
 */
#include <pthread.h>
#include <stdbool.h>

#include "bench/bodies.h"
#include "bench/storage/program.h"
#include "storage/appender.h"
#include "storage/storage.h"
#include "wire/frame.h"
#include "wire/remote_write.h"

enum { PER_REQUEST = 2000, STEP_MS = 15000, PASSES = 3, THREADS_MAX = 16 };

/* The requests of one sample of every series. */
struct bodies {
    struct str *items;
    size_t count;
    char *bytes;
};

struct worker {
    pthread_t thread;
    struct storage *db;
    const struct bodies *bodies;
    unsigned first; /* of its bodies; then every `step`-th */
    unsigned step;
    bool backwards;
    double cpu_s;
};

static void make_bodies(unsigned series, unsigned n, struct bodies *out)
{
    size_t size;
    FILE *file = open_memstream(&out->bytes, &size);
    struct body_plan plan = {.series = series,
                             .samples = PASSES,
                             .series_per_request = PER_REQUEST,
                             .samples_per_request = 1,
                             .connections = 1,
                             .start_ms = clock_wall_ms() - (int64_t)PASSES * STEP_MS,
                             .step_ms = STEP_MS};
    if (!file || bodies_write(file, &plan, n, 1) < 0 || fclose(file) != 0) exit(1);
    out->items = calloc(series / PER_REQUEST + 2, sizeof(*out->items));
    if (!out->items) exit(1);
    for (size_t at = 0; at < size;) {
        uint32_t header[2];
        memcpy(header, out->bytes + at, sizeof(header));
        at += sizeof(header);
        out->items[out->count++] = (struct str){out->bytes + at, header[1]};
        at += header[1];
    }
}

/* As server/api_write.c does it. */
static void stage(struct appender *app, struct remote_write *rw, struct remote_series *series)
{
    struct error err;
    size_t label_bytes = 0;
    struct series *known = appender_expect(app, series->message, &label_bytes);
    must(remote_write_read(rw, series, label_bytes, &err), &err);
    if (!series->skipped) known = appender_find(app, series->sent);
    if (known) {
        must(appender_add_to(app, known, series->samples, series->sample_count, &err), &err);
        return;
    }
    must(remote_write_check(rw, series), &series->error);
    must(appender_add(app, series->labels, series->samples, series->sample_count, &err), &err);
}

static void write_body(struct storage *db, struct arena *a, struct str body)
{
    struct error err;
    struct remote_write rw;
    struct remote_series series;
    struct append_result result;
    struct appender *app;
    struct str plain;
    bool more = true;
    must(frame_decode(body, FRAME_DECODED_BYTES_MAX, a, &plain, &err), &err);
    must(appender_begin(db, a, &app, &err), &err);
    remote_write_open(&rw, plain, a);
    while (remote_write_next(&rw, &series, &more, &err) == OK && more)
        stage(app, &rw, &series);
    must(appender_commit(app, &result, &err), &err);
    if (result.stored != rw.counts.samples) exit(1);
}

static void *work(void *self)
{
    struct worker *w = self;
    const struct bodies *bodies = w->bodies;
    struct arena a;
    arena_init(&a, HEAP_HTTP, UINT64_MAX);
    double start_s = cpu_s();
    for (size_t i = w->first; i < bodies->count; i += w->step) {
        size_t at = w->backwards ? bodies->count - 1 - i : i;
        write_body(w->db, &a, bodies->items[at]);
        arena_reset(&a);
    }
    w->cpu_s = cpu_s() - start_s;
    arena_release(&a);
    return NULL;
}

/* All bodies on so many threads; the CPU of all. */
static double run(struct storage *db, const struct bodies *bodies, unsigned threads, bool backwards)
{
    struct worker workers[THREADS_MAX];
    double total_s = 0;
    for (unsigned i = 0; i < threads; i++) {
        workers[i] = (struct worker){
            .db = db, .bodies = bodies, .first = i, .step = threads, .backwards = backwards};
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
    struct bodies bodies[PASSES] = {0};
    double best[PASSES] = {0};
    struct error err;
    unsigned passes = option(argc, argv, "passes", PASSES);
    if (threads < 1 || threads > THREADS_MAX || passes > PASSES) return 2;
    for (unsigned n = 0; n < passes; n++)
        make_bodies(series, n, &bodies[n]);
    for (unsigned round = 0; round < rounds; round++) {
        struct storage_options options = storage_options_default();
        struct storage *db;
        must(storage_open(&options, &db, &err), &err);
        for (unsigned n = 0; n < passes; n++) {
            double s = run(db, &bodies[n], threads, n == PASSES - 1);
            if (round == 0 || s < best[n]) best[n] = s;
        }
        storage_close(db);
    }
    printf("%u series, %u threads, ns each: made %.0f, next sample %.0f, requests in other order "
           "%.0f\n",
           series, threads, best[0] * 1e9 / series, best[1] * 1e9 / series, best[2] * 1e9 / series);
    return 0;
}
