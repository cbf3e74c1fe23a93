/*
 * queries - what evaluation costs, without network and JSON: from a query's text to its value.
 *
 *     queries [series=100000] [samples=60] [step=60] [rounds=5] [threads=1] [only=N]
 *
 * Every series of bench/bodies.h has so many samples, 15 s apart, the last one less than that ago;
 * windows that have closed are sealed. Range queries go over all of them at steps of so many
 * seconds. threads: those of one query, its own among them.
 *
 * Prints the best of all rounds: CPU of the whole process and wall time in milliseconds, samples
 * read, and series in the answer.
 */
#include <time.h>

#include "bench/storage/feed.h"
#include "bench/storage/program.h"
#include "promql/crew.h"
#include "promql/engine.h"

enum { SAMPLE_MS = 15000, LINE_BYTES = 512, CLOSED_MS = 60000 /* and is to be sealed */ };

#define HOST "node-00001.example.internal:9100"

static const struct line {
    const char *what;
    bool instant;
    const char *text; /* %u: the seconds that samples span */
} lines[] = {
    {"instant: one series", true, "node_load{instance=\"" HOST "\",window=\"window-0\"}"},
    {"instant: rate of one series", true,
     "rate(node_cpu_seconds_total{instance=\"" HOST "\",cpu=\"cpu-0\",mode=\"user\"}[5m])"},
    {"one series", false, "node_load{instance=\"" HOST "\",window=\"window-0\"}"},
    {"rate of one series", false,
     "rate(node_cpu_seconds_total{instance=\"" HOST "\",cpu=\"cpu-0\",mode=\"user\"}[5m])"},
    {"one host, sum by(mode)(rate)", false,
     "sum by(mode)(rate(node_cpu_seconds_total{instance=\"" HOST "\"}[5m]))"},
    {"all hosts, sum by(mode)(rate)", false, "sum by(mode)(rate(node_cpu_seconds_total[5m]))"},
    {"histogram_quantile by job", false,
     "histogram_quantile(0.9, sum by(le, job)(rate(http_request_duration_seconds_bucket[5m])))"},
    {"topk(5, sum by(pod))", false, "topk(5, sum by(pod)(container_memory_working_set_bytes))"},
    {"instant: vector matching", true,
     "http_request_duration_seconds_sum / http_request_duration_seconds_count"},
    {"vector matching", false,
     "http_request_duration_seconds_sum / http_request_duration_seconds_count"},
    {"instant: regex matchers", true,
     "sum(node_load{instance=~\"node-0000[0-9].*\",window!~\"window-1.*\"})"},
    {"instant: count of everything", true, "count({__name__=~\".+\"})"},
    {"instant: topk(count by name)", true, "topk(10, count by(__name__)({__name__=~\".+\"}))"},
    {"instant: max_over_time", true, "max(max_over_time(node_load[%us]))"},
    {"avg_over_time, sliding", false, "avg by(window)(avg_over_time(node_load[10m]))"},
    {"subquery", true, "max_over_time(sum(rate(node_cpu_seconds_total[5m]))[%us:1m])"},
    {"the same twice", false,
     "sum by(mode)(rate(node_cpu_seconds_total[5m])) / ignoring(mode) group_left "
     "sum(rate(node_cpu_seconds_total[5m]))"},
    {"share of each mode", false,
     "sum by(mode)(rate(node_cpu_seconds_total[5m]) / ignoring(mode) group_left "
     "sum without(mode)(rate(node_cpu_seconds_total[5m])))"},
    {"without", false, "sum without(cpu, instance, pod)(rate(node_cpu_seconds_total[5m]))"},
    {"quantile", false, "quantile by(mode)(0.9, rate(node_cpu_seconds_total[5m]))"},
};

static double process_cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void fill(struct storage *db, struct arena *a, unsigned series, unsigned n, int64_t start_ms)
{
    struct feed feed;
    feed_make(&feed, series, n, start_ms, SAMPLE_MS);
    for (size_t i = 0; i < feed.count; i++) {
        feed_write(db, a, feed.items[i]);
        arena_reset(a);
    }
    free(feed.items);
    free(feed.bytes);
}

/* Seal the windows that have closed; without any there is no sweep to wait for. */
static void seal(struct storage *db, int64_t start_ms)
{
    const struct counter *sweeps = &storage_sweep_times(db)->sweeps;
    uint64_t before = counter_read(sweeps);
    int64_t chunk_ms = storage_options_default().chunk_ms;
    bool closed = start_ms / chunk_ms < (clock_wall_ms() - CLOSED_MS) / chunk_ms;
    while (closed && (storage_maintain(db) || counter_read(sweeps) == before))
        continue;
}

struct cost {
    double cpu_s;
    double wall_s;
};

static struct cost run(const struct engine *engine, struct arena *a, struct query *query)
{
    struct error err;
    double cpu_s = process_cpu_s();
    int64_t start_ns = clock_mono_ns();
    query->arena = a;
    must(query_run(engine, query, &err), &err);
    query_finish(query);
    arena_reset(a);
    return (struct cost){process_cpu_s() - cpu_s, (double)(clock_mono_ns() - start_ns) * 1e-9};
}

static void ask(const struct engine *engine, const struct line *line, unsigned samples,
                unsigned step_s, int64_t end_ms, unsigned rounds)
{
    char text[LINE_BYTES];
    unsigned span_s = samples * SAMPLE_MS / 1000;
    struct cost best = {1e9, 1e9};
    struct query query = {.end_ms = end_ms};
    struct arena a;
    arena_init(&a, HEAP_QUERY, UINT64_MAX);
    snprintf(text, sizeof(text), line->text, span_s);
    query.text = str_from(text);
    query.start_ms = line->instant ? end_ms : end_ms - (int64_t)span_s * 1000;
    query.step_ms = line->instant ? 0 : (int64_t)step_s * 1000;
    for (unsigned round = 0; round < rounds; round++) {
        struct cost cost = run(engine, &a, &query);
        if (cost.cpu_s < best.cpu_s) best.cpu_s = cost.cpu_s;
        if (cost.wall_s < best.wall_s) best.wall_s = cost.wall_s;
    }
    printf("%-32s %10.3f %10.3f %10llu %10zu\n", line->what, best.cpu_s * 1e3, best.wall_s * 1e3,
           (unsigned long long)query.stats.samples_read, query.value.series_count);
    fflush(stdout);
    arena_release(&a);
}

int main(int argc, char **argv)
{
    unsigned series = option(argc, argv, "series", 100000);
    unsigned samples = option(argc, argv, "samples", 60);
    unsigned step_s = option(argc, argv, "step", 60);
    unsigned rounds = option(argc, argv, "rounds", 5);
    unsigned threads = option(argc, argv, "threads", 1);
    unsigned only = option(argc, argv, "only", 0);
    struct storage_options options = storage_options_default();
    struct engine engine = {.options = engine_options_default()};
    struct arena a;
    struct error err;
    int64_t end_ms = clock_wall_ms() / SAMPLE_MS * SAMPLE_MS;
    int64_t start_ms = end_ms - (int64_t)samples * SAMPLE_MS; /* targets have their phases */
    must(storage_open(&options, &engine.db, &err), &err);
    engine.options.threads_max = threads;
    if (threads > 1) must(crew_open(threads - 1, &engine.crew, &err), &err);
    arena_init(&a, HEAP_QUERY, UINT64_MAX);
    for (unsigned n = 0; n < samples; n++)
        fill(engine.db, &a, series, n, start_ms);
    seal(engine.db, start_ms);
    arena_release(&a);
    printf("%-32s %10s %10s %10s %10s\n", "", "CPU ms", "wall ms", "samples", "series");
    fflush(stdout);
    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (!only || only == i + 1) ask(&engine, &lines[i], samples, step_s, end_ms, rounds);
    crew_close(engine.crew);
    storage_close(engine.db);
    return 0;
}
