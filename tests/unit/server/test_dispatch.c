/* dispatch: what happens around handlers - readiness, methods, CORS, compression, the full queue.
 */
#include "server/dispatch.h"

#include "tests/unit/server/served.h"

static struct served s;

START_TEST(unknown_paths_are_404_and_wrong_methods_405_with_allow)
{
    served_open(&s, NULL);
    expect_contains(served_get(&s, "/api/v1/nothing"), 404, "404 page not found");
    struct answer answer = served_ask(&s, "DELETE", "/api/v1/query", "", "", 0);
    expect_contains(answer, 405, "Method Not Allowed");
    expect_header(answer, "Allow: GET, POST, OPTIONS");
    answer = served_ask(&s, "FOO", "/metrics", "", "", 0);
    expect_header(answer, "Allow: GET");
    answer = served_ask(&s, "POST", "/api/v1/label/job/values", "", "", 0);
    ck_assert_int_eq(answer.code, 405);
    expect_header(answer, "Allow: GET, OPTIONS");
    served_close(&s);
}
END_TEST

START_TEST(two_slashes_are_sent_to_where_one_is)
{
    served_open(&s, NULL);
    struct answer answer = served_get(&s, "//api/v1//query?query=a//b");
    ck_assert_int_eq(answer.code, 307);
    expect_header(answer, "Location: /api/v1/query?query=a//b\r\n");
    answer = served_form(&s, "///api/v1/query", "query=1");
    ck_assert_int_eq(answer.code, 307);
    expect_header(answer, "Location: /api/v1/query\r\n");
    answer = served_get(&s, "//elsewhere.example/");
    expect_header(answer, "Location: /elsewhere.example/\r\n");
    ck_assert_int_eq(served_get(&s, "/nothing?x=//").code, 404);
    served_close(&s);
}
END_TEST

START_TEST(before_recovery_only_a_few_paths_answer)
{
    served_open(&s, NULL);
    atomic_store(&s.app->state, HEARTH_STARTING);
    struct answer answer = served_get(&s, "/api/v1/query?query=1");
    expect_contains(answer, 503, "Service Unavailable");
    expect_header(answer, "X-Prometheus-Stopping: false");
    ck_assert_int_eq(served_get(&s, "/-/ready").code, 503);
    ck_assert_int_eq(served_get(&s, "/-/healthy").code, 200);
    ck_assert_int_eq(served_get(&s, "/metrics").code, 200);
    ck_assert_int_eq(served_get(&s, "/api/v1/status/walreplay").code, 200);
    atomic_store(&s.app->state, HEARTH_READY);
    ck_assert_int_eq(served_get(&s, "/-/ready").code, 200);
    served_close(&s);
}
END_TEST

START_TEST(while_stopping_nothing_new_is_begun)
{
    served_open(&s, NULL);
    atomic_store(&s.app->state, HEARTH_STOPPING);
    struct answer answer = served_get(&s, "/-/healthy");
    ck_assert_int_eq(answer.code, 503);
    expect_header(answer, "X-Prometheus-Stopping: true");
    atomic_store(&s.app->state, HEARTH_READY);
    served_close(&s);
}
END_TEST

START_TEST(origins_are_answered_as_allowed)
{
    served_open(&s, NULL);
    struct answer answer =
        served_ask(&s, "OPTIONS", "/api/v1/query", "Origin: http://x\r\n", "", 0);
    ck_assert_int_eq(answer.code, 204);
    expect_header(answer, "Access-Control-Allow-Origin: *");
    expect_header(answer, "Access-Control-Allow-Methods: GET, POST, OPTIONS");
    answer = served_get(&s, "/api/v1/query?query=1");
    expect_header(answer, "Vary: Origin");
    ck_assert_ptr_null(strstr(answer.head, "Access-Control-Allow-Origin"));
    served_close(&s);
    served_open(&s, "--web.cors.origin=https?://(y|z)", NULL);
    answer = served_ask(&s, "GET", "/api/v1/query?query=1", "Origin: http://x\r\n", "", 0);
    ck_assert_ptr_null(strstr(answer.head, "Access-Control-Allow-Origin"));
    answer = served_ask(&s, "GET", "/api/v1/query?query=1", "Origin: http://yz\r\n", "", 0);
    ck_assert_ptr_null(strstr(answer.head, "Access-Control-Allow-Origin"));
    answer = served_ask(&s, "GET", "/api/v1/query?query=1", "Origin: https://z\r\n", "", 0);
    expect_header(answer, "Access-Control-Allow-Origin: https://z\r\n");
    served_close(&s);
}
END_TEST

START_TEST(every_path_of_the_api_has_options)
{
    static const char *const paths[] = {"/api/v1/write", "/api/v1/label/job/values",
                                        "/api/v1/status/walreplay", "/api/v1/nothing"};
    served_open(&s, NULL);
    for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
        struct answer answer = served_ask(&s, "OPTIONS", paths[i], "Origin: http://x\r\n", "", 0);
        ck_assert_msg(answer.code == 204, "%s: %d", paths[i], answer.code);
        expect_header(answer, "Access-Control-Allow-Origin: *");
    }
    ck_assert_int_eq(served_ask(&s, "OPTIONS", "/metrics", "", "", 0).code, 405);
    ck_assert_int_eq(served_ask(&s, "OPTIONS", "/nothing", "", "", 0).code, 404);
    served_close(&s);
}
END_TEST

START_TEST(requests_are_counted_by_handler_and_code)
{
    served_open(&s, NULL);
    served_get(&s, "/api/v1/query?query=1");
    served_get(&s, "/api/v1/query?query=(");
    for (int waited = 0; http_active(s.app->http) > 0 && waited < 1000; waited++)
        thread_sleep_ms(1);
    struct answer answer = served_get(&s, "/metrics");
    expect_contains(answer, 200,
                    "prometheus_http_requests_total{handler=\"/api/v1/query\",code=\"200\"} 1\n");
    expect_contains(answer, 200,
                    "prometheus_http_requests_total{handler=\"/api/v1/query\",code=\"400\"} 1\n");
    served_close(&s);
}
END_TEST

SUITE(dispatch, unknown_paths_are_404_and_wrong_methods_405_with_allow,
      two_slashes_are_sent_to_where_one_is, before_recovery_only_a_few_paths_answer,
      while_stopping_nothing_new_is_begun, origins_are_answered_as_allowed,
      every_path_of_the_api_has_options, requests_are_counted_by_handler_and_code)
