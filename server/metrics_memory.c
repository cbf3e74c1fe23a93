/*
 * metrics_memory - the allocator's numbers: Go's names for what is the same, by size class, by
 * owner.
 */
#include <inttypes.h>
#include <stdio.h>

#include "alloc/memstats.h"
#include "server/budget.h"
#include "server/hearth.h"
#include "server/metrics.h"

struct memory_row {
    const char *name;
    enum metric_type type;
    const char *help;
    double value;
};

static void write_rows(const struct metric_sink *sink, const struct memory_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        metric_single(sink, rows[i].name, rows[i].type, rows[i].help, rows[i].value);
}

static void write_go_heap(const struct metric_sink *sink, const struct memstats *s)
{
    const struct memory_row rows[] = {
        {"go_memstats_alloc_bytes", METRIC_GAUGE,
         "Bytes of live objects, at the size of their class or pages.", (double)s->heap_alloc},
        {"go_memstats_alloc_bytes_total", METRIC_COUNTER,
         "Bytes of all objects ever allocated, freed ones included.", (double)s->total_alloc},
        {"go_memstats_sys_bytes", METRIC_GAUGE, "Bytes of all our mappings ever used.",
         (double)s->sys},
        {"go_memstats_mallocs_total", METRIC_COUNTER, "Objects ever allocated.",
         (double)s->mallocs},
        {"go_memstats_frees_total", METRIC_COUNTER, "Objects ever freed.", (double)s->frees},
        {"go_memstats_heap_alloc_bytes", METRIC_GAUGE,
         "Bytes of live objects; the same as go_memstats_alloc_bytes.", (double)s->heap_alloc},
        {"go_memstats_heap_sys_bytes", METRIC_GAUGE, "Bytes of pages ever used for spans.",
         (double)s->heap_sys},
        {"go_memstats_heap_inuse_bytes", METRIC_GAUGE, "Bytes of spans that hold objects.",
         (double)s->heap_inuse},
        {"go_memstats_heap_idle_bytes", METRIC_GAUGE,
         "Bytes of pages in no span, resident or given back.", (double)s->heap_idle},
        {"go_memstats_heap_released_bytes", METRIC_GAUGE,
         "Bytes of idle pages given back to the system.", (double)s->heap_released},
        {"go_memstats_heap_objects", METRIC_GAUGE, "Live objects.", (double)s->heap_objects},
    };
    write_rows(sink, rows, ARRAY_COUNT(rows));
}

static void write_go_meta(const struct hearth *h, const struct metric_sink *sink,
                          const struct memstats *s)
{
    const struct memory_row rows[] = {
        {"go_memstats_mspan_inuse_bytes", METRIC_GAUGE, "Bytes of span records in use.",
         (double)s->mspan_inuse},
        {"go_memstats_mspan_sys_bytes", METRIC_GAUGE, "Bytes mapped for span records.",
         (double)s->mspan_sys},
        {"go_memstats_mcache_inuse_bytes", METRIC_GAUGE, "Bytes of thread caches in use.",
         (double)s->mcache_inuse},
        {"go_memstats_mcache_sys_bytes", METRIC_GAUGE, "Bytes mapped for thread caches.",
         (double)s->mcache_sys},
        {"go_memstats_gc_sys_bytes", METRIC_GAUGE, "Bytes of the page map and its summaries.",
         (double)s->gc_sys},
        {"go_memstats_other_sys_bytes", METRIC_GAUGE, "Bytes of our other mappings.",
         (double)s->other_sys},
        {"go_memstats_next_gc_bytes", METRIC_GAUGE,
         "Bytes at which writes are refused until memory is free again.",
         (double)budget_hard_bytes(h->memory_limit_bytes)},
    };
    write_rows(sink, rows, ARRAY_COUNT(rows));
}

/* Objects of one size are one point of the histogram: the bound of their bucket is the size itself.
 * Powers of two, as Prometheus cuts Go's. */
static void write_by_size(const struct metric_sink *sink, const struct memstats *s,
                          const char *name, const char *help, bool frees)
{
    enum { BOUND_FIRST = 8, BOUNDS = 13 }; /* 8 B to 32 KiB */
    uint64_t cumulative = 0;
    double sum = 0;
    char text[24];
    metric_family(sink, name, METRIC_HISTOGRAM, help);
    for (int i = 0; i < BOUNDS; i++) {
        uint64_t bound = (uint64_t)BOUND_FIRST << i;
        uint64_t below = i == 0 ? 0 : bound / 2;
        for (uint32_t c = 1; c < s->class_count; c++) {
            const struct memstats_class *class = &s->classes[c];
            if (class->size_bytes <= below || class->size_bytes > bound) continue;
            uint64_t count = frees ? class->frees : class->mallocs;
            cumulative += count;
            sum += (double)count * class->size_bytes;
        }
        int size = snprintf(text, sizeof(text), "%" PRIu64, bound);
        metric_sample(sink, "_bucket", (struct label[]){{STR("le"), {text, (size_t)size}}}, 1,
                      (double)cumulative);
    }
    cumulative += frees ? s->classes[0].frees : s->classes[0].mallocs;
    metric_sample(sink, "_bucket", (struct label[]){{STR("le"), STR("+Inf")}}, 1,
                  (double)cumulative);
    double freed_bytes = (double)(s->total_alloc - s->heap_alloc);
    double all_bytes = frees ? freed_bytes : (double)s->total_alloc;
    metric_sample(sink, "_sum", NULL, 0, all_bytes > sum ? all_bytes : sum);
    metric_sample(sink, "_count", NULL, 0, (double)cumulative);
}

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
                              : snprintf(text, sizeof(text), "%u", s->classes[c].size_bytes);
            metric_labeled(sink, "class", (struct str){text, (size_t)size},
                           class_value(&s->classes[c], families[f].field));
        }
    }
}

static void write_owners(const struct hearth *h, const struct metric_sink *sink,
                         const struct memstats *s)
{
    double other = (double)gauge_read(&h->maintenance.other_bytes);
    uint64_t idle = s->heap_idle - s->heap_released;
    metric_family(sink, "hearth_memory_used_bytes", METRIC_GAUGE,
                  "Resident memory by who holds it: owners of live objects; free_slots in live "
                  "spans; free_spans; meta, the allocator's own; other, not ours.");
    for (int tag = 0; tag < HEAP_TAG_COUNT; tag++)
        metric_labeled(sink, "kind", str_from(heap_tag_name((enum heap_tag)tag)),
                       (double)s->tag_bytes[tag]);
    metric_labeled(sink, "kind", STR("free_slots"), (double)(s->heap_inuse - s->heap_alloc));
    metric_labeled(sink, "kind", STR("free_spans"), (double)idle);
    metric_labeled(sink, "kind", STR("meta"), (double)(s->sys - s->heap_sys));
    metric_labeled(sink, "kind", STR("other"), other);
    metric_family(sink, "hearth_alloc_fragmentation_bytes", METRIC_GAUGE,
                  "Bytes held and not used: slack, free slots in live spans; external, resident "
                  "pages in no span.");
    metric_labeled(sink, "kind", STR("slack"), (double)(s->heap_inuse - s->heap_alloc));
    metric_labeled(sink, "kind", STR("external"), (double)idle);
    const struct memory_row rows[] = {
        {"hearth_memory_budget_bytes", METRIC_GAUGE, "The hard limit of all memory.",
         (double)h->memory_limit_bytes},
        {"hearth_memory_counted_bytes", METRIC_GAUGE, "Memory counted against the limit.",
         (double)heap_used_bytes()},
        {"hearth_memory_scavenged_bytes_total", METRIC_COUNTER,
         "Bytes of idle pages given back to the system.", (double)s->scavenged_total},
        {"hearth_memory_limit_refusals_total", METRIC_COUNTER, "Allocations refused at the limit.",
         (double)s->limit_refusals},
        {"hearth_memory_writes_refused", METRIC_GAUGE,
         "1 while writes are refused because memory is short.",
         heap_pressure() == HEAP_HARD ? 1 : 0},
        {"hearth_memory_pressure", METRIC_GAUGE,
         "0: calm; 1: free memory is given back at once; 2: writes are refused too.",
         (double)heap_pressure()},
    };
    write_rows(sink, rows, ARRAY_COUNT(rows));
}

void metrics_collect_memory(struct hearth *h, const struct metric_sink *sink)
{
    struct memstats stats;
    memstats_read(&stats);
    write_go_heap(sink, &stats);
    write_go_meta(h, sink, &stats);
    write_by_size(sink, &stats, "go_gc_heap_allocs_by_size_bytes",
                  "Objects allocated, by size of their class.", false);
    write_by_size(sink, &stats, "go_gc_heap_frees_by_size_bytes",
                  "Objects freed, by size of their class.", true);
    write_classes(sink, &stats);
    write_owners(h, sink, &stats);
}
