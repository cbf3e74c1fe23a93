/* api_federate: the newest samples, by name, each once. */
#include "server/api.h"

#include <inttypes.h>

#include "base/bits.h"
#include "model/sample.h"
#include "tests/unit/server/served.h"

static struct served s;
static int64_t now_ms;

static void fill(void)
{
    served_open(&s, "--self-scrape.interval=0", NULL);
    now_ms = clock_wall_ms();
    served_store(&s, "b", now_ms - 2000, 1);
    served_store(&s, "b", now_ms - 1000, 2.5);
    served_store(&s, "a", now_ms - 1000, -0.0);
    served_store(&s, "ended", now_ms - 2000, 1);
    served_store(&s, "ended", now_ms - 1000, bits_to_double(STALE_NAN_BITS));
    served_store(&s, "old", now_ms - 301000, 1);
    served_store(&s, "ahead", now_ms + 60000, 1);
}

START_TEST(the_newest_samples_come_by_name_and_once)
{
    char expected[256];
    fill();
    snprintf(expected, sizeof(expected),
             "# TYPE a untyped\na{job=\"test\",instance=\"\"} -0 %" PRId64
             "\n# TYPE b untyped\nb{job=\"test\",instance=\"\"} 2.5 %" PRId64 "\n",
             now_ms - 1000, now_ms - 1000);
    struct answer answer =
        served_get(&s, "/federate?match[]=b&match[]={job=\"test\"}&start=1&end=2");
    ck_assert_int_eq(answer.code, 200);
    ck_assert_str_eq(answer.body, expected);
    expect_header(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8");
    served_close(&s);
}
END_TEST

START_TEST(names_are_quoted_for_who_reads_that)
{
    fill();
    served_store(&s, "x.y", now_ms, 1);
    const char *accept = "Accept: text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6\r\n";
    expect_contains(served_get(&s, "/federate?match[]={__name__=~\"x.*\"}"), 200,
                    "# TYPE x_y untyped\nx_y{job=");
    expect_contains(served_ask(&s, "GET", "/federate?match[]={\"x.y\"}", accept, "", 0), 200,
                    "# TYPE \"x.y\" untyped\n{\"x.y\",job=");
    served_close(&s);
}
END_TEST

START_TEST(nothing_selected_is_empty_and_mistakes_are_text)
{
    fill();
    struct answer answer = served_get(&s, "/federate");
    ck_assert_int_eq(answer.code, 200);
    ck_assert_str_eq(answer.body, "");
    ck_assert_str_eq(served_get(&s, "/federate?match[]=nothing").body, "");
    answer = served_get(&s, "/federate?match[]=a{");
    expect_contains(answer, 400, "1:3: parse error");
    expect_header(answer, "Content-Type: text/plain");
    ck_assert_int_eq(served_ask(&s, "POST", "/federate", "", "", 0).code, 405);
    served_close(&s);
}
END_TEST

SUITE(api_federate, the_newest_samples_come_by_name_and_once, names_are_quoted_for_who_reads_that,
      nothing_selected_is_empty_and_mistakes_are_text)
