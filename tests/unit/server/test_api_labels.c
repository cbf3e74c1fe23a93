/* api_labels: names, values and series; unions, limits, escapes, errors. */
#include "server/api.h"

#include "tests/unit/server/served.h"

static struct served s;

static void fill(void)
{
    int64_t now_ms = clock_wall_ms();
    served_open(&s, "--self-scrape.interval=0", NULL);
    served_store(&s, "a", now_ms, 1);
    served_store(&s, "b", now_ms, 1);
    served_store(&s, "c", now_ms, 1);
}

START_TEST(names_and_values_are_sorted)
{
    fill();
    expect_contains(served_get(&s, "/api/v1/labels"), 200, "\"data\":[\"__name__\",\"job\"]}");
    expect_contains(served_form(&s, "/api/v1/labels", "match[]=a"), 200,
                    "\"data\":[\"__name__\",\"job\"]}");
    expect_contains(served_get(&s, "/api/v1/label/__name__/values"), 200,
                    "\"data\":[\"a\",\"b\",\"c\"]}");
    expect_contains(served_get(&s, "/api/v1/label/absent/values"), 200, "\"data\":[]}");
    served_close(&s);
}
END_TEST

START_TEST(several_matchers_are_a_union)
{
    fill();
    expect_contains(served_get(&s, "/api/v1/label/__name__/values?match[]=c&match[]=a&match[]=a"),
                    200, "\"data\":[\"a\",\"c\"]}");
    expect_contains(served_get(&s, "/api/v1/series?match[]=b&match[]={job=\"test\"}"), 200,
                    "\"data\":[{\"__name__\":\"a\",\"job\":\"test\"},{\"__name__\":\"b\",\"job\":"
                    "\"test\"},{\"__name__\":\"c\",\"job\":\"test\"}]}");
    expect_contains(served_get(&s, "/api/v1/series?match[]=none"), 200, "\"data\":[]}");
    served_close(&s);
}
END_TEST

START_TEST(times_outside_find_nothing)
{
    fill();
    expect_contains(served_get(&s, "/api/v1/series?match[]=a&start=1&end=2"), 200, "\"data\":[]}");
    served_close(&s);
}
END_TEST

START_TEST(a_limit_cuts_and_says_so)
{
    fill();
    expect_contains(served_get(&s, "/api/v1/label/__name__/values?limit=2"), 200,
                    "\"data\":[\"a\",\"b\"],\"warnings\":[\"results truncated due to limit\"]}");
    expect_contains(served_get(&s, "/api/v1/series?match[]={job=\"test\"}&limit=1"), 200,
                    "\"data\":[{\"__name__\":\"a\",\"job\":\"test\"}],\"warnings\":[");
    served_close(&s);
}
END_TEST

START_TEST(names_in_paths_may_be_escaped)
{
    fill();
    expect_contains(served_get(&s, "/api/v1/label/%6aob/values"), 200, "\"data\":[\"test\"]}");
    expect_contains(served_get(&s, "/api/v1/label/U__job/values"), 200, "\"data\":[\"test\"]}");
    expect_contains(served_get(&s, "/api/v1/label/a%2f..%2fb/values"), 200, "\"data\":[]}");
    expect_contains(served_get(&s, "/api/v1/label/%ff/values"), 400, "invalid label name");
    expect_contains(served_get(&s, "/api/v1/label/%zz/values"), 400, "invalid URL escape");
    served_close(&s);
}
END_TEST

START_TEST(wrong_parameters_are_bad_data)
{
    static const char *const targets[] = {"/api/v1/series",
                                          "/api/v1/series?match[]={}",
                                          "/api/v1/series?match[]={job=~\".*\"}",
                                          "/api/v1/series?match[]=a&match[]=(",
                                          "/api/v1/series?match[]=sum(a)",
                                          "/api/v1/series?match[]=a&start=abc",
                                          "/api/v1/series?match[]=a&limit=abc",
                                          "/api/v1/labels?end=abc",
                                          "/api/v1/labels?match[]=(",
                                          "/api/v1/label/job/values?match[]=("};
    fill();
    for (size_t i = 0; i < ARRAY_COUNT(targets); i++)
        expect_contains(served_get(&s, targets[i]), 400, "\"errorType\":\"bad_data\"");
    expect_contains(served_get(&s, "/api/v1/series"), 400, "no match[] parameter provided");
    served_close(&s);
}
END_TEST

SUITE(api_labels, names_and_values_are_sorted, several_matchers_are_a_union,
      times_outside_find_nothing, a_limit_cuts_and_says_so, names_in_paths_may_be_escaped,
      wrong_parameters_are_bad_data)
