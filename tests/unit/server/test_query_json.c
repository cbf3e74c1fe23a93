/* query_json: the envelopes that clients read, byte for byte. */
#include "server/query_json.h"

#include <string.h>

#include "base/compiler.h"
#include "tests/unit/suite.h"

static void expect_json(const struct query *query, const struct query_json_options *options,
                        const char *text)
{
    struct buf out;
    struct query_json_options none = {0};
    buf_init(&out, HEAP_HTTP, 1 << 20);
    query_json_write(&out, query, options ? options : &none);
    buf_append_byte(&out, '\0');
    ck_assert_str_eq((char *)out.data, text);
    buf_release(&out);
}

static struct label up_labels[] = {{{"__name__", 8}, {"up", 2}}, {{"job", 3}, {"a\"b", 3}}};

START_TEST(a_scalar_is_a_pair)
{
    struct query query = {.value = {.type = VALUE_SCALAR, .t_ms = 4000, .scalar = 2}};
    expect_json(&query, NULL,
                "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[4,"
                "\"2\"]}}");
    query.value.scalar = bits_to_double(NORMAL_NAN_BITS);
    query.value.t_ms = 1500;
    expect_json(&query, NULL,
                "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1.5,"
                "\"NaN\"]}}");
    query.value.scalar = 1e21;
    expect_json(&query, NULL,
                "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1.5,"
                "\"1000000000000000000000\"]}}");
}
END_TEST

START_TEST(a_string_is_a_pair)
{
    struct query query = {.value = {.type = VALUE_STRING, .t_ms = -1, .string = STR("x\n")}};
    expect_json(&query, NULL,
                "{\"status\":\"success\",\"data\":{\"resultType\":\"string\",\"result\":[-0.001,"
                "\"x\\n\"]}}");
}
END_TEST

START_TEST(empty_results_are_empty_lists)
{
    struct query query = {.value = {.type = VALUE_VECTOR}};
    expect_json(&query, NULL,
                "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}");
    query.value.type = VALUE_MATRIX;
    expect_json(&query, NULL,
                "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}");
}
END_TEST

START_TEST(vectors_and_matrices_list_their_series)
{
    struct sample points[] = {{1000, 1}, {2050, 0.1}};
    struct series_points series[] = {{.labels = {up_labels, 2}, .points = points, .count = 2}};
    struct query query = {.value = {.type = VALUE_VECTOR, .series = series, .series_count = 1}};
    expect_json(&query, NULL,
                "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{"
                "\"metric\":{\"__name__\":\"up\",\"job\":\"a\\\"b\"},\"value\":[1,\"1\"]}]}}");
    query.value.type = VALUE_MATRIX;
    expect_json(&query, NULL,
                "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{"
                "\"metric\":{\"__name__\":\"up\",\"job\":\"a\\\"b\"},\"values\":[[1,\"1\"],[2.050,"
                "\"0.1\"]]}]}}");
}
END_TEST

START_TEST(remarks_follow_the_data)
{
    struct str warnings[] = {STR("w1"), STR("w2")};
    struct str infos[] = {STR("i1")};
    struct query query = {.value = {.type = VALUE_VECTOR}, .annotations = {warnings, 2, infos, 1}};
    expect_json(&query, NULL,
                "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]},"
                "\"warnings\":[\"w1\",\"w2\"],\"infos\":[\"i1\"]}");
}
END_TEST

START_TEST(at_most_ten_warnings)
{
    struct str warnings[25];
    struct buf out;
    size_t seen = 0;
    for (size_t i = 0; i < ARRAY_COUNT(warnings); i++)
        warnings[i] = STR("again");
    struct query query = {.value = {.type = VALUE_VECTOR},
                          .annotations = {.warnings = warnings, .warning_count = 25}};
    struct query_json_options options = {0};
    buf_init(&out, HEAP_HTTP, 1 << 20);
    query_json_write(&out, &query, &options);
    buf_append_byte(&out, '\0');
    for (char *at = (char *)out.data; (at = strstr(at, "again")) != NULL; at++)
        seen++;
    ck_assert_uint_eq(seen, ARRAY_COUNT(warnings));
    buf_release(&out);
}
END_TEST

START_TEST(a_limit_cuts_and_says_so)
{
    struct sample point = {0, 1};
    struct series_points series[3];
    for (int i = 0; i < 3; i++)
        series[i] = (struct series_points){.labels = {NULL, 0}, .points = &point, .count = 1};
    struct query query = {.value = {.type = VALUE_VECTOR, .series = series, .series_count = 3}};
    struct query_json_options options = {.limit = 1};
    expect_json(&query, &options,
                "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{"
                "\"metric\":{},\"value\":[0,\"1\"]}]},\"warnings\":[\"results truncated due to "
                "limit\"]}");
    options.limit = 3;
    expect_json(&query, &options,
                "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{"
                "\"metric\":{},\"value\":[0,\"1\"]},{\"metric\":{},\"value\":[0,\"1\"]},{"
                "\"metric\":{},\"value\":[0,\"1\"]}]}}");
}
END_TEST

START_TEST(statistics_are_there_when_asked_for)
{
    struct query query = {.value = {.type = VALUE_SCALAR, .t_ms = 0, .scalar = 1},
                          .stats = {.samples_queryable = 9, .samples_read = 7, .samples_peak = 5}};
    struct query_json_options options = {.stats = QUERY_JSON_STATS};
    expect_json(&query, &options,
                "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[0,\"1\"],"
                "\"stats\":{\"timings\":{\"evalTotalTime\":0,\"resultSortTime\":0,"
                "\"queryPreparationTime\":0,\"innerEvalTime\":0,\"execQueueTime\":0,"
                "\"execTotalTime\":0},\"samples\":{\"totalQueryableSamples\":9,"
                "\"samplesRead\":7,\"peakSamples\":5}}}}");
}
END_TEST

SUITE(query_json, a_scalar_is_a_pair, a_string_is_a_pair, empty_results_are_empty_lists,
      vectors_and_matrices_list_their_series, remarks_follow_the_data, at_most_ten_warnings,
      a_limit_cuts_and_says_so, statistics_are_there_when_asked_for)
