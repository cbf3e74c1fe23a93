/* metrics_go: Go's names are all there, and agree with each other as Go's do. */
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

SUITE(metrics_go, the_sums_are_those_of_go, what_go_has_and_we_have_not_is_zero,
      the_runtime_is_this_process)
