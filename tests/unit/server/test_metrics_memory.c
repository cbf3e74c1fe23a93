/* metrics_memory: every byte is accounted for once in each of the ways it is shown. */
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
    struct metric_sink sink = totals_sink(&seen);
    struct process_stats process;
    process_stats_read(&process);
    metrics_collect_memory(s.app, &process, &sink);
}

START_TEST(pages_in_use_are_payload_and_what_is_lost_and_nothing_else)
{
    served_open(&s, "--self-scrape.interval=0", NULL);
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        served_store(&s, name, clock_wall_ms(), 1);
    }
    collect();
    double inuse = of("go_memstats_heap_inuse_bytes");
    ck_assert_double_eq(inuse, of("hearth_alloc_payload_bytes") + of("hearth_alloc_slack_bytes"));
    ck_assert_double_eq(inuse,
                        of("hearth_alloc_payload_bytes") + of("hearth_alloc_fragmentation_bytes"));
    ck_assert_double_gt(of("hearth_alloc_payload_bytes"), 0);
    ck_assert_double_lt(of("hearth_alloc_payload_bytes"), of("go_memstats_heap_alloc_bytes"));
    served_close(&s);
}
END_TEST

START_TEST(owners_and_classes_hold_what_the_heap_holds)
{
    served_open(&s, "--self-scrape.interval=0", NULL);
    collect();
    ck_assert_double_eq(of("hearth_alloc_tag_bytes"), of("go_memstats_heap_alloc_bytes"));
    ck_assert_double_eq(of("hearth_alloc_tag_objects"), of("go_memstats_heap_objects"));
    ck_assert_double_le(of("hearth_alloc_tag_requested_bytes"), of("hearth_alloc_tag_bytes"));
    ck_assert_double_eq(of("hearth_alloc_class_allocs_total"), of("go_memstats_mallocs_total"));
    ck_assert_double_eq(of("hearth_alloc_class_objects"), of("go_memstats_heap_objects"));
    served_close(&s);
}
END_TEST

START_TEST(used_memory_is_what_is_mapped_and_not_given_back_and_what_is_not_ours)
{
    served_open(&s, "--self-scrape.interval=0", NULL);
    collect();
    double resident = of("hearth_alloc_resident_bytes");
    ck_assert_double_eq(resident, of("go_memstats_sys_bytes") - of("hearth_alloc_retained_bytes"));
    ck_assert_double_gt(of("hearth_memory_used_bytes"), resident); /* something is not ours */
    ck_assert_double_eq_tol(of("hearth_memory_used_bytes"), (double)process_resident_bytes(),
                            256 << 10);
    ck_assert_double_eq(of("hearth_alloc_active_bytes"), of("go_memstats_heap_inuse_bytes"));
    ck_assert_double_eq(of("hearth_alloc_allocated_bytes"), of("go_memstats_heap_alloc_bytes"));
    served_close(&s);
}
END_TEST

START_TEST(giving_back_is_counted)
{
    served_open(&s, "--self-scrape.interval=0", NULL);
    double before = (double)heap_scavenge(UINT64_MAX);
    for (int waited = 0; counter_read(&s.app->maintenance.scavenge_ns) == 0; waited++) {
        ck_assert_int_lt(waited, 1500);
        thread_sleep_ms(10);
    }
    collect();
    ck_assert_double_ge(of("hearth_scavenger_released_bytes_total"), before);
    ck_assert_double_gt(of("hearth_scavenger_seconds_total"), 0);
    ck_assert_double_gt(of("hearth_memory_budget_bytes"), 0);
    ck_assert_double_eq(of("hearth_memory_pressure"), 0);
    served_close(&s);
}
END_TEST

SUITE(metrics_memory, pages_in_use_are_payload_and_what_is_lost_and_nothing_else,
      owners_and_classes_hold_what_the_heap_holds,
      used_memory_is_what_is_mapped_and_not_given_back_and_what_is_not_ours, giving_back_is_counted)
