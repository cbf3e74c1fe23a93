/* metrics_go: Go's names are all there, and agree with each other as Go's do. */
#include <math.h>

#include "alloc/memstats.h"
#include "server/metrics.h"
#include "server/process.h"
#include "tests/unit/server/totals.h"

static struct served s;
static struct totals seen;

static double of(const char *name)
{
    return totals_of(&seen, name);
}

/* The buckets of one family. */
struct buckets {
    const char *family;
    bool is_in;
    size_t count;
    double bounds[32];
    double values[32];
};

static void buckets_family(void *self, const char *name, enum metric_type type, const char *help)
{
    struct buckets *b = self;
    (void)type;
    (void)help;
    b->is_in = strcmp(name, b->family) == 0;
}

static void buckets_sample(void *self, const char *suffix, const struct label *labels,
                           size_t label_count, double v)
{
    struct buckets *b = self;
    if (!b->is_in || strcmp(suffix, "_bucket") != 0) return;
    ck_assert_uint_lt(b->count, ARRAY_COUNT(b->bounds));
    ck_assert_uint_eq(label_count, 1);
    ck_assert(str_equal(labels[0].name, STR("le")));
    b->bounds[b->count] = strtod(labels[0].value.data, NULL);
    b->values[b->count++] = v;
}

static void collect(void)
{
    static struct memstats stats;
    struct process_stats process;
    struct metric_sink sink = totals_sink(&seen);
    memstats_read(&stats);
    process_stats_read(&process);
    metrics_collect_go(s.app, &process, &stats, &sink);
}

START_TEST(the_sums_are_those_of_go)
{
    served_open(&s, "--self-scrape.interval=0", NULL);
    collect();
    ck_assert_double_eq(of("go_memstats_heap_sys_bytes"),
                        of("go_memstats_heap_inuse_bytes") + of("go_memstats_heap_idle_bytes"));
    ck_assert_double_eq(of("go_memstats_sys_bytes"),
                        of("go_memstats_heap_sys_bytes") + of("go_memstats_stack_sys_bytes") +
                            of("go_memstats_mspan_sys_bytes") + of("go_memstats_mcache_sys_bytes") +
                            of("go_memstats_buck_hash_sys_bytes") + of("go_memstats_gc_sys_bytes") +
                            of("go_memstats_other_sys_bytes"));
    ck_assert_double_eq(of("go_memstats_heap_objects"),
                        of("go_memstats_mallocs_total") - of("go_memstats_frees_total"));
    ck_assert_double_eq(of("go_memstats_alloc_bytes"), of("go_memstats_heap_alloc_bytes"));
    ck_assert_double_le(of("go_memstats_heap_released_bytes"), of("go_memstats_heap_idle_bytes"));
    ck_assert_double_le(of("go_memstats_mspan_inuse_bytes"), of("go_memstats_mspan_sys_bytes"));
    ck_assert_double_le(of("go_memstats_mcache_inuse_bytes"), of("go_memstats_mcache_sys_bytes"));
    double tiny = of("go_gc_heap_tiny_allocs_objects_total");
    ck_assert_double_eq(of("go_gc_heap_allocs_by_size_bytes_count"),
                        of("go_memstats_mallocs_total") - tiny);
    ck_assert_double_eq(of("go_gc_heap_frees_by_size_bytes_count"),
                        of("go_memstats_frees_total") - tiny);
    ck_assert_double_eq(of("go_gc_heap_allocs_by_size_bytes_sum"),
                        of("go_memstats_alloc_bytes_total"));
    ck_assert_double_eq(of("go_gc_heap_allocs_by_size_bytes_sum") -
                            of("go_gc_heap_frees_by_size_bytes_sum"),
                        of("go_memstats_alloc_bytes"));
    served_close(&s);
}
END_TEST

/* So many objects of each class that every sum is another. */
static uint64_t objects_of(uint32_t c, bool frees)
{
    return frees ? c + 1 : 3 * (c + 1);
}

static void expect_buckets(const struct memstats *stats, const char *family, bool frees)
{
    struct buckets b = {.family = family};
    struct metric_sink sink = {.self = &b, .family = buckets_family, .sample = buckets_sample};
    struct process_stats process;
    process_stats_read(&process);
    metrics_collect_go(s.app, &process, stats, &sink);
    ck_assert_uint_eq(b.count, 14);
    for (size_t i = 0; i < b.count; i++) {
        bool last = i + 1 == b.count;
        double expected = last ? (double)objects_of(0, frees) : 0;
        for (uint32_t c = 1; c < stats->class_count; c++)
            if (stats->classes[c].size_bytes <= b.bounds[i])
                expected += (double)objects_of(c, frees);
        ck_assert_double_eq(b.bounds[i], last ? INFINITY : (double)(8 << i));
        ck_assert_double_eq(b.values[i], expected);
    }
}

START_TEST(buckets_count_the_objects_of_all_classes_up_to_their_bound)
{
    static struct memstats stats;
    served_open(&s, "--self-scrape.interval=0", NULL);
    memstats_read(&stats);
    for (uint32_t c = 0; c < stats.class_count; c++) {
        struct memstats_class *class = &stats.classes[c];
        class->region_mallocs = class->region_frees = 1;
        class->mallocs = objects_of(c, false) - 1;
        class->frees = objects_of(c, true) - 1;
    }
    expect_buckets(&stats, "go_gc_heap_allocs_by_size_bytes", false);
    expect_buckets(&stats, "go_gc_heap_frees_by_size_bytes", true);
    served_close(&s);
}
END_TEST

START_TEST(what_go_has_and_we_have_not_is_zero)
{
    served_open(&s, "--self-scrape.interval=0", NULL);
    collect();
    ck_assert_double_eq(of("go_memstats_lookups_total"), 0);
    ck_assert_double_eq(of("go_memstats_stack_inuse_bytes"), 0);
    served_close(&s);
}
END_TEST

START_TEST(the_runtime_is_this_process)
{
    served_open(&s, "--storage.memory-limit=1GiB", "--self-scrape.interval=0", NULL);
    for (int waited = 0; gauge_read(&s.app->maintenance.cpu_ns) == 0; waited++) {
        ck_assert_int_lt(waited, 1500);
        thread_sleep_ms(10);
    }
    collect();
    ck_assert_double_eq(of("go_memstats_last_gc_time_seconds"), 0); /* a window is four hours */
    ck_assert_double_eq(of("go_info"), 1);
    ck_assert_double_ge(of("go_threads"), 4);
    ck_assert_double_eq(of("go_goroutines"), of("go_threads"));
    ck_assert_double_eq(of("go_memstats_next_gc_bytes"), 768 << 20);
    ck_assert_double_gt(of("go_memstats_gc_cpu_fraction"), 0);
    ck_assert_double_lt(of("go_memstats_gc_cpu_fraction"), 1);
    served_close(&s);
}
END_TEST

/* The first sweep comes at the start, so all quantiles are its own. */
START_TEST(a_sweep_is_a_pause)
{
    served_open(&s, "--self-scrape.interval=0", NULL);
    for (int waited = 0; counter_read(&storage_sweep_times(s.app->storage)->sweeps) == 0;
         waited++) {
        ck_assert_int_lt(waited, 1500);
        thread_sleep_ms(10);
    }
    collect();
    ck_assert_double_eq(of("go_gc_duration_seconds_count"), 1);
    ck_assert_double_gt(of("go_gc_duration_seconds_sum"), 0);
    ck_assert_double_eq_tol(of("go_gc_duration_seconds"), 5 * of("go_gc_duration_seconds_sum"),
                            1e-12);
    served_close(&s);
}
END_TEST

SUITE(metrics_go, a_sweep_is_a_pause, the_sums_are_those_of_go,
      buckets_count_the_objects_of_all_classes_up_to_their_bound,
      what_go_has_and_we_have_not_is_zero, the_runtime_is_this_process)
