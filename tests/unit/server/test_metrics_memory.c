/* metrics_memory: the identities between the allocator's numbers hold as they are shown. */
#include "server/metrics.h"

#include "tests/unit/server/served.h"

static struct served s;

/* Sums of samples by family and suffix. */
static struct {
    const char *family;
    struct {
        char name[96];
        double sum;
        double last;
    } rows[128];
    size_t count;
} seen;

static void on_family(void *self, const char *name, enum metric_type type, const char *help)
{
    (void)self;
    (void)type;
    (void)help;
    seen.family = name;
}

static void on_sample(void *self, const char *suffix, const struct label *labels,
                      size_t label_count, double v)
{
    (void)self;
    (void)labels;
    (void)label_count;
    char name[96];
    size_t i = 0;
    snprintf(name, sizeof(name), "%s%s", seen.family, suffix);
    while (i < seen.count && strcmp(seen.rows[i].name, name) != 0)
        i++;
    ck_assert_uint_lt(i, ARRAY_COUNT(seen.rows));
    if (i == seen.count) snprintf(seen.rows[seen.count++].name, sizeof(name), "%s", name);
    seen.rows[i].sum += v;
    seen.rows[i].last = v;
}

static double total(const char *name)
{
    for (size_t i = 0; i < seen.count; i++)
        if (strcmp(seen.rows[i].name, name) == 0) return seen.rows[i].sum;
    ck_abort_msg("no %s", name);
    return 0;
}

START_TEST(the_sums_agree)
{
    struct metric_sink sink = {.family = on_family, .sample = on_sample};
    served_open(&s, "--self-scrape.interval=0", NULL);
    memset(&seen, 0, sizeof(seen));
    metrics_collect_memory(s.app, &sink);
    ck_assert_double_eq(total("go_memstats_heap_sys_bytes"),
                        total("go_memstats_heap_inuse_bytes") +
                            total("go_memstats_heap_idle_bytes"));
    ck_assert_double_eq(total("go_memstats_heap_objects"),
                        total("go_memstats_mallocs_total") - total("go_memstats_frees_total"));
    ck_assert_double_eq(total("go_memstats_alloc_bytes"), total("go_memstats_heap_alloc_bytes"));
    ck_assert_double_le(total("go_memstats_heap_released_bytes"),
                        total("go_memstats_heap_idle_bytes"));
    ck_assert_double_eq(total("hearth_alloc_class_allocs_total"),
                        total("go_memstats_mallocs_total"));
    ck_assert_double_eq(total("go_gc_heap_allocs_by_size_bytes_count"),
                        total("go_memstats_mallocs_total"));
    ck_assert_double_eq(total("go_gc_heap_frees_by_size_bytes_count"),
                        total("go_memstats_frees_total"));
    ck_assert_double_gt(total("hearth_memory_budget_bytes"), 0);
    served_close(&s);
}
END_TEST

SUITE(metrics_memory, the_sums_agree)
