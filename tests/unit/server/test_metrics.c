/* metrics: every family is announced once, well named, and no sample appears twice. */
#include "server/metrics.h"

#include <math.h>

#include "tests/unit/server/served.h"

enum { FAMILIES_MAX = 400, SAMPLES_MAX = 4000, KEY_BYTES = 256 };

static struct served s;

/* What a collection said, and what was wrong with it. */
static struct {
    char families[FAMILIES_MAX][96];
    size_t family_count;
    enum metric_type type;
    char samples[SAMPLES_MAX][KEY_BYTES];
    double values[SAMPLES_MAX];
    size_t sample_count;
} seen;

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text);
    size_t end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

static void on_family(void *self, const char *name, enum metric_type type, const char *help)
{
    (void)self;
    ck_assert_uint_lt(seen.family_count, FAMILIES_MAX);
    for (size_t i = 0; i < seen.family_count; i++)
        ck_assert_str_ne(seen.families[i], name);
    snprintf(seen.families[seen.family_count++], sizeof(seen.families[0]), "%s", name);
    seen.type = type;
    ck_assert_msg(strlen(help) > 4, "no help: %s", name);
    ck_assert_msg(ends_with(name, "_total") == (type == METRIC_COUNTER), "suffix of %s", name);
    ck_assert_msg(!ends_with(name, "_count") && !ends_with(name, "_sum") &&
                      !ends_with(name, "_bucket"),
                  "reserved suffix: %s", name);
    ck_assert_msg(!ends_with(name, "_ms") && !strstr(name, "milliseconds"), "base unit: %s", name);
}

static void on_sample(void *self, const char *suffix, const struct label *labels,
                      size_t label_count, double v)
{
    (void)self;
    char key[KEY_BYTES];
    ck_assert_uint_gt(seen.family_count, 0);
    ck_assert_uint_lt(seen.sample_count, SAMPLES_MAX);
    const char *family = seen.families[seen.family_count - 1];
    int size = snprintf(key, sizeof(key), "%s%s", family, suffix);
    for (size_t i = 0; i < label_count; i++)
        size += snprintf(key + size, sizeof(key) - (size_t)size, ",%.*s=%.*s",
                         STR_ARG(labels[i].name), STR_ARG(labels[i].value));
    for (size_t i = 0; i < seen.sample_count; i++)
        ck_assert_str_ne(seen.samples[i], key);
    bool is_part = strcmp(suffix, "_sum") == 0 || strcmp(suffix, "_count") == 0;
    ck_assert_msg(*suffix == '\0' || seen.type == METRIC_HISTOGRAM ||
                      (seen.type == METRIC_SUMMARY && is_part),
                  "suffix: %s", key);
    ck_assert_msg(!isnan(v), "NaN: %s", key);
    ck_assert_msg(v >= 0 || strstr(key, "_time"), "negative: %s", key);
    snprintf(seen.samples[seen.sample_count], KEY_BYTES, "%s", key);
    seen.values[seen.sample_count++] = v;
}

static void collect(void)
{
    struct metric_sink sink = {.family = on_family, .sample = on_sample};
    memset(&seen, 0, sizeof(seen));
    metrics_collect(s.app, &sink);
}

static double value_of(const char *key)
{
    for (size_t i = 0; i < seen.sample_count; i++)
        if (strcmp(seen.samples[i], key) == 0) return seen.values[i];
    ck_abort_msg("no sample %s", key);
    return 0;
}

START_TEST(names_and_samples_are_in_order)
{
    served_open(&s, NULL);
    served_get(&s, "/api/v1/query?query=up");
    served_store(&s, "m", clock_wall_ms(), 1);
    collect();
    ck_assert_uint_gt(seen.family_count, 80);
    ck_assert_uint_gt(seen.sample_count, 200);
    served_close(&s);
}
END_TEST

START_TEST(numbers_are_those_of_the_store)
{
    served_open(&s, "--self-scrape.interval=0", NULL);
    int64_t now_ms = clock_wall_ms();
    served_store(&s, "a", now_ms, 1);
    served_store(&s, "b", now_ms - 1500, 1);
    collect();
    ck_assert_double_eq(value_of("prometheus_tsdb_head_series"), 2);
    ck_assert_double_eq(value_of("prometheus_tsdb_head_samples_appended_total,type=float"), 2);
    ck_assert_double_eq(value_of("prometheus_tsdb_head_max_time"), (double)now_ms);
    ck_assert_double_eq(value_of("prometheus_tsdb_lowest_timestamp_seconds"),
                        (double)(now_ms - 1500) / 1000);
    ck_assert_double_eq(value_of("prometheus_tsdb_retention_limit_seconds"), 115200);
    ck_assert_double_eq(value_of("prometheus_ready"), 1);
    served_close(&s);
}
END_TEST

SUITE(metrics, names_and_samples_are_in_order, numbers_are_those_of_the_store)
