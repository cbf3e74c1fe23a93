/* api_query: parameters, limits and errors of queries, as a client sees them. */
#include "server/api.h"

#include "tests/unit/server/served.h"

static struct served s;

START_TEST(instant_queries_answer_at_any_time)
{
    served_open(&s, NULL);
    expect_contains(served_form(&s, "/api/v1/query", "query=1%2B1&time=4"), 200,
                    "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[4,"
                    "\"2\"]}}");
    struct answer answer = served_ask(&s, "POST", "/api/v1/query?query=vector(1)&time=4&step=5m",
                                      "Content-Type: application/json\r\n", "{}", 2);
    expect_contains(answer, 200, "\"value\":[4,\"1\"]");
    served_close(&s);
}
END_TEST

START_TEST(little_work_is_counted_apart)
{
    served_open(&s, NULL);
    served_get(&s, "/api/v1/query?query=1");
    served_get(&s, "/api/v1/query?query=sum_over_time(vector(1)[1m:1s])"); /* goes to the pool */
    served_get(&s, "/api/v1/query?query=2");
    expect_contains(served_get(&s, "/metrics"), 200, "\nhearth_queries_at_once_total 2\n");
    served_close(&s);
}
END_TEST

START_TEST(wrong_parameters_are_named)
{
    static const struct {
        const char *target;
        const char *words;
    } cases[] = {
        {"/api/v1/query", "invalid parameter \\\"query\\\": "},
        {"/api/v1/query?query=sum(", "1:5: parse error"},
        {"/api/v1/query?query=1&time=abc", "invalid parameter \\\"time\\\": invalid time value "
                                           "for 'time': cannot parse \\\"abc\\\" to a valid"},
        {"/api/v1/query?query=1&timeout=abc", "invalid parameter \\\"timeout\\\": cannot parse"},
        {"/api/v1/query?query=1&limit=-1",
         "invalid parameter \\\"limit\\\": limit must be non-neg"},
        {"/api/v1/query?query=1&lookback_delta=x", "error parsing lookback delta duration"},
        {"/api/v1/query?query=%zz", "invalid URL escape"},
        {"/api/v1/query_range?query=1&end=1&step=1", "invalid parameter \\\"start\\\""},
        {"/api/v1/query_range?query=1&start=1&step=1", "invalid parameter \\\"end\\\""},
        {"/api/v1/query_range?query=1&start=1&end=2", "invalid parameter \\\"step\\\""},
        {"/api/v1/query_range?query=1&start=2&end=1&step=1",
         "invalid parameter \\\"end\\\": end timestamp must not be before start time\"}"},
        {"/api/v1/query_range?query=1&start=abc&end=2&step=1",
         "invalid parameter \\\"start\\\": cannot parse \\\"abc\\\" to a valid timestamp"},
        {"/api/v1/query?query=1&limit=1.5",
         "invalid parameter \\\"limit\\\": strconv.Atoi: parsing \\\"1.5\\\": invalid syntax"},
        {"/api/v1/query_range?query=1&start=1&end=2&step=0",
         "zero or negative query resolution step widths are not accepted. Try a positive integer"},
        {"/api/v1/query_range?query=1&start=0&end=11001&step=1",
         "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
         "resolution (?step=XX)"},
        {"/api/v1/query_range?query=1&start=-9e15&end=9e15&step=1", "exceeded maximum resolution"},
        {"/api/v1/query_exemplars?query=(", "\"error\":\"1:2: parse error: "},
        {"/api/v1/query_exemplars?query=up&start=2&end=1",
         "\"error\":\"end timestamp must not be before start timestamp\""},
        {"/api/v1/query_exemplars?query=up&start=x",
         "invalid parameter \\\"start\\\": invalid time value for 'start': cannot parse"},
        {"/api/v1/format_query?query=(", "invalid parameter \\\"query\\\": "},
        {"/api/v1/parse_query?query=(", "invalid parameter \\\"query\\\": 1:2: parse error: "},
    };
    served_open(&s, NULL);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct answer answer = served_get(&s, cases[i].target);
        expect_contains(answer, 400, "\"status\":\"error\",\"errorType\":\"bad_data\"");
        expect_contains(answer, 400, cases[i].words);
    }
    served_close(&s);
}
END_TEST

START_TEST(more_than_ten_warnings_are_counted)
{
    served_open(&s, NULL);
    struct answer answer = served_get(&s, "/api/v1/query_range?start=0&end=14&step=1&query="
                                          "histogram_quantile(time()%2b2,vector(1))");
    expect_contains(answer, 200, "quantile value should be between 0 and 1, got 10 (1:20)\"");
    expect_contains(answer, 200, "\"6 more warning annotations omitted\"]");
    served_close(&s);
}
END_TEST

START_TEST(an_odd_word_for_stats_is_quoted)
{
    served_open(&s, NULL);
    expect_contains(served_get(&s, "/api/v1/query?query=1&stats=a%22b"), 200,
                    "\"warnings\":[\"value \\\"a\\\\\\\"b\\\" for parameter ");
    served_close(&s);
}
END_TEST

START_TEST(eleven_thousand_points_are_answered)
{
    served_open(&s, NULL);
    expect_contains(served_get(&s, "/api/v1/query_range?query=1&start=0&end=11000&step=1"), 200,
                    "[11000,\"1\"]]}]}}");
    served_close(&s);
}
END_TEST

START_TEST(a_query_out_of_time_is_503_timeout)
{
    served_open(&s, NULL);
    expect_contains(served_get(&s, "/api/v1/query?query=vector(1)&timeout=-1"), 503,
                    "\"errorType\":\"timeout\"");
    served_close(&s);
}
END_TEST

START_TEST(limits_of_execution_are_422)
{
    served_open(&s, "--query.max-samples=1", NULL);
    int64_t now_ms = clock_wall_ms();
    for (int i = 0; i < 10; i++)
        served_store(&s, "m", now_ms - i * INT64_C(1000), i);
    expect_contains(served_get(&s, "/api/v1/query?query=sum_over_time(m[1m])"), 422,
                    "\"errorType\":\"execution\"");
    served_close(&s);
}
END_TEST

START_TEST(formatting_and_exemplars)
{
    served_open(&s, NULL);
    expect_contains(served_get(&s, "/api/v1/format_query?query=sum(foo)by(a)"), 200,
                    "\"data\":\"sum by (a) (foo)\"");
    expect_contains(
        served_get(&s,
                   "/api/v1/format_query?query=sum(rate(a_very_long_name_of_a_metric_that_is_"
                   "counted_total%7Bwith=%22a%20label%22%7D[5m]))by(some_label,and_another_one)"),
        200, "\"sum by (some_label, and_another_one) (\\n  rate(a_very");
    expect_contains(served_form(&s, "/api/v1/parse_query", "query=-(1)"), 200,
                    "{\"status\":\"success\",\"data\":{\"expr\":{\"expr\":{\"type\":"
                    "\"numberLiteral\",\"val\":\"1\"},\"type\":\"parenExpr\"},\"op\":\"-\","
                    "\"type\":\"unaryExpr\"}}");
    expect_contains(served_get(&s, "/api/v1/query_exemplars?query=up"), 200, "\"data\":[]");
    served_close(&s);
}
END_TEST

SUITE(api_query, little_work_is_counted_apart, instant_queries_answer_at_any_time,
      wrong_parameters_are_named, more_than_ten_warnings_are_counted,
      an_odd_word_for_stats_is_quoted, eleven_thousand_points_are_answered,
      a_query_out_of_time_is_503_timeout, limits_of_execution_are_422, formatting_and_exemplars)
