/* exposition: both text forms, to the byte. */
#include "wire/exposition.h"

#include <math.h>

#include "tests/unit/suite.h"

static struct buf out;
static struct exposition e;

static void begin(enum exposition_format format)
{
    buf_init(&out, HEAP_HTTP, 1 << 20);
    exposition_init(&e, &out, format);
}

static void wrote(const char *expected)
{
    exposition_finish(&e);
    buf_append_byte(&out, '\0');
    ck_assert_int_eq(buf_status(&out, NULL), OK);
    ck_assert_str_eq((const char *)out.data, expected);
    buf_release(&out);
}

static void some_metrics(void)
{
    const struct label quantile[] = {{STR("quantile"), STR("0.99")}};
    metric_single(&e.sink, "requests_total", METRIC_COUNTER, "Requests.", 1e6);
    metric_single(&e.sink, "restarts", METRIC_COUNTER, "Restarts.", 2);
    metric_family(&e.sink, "bytes", METRIC_GAUGE, "By \"owner\", \\ and\nnewline.");
    metric_labeled(&e.sink, "owner", STR("a\"b\\c\nd"), 123456789);
    metric_labeled(&e.sink, "owner", STR("caf\xC3\xA9"), NAN);
    metric_family(&e.sink, "took_seconds", METRIC_SUMMARY, "Took.");
    metric_sample(&e.sink, "", quantile, 1, 0.25);
    metric_sample(&e.sink, "_sum", NULL, 0, -INFINITY);
    metric_sample(&e.sink, "_count", NULL, 0, 3);
    metric_single(&e.sink, "other", METRIC_UNTYPED, "", -0.0);
}

START_TEST(text_is_as_prometheus_reads_it)
{
    begin(EXPOSITION_TEXT);
    some_metrics();
    wrote("# HELP requests_total Requests.\n"
          "# TYPE requests_total counter\n"
          "requests_total 1e+06\n"
          "# HELP restarts Restarts.\n"
          "# TYPE restarts counter\n"
          "restarts 2\n"
          "# HELP bytes By \"owner\", \\\\ and\\nnewline.\n"
          "# TYPE bytes gauge\n"
          "bytes{owner=\"a\\\"b\\\\c\\nd\"} 1.23456789e+08\n"
          "bytes{owner=\"caf\xC3\xA9\"} NaN\n"
          "# HELP took_seconds Took.\n"
          "# TYPE took_seconds summary\n"
          "took_seconds{quantile=\"0.99\"} 0.25\n"
          "took_seconds_sum -Inf\n"
          "took_seconds_count 3\n"
          "# HELP other \n"
          "# TYPE other untyped\n"
          "other -0\n");
    ck_assert_str_eq(exposition_content_type(EXPOSITION_TEXT),
                     "text/plain; version=0.0.4; charset=utf-8");
}
END_TEST

START_TEST(openmetrics_names_counters_its_own_way)
{
    begin(EXPOSITION_OPENMETRICS);
    some_metrics();
    wrote("# HELP requests Requests.\n"
          "# TYPE requests counter\n"
          "requests_total 1e+06\n"
          "# HELP restarts Restarts.\n"
          "# TYPE restarts unknown\n"
          "restarts 2\n"
          "# HELP bytes By \\\"owner\\\", \\\\ and\\nnewline.\n"
          "# TYPE bytes gauge\n"
          "bytes{owner=\"a\\\"b\\\\c\\nd\"} 1.23456789e+08\n"
          "bytes{owner=\"caf\xC3\xA9\"} NaN\n"
          "# HELP took_seconds Took.\n"
          "# TYPE took_seconds summary\n"
          "took_seconds{quantile=\"0.99\"} 0.25\n"
          "took_seconds_sum -Inf\n"
          "took_seconds_count 3\n"
          "# HELP other \n"
          "# TYPE other unknown\n"
          "other -0\n"
          "# EOF\n");
}
END_TEST

START_TEST(histograms_are_cumulative_and_in_seconds)
{
    static struct histogram h;
    const struct label labels[] = {{STR("handler"), STR("/write")}};
    histogram_observe_ns(&h, 500);
    histogram_observe_ns(&h, 3000);
    histogram_observe_ns(&h, 3000);
    histogram_observe_ns(&h, INT64_C(5000) * 1000000000);
    begin(EXPOSITION_TEXT);
    metric_family(&e.sink, "d", METRIC_HISTOGRAM, "D.");
    metric_histogram(&e.sink, labels, 1, &h);
    wrote("# HELP d D.\n"
          "# TYPE d histogram\n"
          "d_bucket{handler=\"/write\",le=\"1e-06\"} 1\n"
          "d_bucket{handler=\"/write\",le=\"4e-06\"} 3\n"
          "d_bucket{handler=\"/write\",le=\"1.6e-05\"} 3\n"
          "d_bucket{handler=\"/write\",le=\"6.4e-05\"} 3\n"
          "d_bucket{handler=\"/write\",le=\"0.000256\"} 3\n"
          "d_bucket{handler=\"/write\",le=\"0.001024\"} 3\n"
          "d_bucket{handler=\"/write\",le=\"0.004096\"} 3\n"
          "d_bucket{handler=\"/write\",le=\"0.016384\"} 3\n"
          "d_bucket{handler=\"/write\",le=\"0.065536\"} 3\n"
          "d_bucket{handler=\"/write\",le=\"0.262144\"} 3\n"
          "d_bucket{handler=\"/write\",le=\"1.048576\"} 3\n"
          "d_bucket{handler=\"/write\",le=\"4.194304\"} 3\n"
          "d_bucket{handler=\"/write\",le=\"16.777216\"} 3\n"
          "d_bucket{handler=\"/write\",le=\"67.108864\"} 3\n"
          "d_bucket{handler=\"/write\",le=\"268.435456\"} 3\n"
          "d_bucket{handler=\"/write\",le=\"1073.741824\"} 3\n"
          "d_bucket{handler=\"/write\",le=\"+Inf\"} 4\n"
          "d_sum{handler=\"/write\"} 5000.0000065\n"
          "d_count{handler=\"/write\"} 4\n");
}
END_TEST

START_TEST(a_full_buffer_is_reported_at_the_end)
{
    buf_init(&out, HEAP_HTTP, 32);
    exposition_init(&e, &out, EXPOSITION_TEXT);
    some_metrics();
    ck_assert_int_eq(buf_status(&out, NULL), ERR_TOO_LARGE);
    buf_release(&out);
}
END_TEST

START_TEST(any_series_can_be_put_with_its_time)
{
    const struct label named[] = {
        {LABEL_METRIC_NAME, STR("a:b")}, {STR("instance"), STR("x\"\\\n")}, {STR("job"), STR("j")}};
    const struct label utf8[] = {{LABEL_METRIC_NAME, STR("1caf\xC3\xA9.2")},
                                 {STR("k\xC3\xA9"), STR("v")}};
    const struct label bare[] = {{LABEL_METRIC_NAME, STR("a.b")}};
    const struct labels sets[] = {{named, 3}, {named, 3}, {utf8, 2}, {bare, 1}};
    struct str family = {0};
    begin(EXPOSITION_TEXT);
    for (int i = 0; i < 4; i++)
        exposition_put(&out, sets[i], (struct sample){i - 1, 1e9 / i}, false, &family);
    for (int i = 2; i < 4; i++)
        exposition_put(&out, sets[i], (struct sample){i, NAN}, true, &family);
    wrote("# TYPE a:b untyped\n"
          "a:b{instance=\"x\\\"\\\\\\n\",job=\"j\"} +Inf -1\n"
          "a:b{instance=\"x\\\"\\\\\\n\",job=\"j\"} 1e+09 0\n"
          "# TYPE _caf__2 untyped\n"
          "_caf__2{k_=\"v\",instance=\"\"} 5e+08 1\n"
          "# TYPE a_b untyped\n"
          "a_b{instance=\"\"} 3.333333333333333e+08 2\n"
          "# TYPE \"1caf\xC3\xA9.2\" untyped\n"
          "{\"1caf\xC3\xA9.2\",\"k\xC3\xA9\"=\"v\",instance=\"\"} NaN 2\n"
          "# TYPE \"a.b\" untyped\n"
          "{\"a.b\",instance=\"\"} NaN 3\n");
}
END_TEST

SUITE(exposition, text_is_as_prometheus_reads_it, openmetrics_names_counters_its_own_way,
      histograms_are_cumulative_and_in_seconds, a_full_buffer_is_reported_at_the_end,
      any_series_can_be_put_with_its_time)
