/* api_metrics: formats and compression of /metrics. */
#include "server/api.h"

#include "tests/unit/server/served.h"

static struct served s;

START_TEST(text_by_default_openmetrics_when_asked)
{
    served_open(&s, NULL);
    struct answer answer = served_get(&s, "/metrics");
    expect_header(answer, "Content-Type: text/plain; version=0.0.4");
    expect_contains(answer, 200, "\n# TYPE prometheus_tsdb_head_series gauge\n");
    answer = served_ask(&s, "GET", "/metrics", "Accept: application/openmetrics-text\r\n", "", 0);
    expect_header(answer, "Content-Type: application/openmetrics-text");
    ck_assert_str_eq(answer.body + answer.body_size - 6, "# EOF\n");
    served_close(&s);
}
END_TEST

START_TEST(gzip_when_asked)
{
    served_open(&s, NULL);
    struct answer answer = served_ask(&s, "GET", "/metrics", "Accept-Encoding: gzip\r\n", "", 0);
    ck_assert_int_eq(answer.code, 200);
    expect_header(answer, "Content-Encoding: gzip");
    ck_assert_mem_eq(answer.body, "\x1f\x8b", 2);
    served_close(&s);
}
END_TEST

SUITE(api_metrics, text_by_default_openmetrics_when_asked, gzip_when_asked)
