/*
 * metrics_memory - the allocator's numbers that only we have: by size class, by owner, where what
 * is not payload goes, and how close the limit is.
 */
#include <inttypes.h>
#include <stdio.h>

#include "alloc/memstats.h"
#include "base/clock.h"
#include "server/forecast.h"
#include "server/hearth.h"
#include "server/metrics.h"

enum class_field { CLASS_OBJECTS, CLASS_SLOTS, CLASS_SPANS, CLASS_MALLOCS, CLASS_FREES };

static double class_value(const struct memstats_class *class, enum class_field field)
{
    uint64_t objects = class->mallocs - class->frees;
    switch (field) {
    case CLASS_OBJECTS: return (double)objects;
    case CLASS_SLOTS: return (double)(objects + class->free_slots);
    case CLASS_SPANS: return (double)class->spans;
    case CLASS_MALLOCS: return (double)class->mallocs;
    case CLASS_FREES: return (double)class->frees;
    }
    return 0;
}

static void write_classes(const struct metric_sink *sink, const struct memstats *s)
{
    static const struct {
        const char *name;
        const char *help;
        enum metric_type type;
        enum class_field field;
    } families[] = {
        {"hearth_alloc_class_objects", "Live objects by size class.", METRIC_GAUGE, CLASS_OBJECTS},
        {"hearth_alloc_class_slots", "Slots in live spans by size class.", METRIC_GAUGE,
         CLASS_SLOTS},
        {"hearth_alloc_class_spans", "Live spans by size class.", METRIC_GAUGE, CLASS_SPANS},
        {"hearth_alloc_class_allocs_total", "Objects allocated by size class.", METRIC_COUNTER,
         CLASS_MALLOCS},
        {"hearth_alloc_class_frees_total", "Objects freed by size class.", METRIC_COUNTER,
         CLASS_FREES},
    };
    char text[24];
    for (size_t f = 0; f < ARRAY_COUNT(families); f++) {
        metric_family(sink, families[f].name, families[f].type, families[f].help);
        for (uint32_t c = 0; c < s->class_count; c++) {
            if (s->classes[c].mallocs == 0) continue; /* never used: no series for it */
            int size = c == 0 ? snprintf(text, sizeof(text), "large")
                       : s->classes[c].cells
                           ? snprintf(text, sizeof(text), "cells")
                           : snprintf(text, sizeof(text), "%u", s->classes[c].size_bytes);
            metric_labeled(sink, "class", (struct str){text, (size_t)size},
                           class_value(&s->classes[c], families[f].field));
        }
    }
}

struct tag_family {
    const char *name;
    const char *help;
    const uint64_t *by_tag; /* [HEAP_TAG_COUNT] */
};

static void write_tags(const struct metric_sink *sink, const struct memstats *s)
{
    const struct tag_family families[] = {
        {"hearth_alloc_tag_bytes", "Bytes of live objects by owner.", s->tag_bytes},
        {"hearth_alloc_tag_requested_bytes", "The same as the owners asked for them.",
         s->tag_requested},
        {"hearth_alloc_tag_objects", "Live objects by owner.", s->tag_objects},
    };
    for (size_t f = 0; f < ARRAY_COUNT(families); f++) {
        metric_family(sink, families[f].name, METRIC_GAUGE, families[f].help);
        for (int tag = 0; tag < HEAP_TAG_COUNT; tag++)
            metric_labeled(sink, "tag", str_from(heap_tag_name((enum heap_tag)tag)),
                           (double)families[f].by_tag[tag]);
    }
}

/* jemalloc's four, with its meaning. */
static void write_totals(const struct hearth *h, const struct metric_sink *sink,
                         const struct memstats *s)
{
    const struct metric_row rows[] = {
        {"hearth_alloc_allocated_bytes", METRIC_GAUGE, "Bytes of live objects.",
         (double)s->heap_alloc},
        {"hearth_alloc_active_bytes", METRIC_GAUGE, "Bytes of pages that hold objects.",
         (double)s->heap_inuse},
        {"hearth_alloc_resident_bytes", METRIC_GAUGE,
         "Bytes of pages in use and free ones, without those given back, and of records.",
         (double)s->resident},
        {"hearth_alloc_retained_bytes", METRIC_GAUGE,
         "Bytes of addresses kept without memory behind them.",
         (double)(s->heap_released + s->span_released)},
        {"hearth_alloc_span_released_bytes", METRIC_GAUGE,
         "Of those, bytes that lie free inside pages in use.", (double)s->span_released},
        {"hearth_alloc_lazyfree_bytes", METRIC_GAUGE,
         "Bytes given back that the kernel has not taken yet and counts as resident (LazyFree), as "
         "measured last; 0 without --storage.memory-release=free.",
         (double)gauge_read(&h->maintenance.lazyfree_bytes)},
    };
    metric_rows(sink, rows, ARRAY_COUNT(rows));
}

static void write_window(const struct metric_sink *sink, const struct window_bytes *window,
                         const char *state, uint64_t v)
{
    char text[24];
    int size = snprintf(text, sizeof(text), "%" PRId64, window->start_ms / 1000);
    const struct label labels[] = {{STR("window"), {text, (size_t)size}},
                                   {STR("state"), str_from(state)}};
    metric_sample(sink, "", labels, ARRAY_COUNT(labels), (double)v);
}

/* Where the samples of each window are. */
static void write_windows(const struct metric_sink *sink, const struct window_bytes *rows,
                          size_t count)
{
    metric_family(sink, "hearth_alloc_window_bytes", METRIC_GAUGE,
                  "Bytes of chunks by window (its start, Unix seconds): open, in cells; sealed, in "
                  "the window's region; tail, of the region's blocks; deleted, written anew.");
    for (size_t i = 0; i < count; i++) {
        write_window(sink, &rows[i], "open", rows[i].open);
        write_window(sink, &rows[i], "sealed", rows[i].sealed);
        write_window(sink, &rows[i], "tail", rows[i].tail);
        write_window(sink, &rows[i], "deleted", rows[i].deleted);
    }
    metric_family(sink, "hearth_alloc_window_objects", METRIC_GAUGE,
                  "Objects by window: open, chunks in cells; sealed, objects of the window's "
                  "region, which are chunks, of equal ones one, and columns of times.");
    for (size_t i = 0; i < count; i++) {
        write_window(sink, &rows[i], "open", rows[i].chunks);
        write_window(sink, &rows[i], "sealed", rows[i].objects);
    }
}

/* heap_inuse = payload + slack of all kinds, exactly. */
static void write_slack(const struct hearth *h, const struct metric_sink *sink,
                        const struct memstats *s)
{
    uint64_t spare = storage_spare_bytes(h->storage);
    if (spare > s->heap_requested) spare = s->heap_requested; /* read a moment later */
    metric_single(sink, "hearth_alloc_payload_bytes", METRIC_GAUGE,
                  "Bytes of pages in use that hold what somebody asked for and uses.",
                  (double)(s->heap_requested - spare));
    metric_family(
        sink, "hearth_alloc_slack_bytes", METRIC_GAUGE,
        "Bytes of pages in use that hold nothing: growth, capacity that its owner has not "
        "filled; class, sizes rounded up; free, slots without an object; tail, ends of "
        "spans too short for one; block, ends of the blocks of regions; deleted, sealed chunks "
        "that were written anew; cached, large spans that a thread keeps.");
    metric_labeled(sink, "kind", STR("growth"), (double)spare);
    metric_labeled(sink, "kind", STR("class"), (double)(s->heap_alloc - s->heap_requested));
    metric_labeled(sink, "kind", STR("free"), (double)s->free_slot_bytes);
    metric_labeled(sink, "kind", STR("tail"), (double)s->tail_bytes);
    metric_labeled(sink, "kind", STR("block"), (double)(s->region_bytes - s->deleted_bytes));
    metric_labeled(sink, "kind", STR("deleted"), (double)s->deleted_bytes);
    metric_labeled(sink, "kind", STR("cached"), (double)s->cached_bytes);
    metric_family(sink, "hearth_alloc_fragmentation_bytes", METRIC_GAUGE,
                  "The same in three: internal, by rounding; slack, within what was asked for; "
                  "external, between objects.");
    metric_labeled(sink, "kind", STR("internal"), (double)(s->heap_alloc - s->heap_requested));
    metric_labeled(sink, "kind", STR("slack"), (double)spare);
    metric_labeled(sink, "kind", STR("external"), (double)(s->heap_inuse - s->heap_alloc));
}

static void write_owners(const struct hearth *h, const struct metric_sink *sink,
                         const struct memstats *s)
{
    metric_family(sink, "hearth_memory_used_bytes", METRIC_GAUGE,
                  "Resident memory by who holds it: owners of live objects; free_slots in live "
                  "spans; free_spans; meta, the allocator's own; other, not ours.");
    for (int tag = 0; tag < HEAP_TAG_COUNT; tag++)
        metric_labeled(sink, "kind", str_from(heap_tag_name((enum heap_tag)tag)),
                       (double)s->tag_bytes[tag]);
    metric_labeled(sink, "kind", STR("free_slots"),
                   (double)(s->heap_inuse - s->heap_alloc - s->span_released));
    metric_labeled(sink, "kind", STR("free_spans"), (double)(s->heap_idle - s->heap_released));
    metric_labeled(sink, "kind", STR("meta"), (double)(s->sys - s->heap_sys));
    metric_labeled(sink, "kind", STR("other"), (double)maintenance_other_now(&h->maintenance, s));
}

static void write_budget(const struct hearth *h, const struct metric_sink *sink,
                         const struct memstats *s)
{
    enum heap_pressure pressure = heap_pressure();
    const struct metric_row rows[] = {
        {"hearth_memory_budget_bytes", METRIC_GAUGE, "The hard limit of all memory.",
         (double)h->memory_limit_bytes},
        {"hearth_memory_counted_bytes", METRIC_GAUGE, "Memory counted against the limit.",
         (double)heap_used_bytes()},
        {"hearth_alloc_huge_bytes_total", METRIC_COUNTER,
         "Bytes made resident in whole blocks of 2 MiB, as huge pages where the system has them.",
         (double)s->huge_total},
        {"hearth_scavenger_released_bytes_total", METRIC_COUNTER,
         "Bytes of idle pages given back to the system.", (double)s->scavenged_total},
        {"hearth_scavenger_seconds_total", METRIC_COUNTER, "CPU time spent on giving pages back.",
         (double)counter_read(&h->maintenance.scavenge_ns) / 1e9},
        {"hearth_memory_limit_refusals_total", METRIC_COUNTER, "Allocations refused at the limit.",
         (double)s->limit_refusals},
        {"hearth_memory_pressure", METRIC_GAUGE,
         "0: calm; 1: free memory is given back at once; 2: new series are refused too; 3: all "
         "samples are.",
         (double)pressure},
        {"hearth_memory_writes_refused", METRIC_GAUGE,
         "1 while writes are refused because memory is short.", pressure >= HEAP_FULL},
        {"hearth_memory_new_series_refused", METRIC_GAUGE,
         "1 while new series are refused because memory is short.", pressure >= HEAP_HARD},
    };
    metric_rows(sink, rows, ARRAY_COUNT(rows));
}

static double per(double bytes, uint64_t count)
{
    return count ? bytes / (double)count : 0;
}

/* What a series and a sample take, and what all of them will. */
static void write_forecast(const struct hearth *h, const struct metric_sink *sink,
                           const struct memstats *s, const struct window_bytes *windows,
                           size_t window_count)
{
    struct storage_stats stored;
    storage_stats_read(h->storage, &stored);
    uint64_t idle = s->heap_idle - s->heap_released;
    uint64_t used = heap_used_bytes();
    const struct forecast_input in = {.windows = windows,
                                      .count = window_count,
                                      .used_bytes = used > idle ? used - idle : 0,
                                      .now_ms = clock_wall_ms(),
                                      .chunk_ms = h->config.chunk_ms,
                                      .retained = (uint32_t)h->config.windows};
    uint64_t series =
        s->tag_bytes[HEAP_SERIES] + s->tag_bytes[HEAP_LABELS] + s->tag_bytes[HEAP_INDEX];
    const struct metric_row rows[] = {
        {"hearth_memory_series_bytes", METRIC_GAUGE,
         "Bytes of a series on average: its record, labels and places in the index.",
         per((double)series, stored.series)},
        {"hearth_memory_sample_bytes", METRIC_GAUGE, "Bytes of a sample on average.",
         per((double)stored.chunk_bytes, stored.samples)},
        {"hearth_memory_forecast_bytes", METRIC_GAUGE,
         "Memory counted against the limit when all windows are full, if the series stay what they "
         "are; 0: not known yet.",
         (double)forecast_bytes(&in)},
    };
    metric_rows(sink, rows, ARRAY_COUNT(rows));
}

void metrics_collect_memory(const struct hearth *h, const struct process_stats *process,
                            const struct metric_sink *sink)
{
    struct memstats stats;
    struct window_bytes windows[STORAGE_WINDOWS_MAX];
    size_t window_count = storage_window_bytes(h->storage, windows);
    memstats_read(&stats);
    if (HEARTH_DEBUG) memstats_check(&stats);
    metrics_collect_go(h, process, &stats, sink);
    write_classes(sink, &stats);
    write_tags(sink, &stats);
    write_totals(h, sink, &stats);
    write_slack(h, sink, &stats);
    write_windows(sink, windows, window_count);
    write_owners(h, sink, &stats);
    write_budget(h, sink, &stats);
    write_forecast(h, sink, &stats, windows, window_count);
}
