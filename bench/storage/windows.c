/*
 * windows - what the end of a window costs the storage itself, with windows of two seconds.
 *
 *     windows [series=20000] [samples=120] [windows=12]
 *
 * Every series gets so many samples a window, one at a time; when the window has closed,
 * storage_maintain runs until it has sealed and expired what it wants to. In the end all is
 * exported and imported into a second storage, as a restart does it.
 *
 * Prints per window the CPU of an append, and of sealing (with it expiry) per chunk; then the holds
 * of a shard's lock by sweeps, and the CPU of an import per chunk.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "bench/storage/program.h"
#include "storage/appender.h"
#include "storage/export.h"
#include "storage/storage.h"

enum { WINDOW_MS = 2000, BATCH = 500, CARRIED = 128, DIGITS = 12 };

static unsigned series, samples;
static struct label (*labels)[2]; /* [series] */
static char (*names)[DIGITS];

static void name_series(void)
{
    labels = calloc(series, sizeof(*labels));
    names = calloc(series, sizeof(*names));
    if (!labels || !names) exit(1);
    for (unsigned i = 0; i < series; i++) {
        snprintf(names[i], DIGITS, "%u", i);
        labels[i][0] = (struct label){str_from("__name__"), str_from("m")};
        labels[i][1] = (struct label){str_from("i"), str_from(names[i])};
    }
}

/* The k-th sample of the window of every series; integers that go up at a pace of the series' own.
 */
static void append(struct storage *db, struct arena *a, int64_t t_ms, uint64_t k)
{
    struct error err;
    for (unsigned first = 0; first < series; first += BATCH) {
        struct sample batch[BATCH];
        struct append_result result;
        struct appender *app;
        unsigned end = first + BATCH < series ? first + BATCH : series;
        arena_reset(a);
        must(appender_begin(db, a, &app, &err), &err);
        for (unsigned i = first; i < end; i++) {
            uint64_t jitter = (k * 2654435761u + (uint64_t)i * 40503u) >> 7 & 15;
            batch[i - first] = (struct sample){t_ms, (double)(k * (i % 1000) + jitter)};
            must(appender_add(app, (struct labels){labels[i], 2}, &batch[i - first], 1, &err),
                 &err);
        }
        must(appender_commit(app, &result, &err), &err);
        if (result.stored != end - first) exit(1);
    }
}

/* Rounds until another sweep has come to its end and what it dropped is freed. */
static double settle(struct storage *db)
{
    const struct counter *sweeps = &storage_sweep_times(db)->sweeps;
    uint64_t before = counter_read(sweeps);
    double start_s = cpu_s();
    while (storage_maintain(db) || counter_read(sweeps) == before)
        continue;
    return cpu_s() - start_s;
}

static void wait_until(int64_t t_ms)
{
    while (clock_wall_ms() < t_ms)
        thread_sleep_ms(1);
}

static void print_holds(const struct storage *db)
{
    const struct sweep_times *times = storage_sweep_times(db);
    printf("holds");
    for (unsigned i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        uint64_t count = counter_read(&times->holds.buckets[i]);
        if (count) printf(" <=%uus:%llu", 1u << i, (unsigned long long)count);
    }
    printf("\n");
}

/* Chunks on their way from one storage to another, as from a file: copied, and neighbours with the
 * same times share a column. */
struct carried {
    struct chunk_image images[CARRIED];
    size_t count;
    struct arena arena;
};

static const uint8_t *copy_bytes(struct arena *a, const uint8_t *bytes, size_t size)
{
    struct str copy = arena_copy(a, (struct str){(const char *)bytes, size});
    if (!copy.data) exit(1);
    return (const uint8_t *)copy.data;
}

static void carry(struct carried *c, const struct chunk_image *image)
{
    struct error err;
    struct chunk_image *to = &c->images[c->count];
    const struct chunk_image *last = c->count ? to - 1 : NULL;
    *to = *image;
    to->bytes = copy_bytes(&c->arena, image->bytes, image->size);
    if (last && last->times && image->times && last->times_size == image->times_size &&
        memcmp(last->times, image->times, image->times_size) == 0)
        to->times = last->times;
    else if (image->times)
        to->times = copy_bytes(&c->arena, image->times, image->times_size);
    must(labels_copy(image->labels, &c->arena, &to->labels, &err), &err);
    c->count++;
}

/* Returns the CPU it took. */
static double deliver(struct carried *c, struct storage *to)
{
    struct error err;
    size_t done;
    double start_s = cpu_s();
    must(import_chunks(to, c->images, c->count, &done, &err), &err);
    double took_s = cpu_s() - start_s;
    c->count = 0;
    arena_reset(&c->arena);
    return took_s;
}

static void restore(struct storage *from, struct arena *a)
{
    static struct carried carried;
    struct storage_options options = storage_options_default();
    struct window_info windows[STORAGE_WINDOWS_MAX];
    struct storage *to;
    struct error err;
    double import_s = 0;
    uint64_t chunks = 0;
    options.chunk_ms = WINDOW_MS;
    options.future_ms = WINDOW_MS;
    must(storage_open(&options, &to, &err), &err);
    arena_init(&carried.arena, HEAP_HTTP, UINT64_C(1) << 30);
    size_t count = export_windows(from, windows);
    for (size_t w = 0; w < count; w++) {
        struct exporter *e;
        struct chunk_image image;
        bool more;
        arena_reset(a);
        must(export_open(from, windows[w].window, a, &e, &err), &err);
        while (must(export_next(e, &image, &more, &err), &err), more) {
            carry(&carried, &image);
            chunks++;
            if (carried.count == CARRIED) import_s += deliver(&carried, to);
        }
        import_s += deliver(&carried, to);
        export_close(e);
    }
    import_finish(to);
    arena_release(&carried.arena);
    printf("import_ns %.0f\n", import_s * 1e9 / (double)(chunks ? chunks : 1));
    storage_close(to);
}

int main(int argc, char **argv)
{
    struct storage_options options = storage_options_default();
    struct storage *db;
    struct arena a;
    struct error err;
    series = option(argc, argv, "series", 20000);
    samples = option(argc, argv, "samples", 120);
    unsigned windows = option(argc, argv, "windows", 12);
    if (series == 0 || samples == 0) return 2;
    name_series();
    arena_init(&a, HEAP_HTTP, UINT64_C(1) << 30);
    options.chunk_ms = WINDOW_MS;
    options.future_ms = WINDOW_MS;
    must(storage_open(&options, &db, &err), &err);
    int64_t start_ms = (clock_wall_ms() / WINDOW_MS + 1) * WINDOW_MS;
    for (unsigned w = 0; w < windows; w++, start_ms += WINDOW_MS) {
        double append_s = 0;
        for (unsigned k = 0; k < samples; k++) {
            int64_t t_ms = start_ms + (int64_t)k * (WINDOW_MS / (int64_t)samples);
            if (k == 0) wait_until(start_ms);
            double start_s = cpu_s();
            append(db, &a, t_ms, k);
            append_s += cpu_s() - start_s;
        }
        wait_until(start_ms + WINDOW_MS + WINDOW_MS / 8);
        double seal_s = settle(db);
        printf("window %u append_ns %.1f seal_ns %.0f\n", w, append_s * 1e9 / series / samples,
               seal_s * 1e9 / series);
    }
    print_holds(db);
    restore(db, &a);
    storage_close(db);
    arena_release(&a);
    return 0;
}
