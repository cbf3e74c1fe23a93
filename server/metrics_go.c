/*
 * metrics_go - what Go's runtime would say of itself (runtime.MemStats and go_gc_*, by the names of
 * its Prometheus client), said of our heap with the same meaning, so that the dashboards and alerts
 * there are for servers in Go work here.
 *
 * Where Go collects garbage, we expire windows: go_memstats_next_gc_bytes is the amount at which
 * something happens to keep memory down, go_memstats_gc_cpu_fraction the CPU time of the thread
 * that expires, seals and scavenges. Of Go's own stacks, thread stacks that we map ourselves, and
 * of its pointer lookups there are none.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc/memstats.h"
#include "server/budget.h"
#include "server/hearth.h"
#include "server/metrics.h"
#include "server/process.h"

static void write_objects(const struct metric_sink *sink, const struct memstats *s)
{
    const struct metric_row rows[] = {
        {"go_memstats_alloc_bytes", METRIC_GAUGE,
         "Bytes of live objects, at the size of their class or pages.", (double)s->heap_alloc},
        {"go_memstats_alloc_bytes_total", METRIC_COUNTER,
         "Bytes of all objects ever allocated, freed ones included.", (double)s->total_alloc},
        {"go_memstats_lookups_total", METRIC_COUNTER, "Pointer lookups: there are none.", 0},
        {"go_memstats_mallocs_total", METRIC_COUNTER, "Objects ever allocated.",
         (double)s->mallocs},
        {"go_memstats_frees_total", METRIC_COUNTER, "Objects ever freed.", (double)s->frees},
        {"go_memstats_heap_alloc_bytes", METRIC_GAUGE,
         "Bytes of live objects; the same as go_memstats_alloc_bytes.", (double)s->heap_alloc},
        {"go_memstats_heap_objects", METRIC_GAUGE, "Live objects.", (double)s->heap_objects},
    };
    metric_rows(sink, rows, ARRAY_COUNT(rows));
}

static void write_system(const struct metric_sink *sink, const struct memstats *s)
{
    const struct metric_row rows[] = {
        {"go_memstats_sys_bytes", METRIC_GAUGE, "Bytes of all our mappings ever used.",
         (double)s->sys},
        {"go_memstats_heap_sys_bytes", METRIC_GAUGE, "Bytes of pages ever used for objects.",
         (double)s->heap_sys},
        {"go_memstats_heap_inuse_bytes", METRIC_GAUGE, "Bytes of spans that hold objects.",
         (double)s->heap_inuse},
        {"go_memstats_heap_idle_bytes", METRIC_GAUGE,
         "Bytes of pages in no span, resident or given back.", (double)s->heap_idle},
        {"go_memstats_heap_released_bytes", METRIC_GAUGE,
         "Bytes of idle pages given back to the system.", (double)s->heap_released},
        {"go_memstats_stack_inuse_bytes", METRIC_GAUGE,
         "Bytes of thread stacks that we map ourselves: none.", (double)s->stack_inuse},
        {"go_memstats_stack_sys_bytes", METRIC_GAUGE,
         "Bytes mapped for thread stacks by ourselves: none.", (double)s->stack_sys},
        {"go_memstats_mspan_inuse_bytes", METRIC_GAUGE, "Bytes of span records in use.",
         (double)s->mspan_inuse},
        {"go_memstats_mspan_sys_bytes", METRIC_GAUGE, "Bytes mapped for span records.",
         (double)s->mspan_sys},
        {"go_memstats_mcache_inuse_bytes", METRIC_GAUGE, "Bytes of thread caches in use.",
         (double)s->mcache_inuse},
        {"go_memstats_mcache_sys_bytes", METRIC_GAUGE, "Bytes mapped for thread caches.",
         (double)s->mcache_sys},
        {"go_memstats_buck_hash_sys_bytes", METRIC_GAUGE,
         "Bytes of the tables of the leak report; none in release builds.",
         (double)s->buck_hash_sys},
        {"go_memstats_gc_sys_bytes", METRIC_GAUGE, "Bytes of the page map and its summaries.",
         (double)s->gc_sys},
        {"go_memstats_other_sys_bytes", METRIC_GAUGE, "Bytes of our other mappings.",
         (double)s->other_sys},
    };
    metric_rows(sink, rows, ARRAY_COUNT(rows));
}

/* Go's client counts cycles of its collector by what began them. */
static void write_cycles(const struct hearth *h, const struct metric_sink *sink)
{
    uint64_t sweeps = counter_read(&storage_sweep_times(h->storage)->sweeps);
    uint64_t forced = counter_read(&h->maintenance.forced_releases);
    const struct metric_row rows[] = {
        {"go_gc_cycles_automatic_gc_cycles_total", METRIC_COUNTER,
         "Sweeps over all series when a window ends; nothing else is collected here.",
         (double)sweeps},
        {"go_gc_cycles_forced_gc_cycles_total", METRIC_COUNTER,
         "Times that free memory was given back by POST /debug/heap/release; nothing is collected "
         "then.",
         (double)forced},
        {"go_gc_cycles_total_gc_cycles_total", METRIC_COUNTER, "The sum of the two.",
         (double)(sweeps + forced)},
    };
    metric_rows(sink, rows, ARRAY_COUNT(rows));
}

static int compare_pauses(const void *a, const void *b)
{
    const int64_t *pause_a = a;
    const int64_t *pause_b = b;
    return (*pause_a > *pause_b) - (*pause_a < *pause_b);
}

/* Of the last sweeps, as many as Go remembers pauses of; 0 before the first. */
static void write_quantiles(const struct metric_sink *sink, const struct sweep_times *times)
{
    static const char *const quantiles[] = {"0", "0.25", "0.5", "0.75", "1"};
    uint64_t sweeps = counter_read(&times->sweeps);
    size_t count = sweeps < SWEEP_PAUSES ? (size_t)sweeps : SWEEP_PAUSES;
    int64_t pauses_ns[SWEEP_PAUSES] = {0};
    for (size_t i = 0; i < count; i++)
        pauses_ns[i] = gauge_read(&times->pauses_ns[i]);
    qsort(pauses_ns, count, sizeof(*pauses_ns), compare_pauses);
    for (size_t i = 0; i < ARRAY_COUNT(quantiles); i++) {
        size_t at = count ? (count - 1) * i / (ARRAY_COUNT(quantiles) - 1) : 0;
        metric_labeled(sink, "quantile", str_from(quantiles[i]), (double)pauses_ns[at] / 1e9);
    }
}

static void write_sweeps(const struct metric_sink *sink, const struct sweep_times *times)
{
    metric_family(sink, "go_gc_duration_seconds", METRIC_SUMMARY,
                  "Sweeps over all series when a window ends, and how long each held locks in all; "
                  "hearth_sweep_hold_seconds has the single holds.");
    write_quantiles(sink, times);
    metric_sample(sink, "_sum", NULL, 0, (double)counter_read(&times->holds.sum_ns) / 1e9);
    metric_sample(sink, "_count", NULL, 0, (double)counter_read(&times->sweeps));
}

static void write_upkeep(const struct hearth *h, const struct metric_sink *sink)
{
    const struct metric_row rows[] = {
        {"go_memstats_next_gc_bytes", METRIC_GAUGE,
         "Bytes at which new series are refused until memory is free again.",
         (double)budget_hard_bytes(h->memory_limit_bytes)},
        {"go_memstats_last_gc_time_seconds", METRIC_GAUGE,
         "When the last expiry of a window was through, Unix time; 0: none since the start.",
         (double)gauge_read(&h->maintenance.boundary_ms) / 1000},
        {"go_memstats_gc_cpu_fraction", METRIC_GAUGE,
         "Share of the available CPU time that expiry and scavenging took since the start.",
         maintenance_cpu_fraction(&h->maintenance)},
    };
    metric_rows(sink, rows, ARRAY_COUNT(rows));
}

static uint64_t objects_of(const struct memstats_class *class, bool frees)
{
    return frees ? class->frees + class->region_frees : class->mallocs + class->region_mallocs;
}

/* Of classes up to this size; that of large objects has none. */
static uint64_t objects_up_to(const struct memstats *s, uint64_t bytes, bool frees)
{
    uint64_t count = 0;
    for (uint32_t c = 1; c < s->class_count; c++)
        if (s->classes[c].size_bytes <= bytes) count += objects_of(&s->classes[c], frees);
    return count;
}

/* Objects of one size are one point of the histogram: the bound of their bucket is the size itself.
 * Powers of two, as Prometheus cuts Go's. */
static void write_by_size(const struct metric_sink *sink, const struct memstats *s,
                          const char *name, const char *help, bool frees)
{
    enum { BOUND_FIRST = 8, BOUND_LAST = 32768 };
    char bound[24];
    metric_family(sink, name, METRIC_HISTOGRAM, help);
    for (uint64_t bytes = BOUND_FIRST; bytes <= BOUND_LAST; bytes *= 2) {
        snprintf(bound, sizeof(bound), "%" PRIu64, bytes);
        metric_sample(sink, "_bucket", (struct label[]){{STR("le"), str_from(bound)}}, 1,
                      (double)objects_up_to(s, bytes, frees));
    }
    uint64_t all = objects_up_to(s, BOUND_LAST, frees) + objects_of(&s->classes[0], frees);
    uint64_t all_bytes = frees ? s->total_alloc - s->heap_alloc : s->total_alloc;
    metric_sample(sink, "_bucket", (struct label[]){{STR("le"), STR("+Inf")}}, 1, (double)all);
    metric_sample(sink, "_sum", NULL, 0, (double)all_bytes);
    metric_sample(sink, "_count", NULL, 0, (double)all);
}

static void write_runtime(const struct hearth *h, const struct process_stats *process,
                          const struct metric_sink *sink)
{
    struct query_pool_stats pool;
    struct label version = {STR("version"), STR("C17, " __VERSION__)};
    query_pool_stats_read(h->pool, &pool);
    metric_family(sink, "go_info", METRIC_GAUGE, "1, labeled with language and compiler.");
    metric_sample(sink, "", &version, 1, 1);
    const struct metric_row rows[] = {
        {"go_threads", METRIC_GAUGE, "Threads of the process.", (double)process->threads},
        {"go_goroutines", METRIC_GAUGE, "Tasks: threads, and queries that wait for one.",
         (double)(process->threads + pool.queued)},
    };
    metric_rows(sink, rows, ARRAY_COUNT(rows));
}

void metrics_collect_go(const struct hearth *h, const struct process_stats *process,
                        const struct memstats *stats, const struct metric_sink *sink)
{
    write_objects(sink, stats);
    write_system(sink, stats);
    write_sweeps(sink, storage_sweep_times(h->storage));
    write_upkeep(h, sink);
    write_cycles(h, sink);
    write_by_size(sink, stats, "go_gc_heap_allocs_by_size_bytes",
                  "Objects allocated, by size of their class.", false);
    write_by_size(sink, stats, "go_gc_heap_frees_by_size_bytes",
                  "Objects freed, by size of their class.", true);
    metric_single(sink, "go_gc_heap_tiny_allocs_objects_total", METRIC_COUNTER,
                  "Objects that found room in a block with others; not in the sizes above.",
                  (double)stats->tiny_allocs);
    write_runtime(h, process, sink);
}
