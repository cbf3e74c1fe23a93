/*
 * restart - how long a start takes, and how much memory, without network.
 *
 *     restart make FOLDER [series=100000] [samples=120] [windows=1] [step=15000] [batch=60] [log=0]
 *     restart load FOLDER [threads=0]
 *
 * make fills a data folder: so many samples of every series (bench/bodies.h) in each window,
 * `batch` of them in one request; the last window is the open one, the others are sealed. With
 * log=1 all of it is left in the log, as after kill -9, else in a snapshot, as after a clean stop.
 * The clock is turned by hand, and what it said in the end is kept beside the folder.
 *
 * load does what a start does, and prints how long it took (s), the CPU of it, resident memory
 * afterwards, its peak, and what is held.
 */
#include <time.h>

#include "alloc/memstats.h"
#include "base/lock.h"
#include "bench/bodies.h"
#include "bench/storage/program.h"
#include "snapshot/durability.h"
#include "storage/appender.h"

enum { LABELS_MAX = 10, PER_REQUEST = 2000, BATCH_MAX = 512, SEAL_AFTER_MS = 60000 };

struct made {
    struct label labels[LABELS_MAX];
    size_t label_count;
};

/* The labels as bench/bodies.h writes them: fields of fields, all shorter than 128 bytes. */
static void read_labels(struct made *m, const uint8_t *at, size_t size)
{
    for (const uint8_t *end = at + size; at < end; at += 2 + at[1]) {
        const uint8_t *name = at + 2;
        const uint8_t *value = name + 2 + name[1];
        m->labels[m->label_count++] = (struct label){.name = {(const char *)name + 2, name[1]},
                                                     .value = {(const char *)value + 2, value[1]}};
    }
}

static struct made *make_series(unsigned series)
{
    struct made *all = calloc(series, sizeof(*all));
    if (!all) exit(1);
    for (unsigned i = 0; i < series; i++) {
        uint8_t bytes[BODIES_LABELS_BYTES_MAX];
        size_t size = bodies_labels(bytes, i / SERIES_PER_TARGET, i % SERIES_PER_TARGET);
        uint8_t *kept = malloc(size);
        if (!kept) exit(1);
        memcpy(kept, bytes, size);
        read_labels(&all[i], kept, size);
    }
    return all;
}

static void clock_path(char out[1024], const char *folder)
{
    snprintf(out, 1024, "%s.clock", folder);
}

static void keep_clock(const char *folder)
{
    char path[1024];
    clock_path(path, folder);
    FILE *f = fopen(path, "w");
    if (!f || fprintf(f, "%lld\n", (long long)clock_wall_ms()) < 0 || fclose(f) != 0) exit(1);
}

static void turn_clock(const char *folder)
{
    char path[1024];
    long long wall_ms;
    clock_path(path, folder);
    FILE *f = fopen(path, "r");
    if (!f || fscanf(f, "%lld", &wall_ms) != 1) exit(1);
    fclose(f);
    clock_freeze(wall_ms);
}

static void open_both(const char *folder, unsigned threads, struct storage **db,
                      struct durability **d)
{
    struct error err;
    struct storage_options options = storage_options_default();
    const struct durability_options durability = {
        .path = folder, .sync = WAL_SYNC_NEVER, .restore_threads = threads};
    must(storage_open(&options, db, &err), &err);
    must(durability_open(&durability, d, &err), &err);
    must(durability_recover(*d, *db, &err), &err);
}

/* ---- make ---- */

struct plan {
    unsigned series, samples, windows, batch;
    struct body_plan body;
};

/* Samples [first, first + count) of all series, in requests. */
static void append(struct storage *db, struct arena *a, const struct made *all,
                   const struct plan *plan, unsigned first, unsigned count)
{
    static struct sample samples[PER_REQUEST][BATCH_MAX];
    struct error err;
    for (unsigned from = 0; from < plan->series; from += PER_REQUEST) {
        struct append_result result;
        struct appender *app;
        arena_reset(a);
        must(appender_begin(db, a, &app, &err), &err);
        for (unsigned i = from; i < from + PER_REQUEST && i < plan->series; i++) {
            unsigned target = i / SERIES_PER_TARGET;
            struct labels labels = {.items = all[i].labels, .count = all[i].label_count};
            for (unsigned n = 0; n < count; n++)
                samples[i - from][n] =
                    (struct sample){bodies_time_ms(&plan->body, target, first + n),
                                    bodies_value(target, i % SERIES_PER_TARGET, first + n)};
            must(appender_add(app, labels, samples[i - from], count, &err), &err);
        }
        must(appender_commit(app, &result, &err), &err);
        if (result.refused[REFUSED_TOO_OLD] || result.refused[REFUSED_TOO_NEW]) exit(1);
    }
}

static int make(const char *folder, const struct plan *plan, int64_t start_ms, int64_t chunk_ms,
                bool log)
{
    struct storage *db;
    struct durability *d;
    struct arena a;
    struct error err;
    struct made *all = make_series(plan->series);
    unsigned per_window = plan->samples;
    clock_freeze(start_ms);
    open_both(folder, 1, &db, &d);
    if (log) storage_set_journal(db, durability_journal(d));
    arena_init(&a, HEAP_HTTP, UINT64_MAX);
    for (unsigned w = 0; w < plan->windows; w++) {
        struct plan now = *plan;
        now.body.start_ms = start_ms + w * chunk_ms;
        for (unsigned k = 0; k < per_window; k += plan->batch) {
            unsigned count = per_window - k < plan->batch ? per_window - k : plan->batch;
            int64_t until_ms = now.body.start_ms + (int64_t)(k + count + 1) * now.body.step_ms;
            if (until_ms > clock_wall_ms()) clock_advance(until_ms - clock_wall_ms());
            append(db, &a, all, &now, k, count);
        }
        if (w + 1 == plan->windows) break;
        clock_advance(now.body.start_ms + chunk_ms + SEAL_AFTER_MS - clock_wall_ms());
        while (storage_maintain(db))
            continue;
    }
    if (!log) must(durability_snapshot(d, db, &err), &err);
    keep_clock(folder);
    durability_close(d);
    storage_close(db);
    return 0;
}

/* ---- load ---- */

/* What threads of a start held each other up with. */
static void print_waits(void)
{
    for (int rank = 0; rank < LOCK_RANK_COUNT; rank++) {
        struct lock_waits waits;
        lock_waits_read((enum lock_rank)rank, &waits);
        if (waits.reads + waits.writes)
            printf("waited for %s: %llu times, %.1f ms\n", lock_rank_name((enum lock_rank)rank),
                   (unsigned long long)(waits.reads + waits.writes),
                   (double)(waits.read_ns + waits.write_ns) * 1e-6);
    }
}

static double status_mb(const char *key)
{
    char line[256];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, key, strlen(key)) == 0) kb = strtod(line + strlen(key) + 1, NULL);
    if (f) fclose(f);
    return kb / 1024;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int load(const char *folder, unsigned threads)
{
    struct storage *db;
    struct durability *d;
    struct storage_stats stats;
    struct durability_stats durability;
    turn_clock(folder);
    double start_s = now_s();
    double start_cpu_s = (double)clock_process_cpu_ns() * 1e-9;
    open_both(folder, threads, &db, &d);
    double took_s = now_s() - start_s;
    double cpu = (double)clock_process_cpu_ns() * 1e-9 - start_cpu_s;
    storage_stats_read(db, &stats);
    durability_stats_read(d, &durability);
    printf("start_s %.3f cpu_s %.3f rss_mb %.1f peak_mb %.1f series %llu chunks %llu samples %llu "
           "recovered %llu\n",
           took_s, cpu, status_mb("VmRSS"), status_mb("VmHWM"), (unsigned long long)stats.series,
           (unsigned long long)stats.chunks, (unsigned long long)stats.samples,
           (unsigned long long)durability.recovered_samples);
    print_waits();
    durability_close(d);
    storage_close(db);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    if (strcmp(argv[1], "load") == 0) return load(argv[2], option(argc, argv, "threads", 0));
    int64_t chunk_ms = storage_options_default().chunk_ms;
    struct plan plan = {.series = option(argc, argv, "series", 100000),
                        .samples = option(argc, argv, "samples", 120),
                        .windows = option(argc, argv, "windows", 1),
                        .batch = option(argc, argv, "batch", 60)};
    plan.body = (struct body_plan){.step_ms = option(argc, argv, "step", 15000)};
    if (plan.batch < 1 || plan.batch > BATCH_MAX) return 2;
    int64_t newest_ms = clock_wall_ms() / chunk_ms * chunk_ms;
    return make(argv[2], &plan, newest_ms - (plan.windows - 1) * chunk_ms, chunk_ms,
                option(argc, argv, "log", 0) != 0);
}
