/* api_active: what runs is told while it runs, and ended by its id. */
#include "server/api.h"

#include "tests/unit/server/served.h"

#define SLOW                                                                                       \
    "/api/v1/query_range?start=0&end=11000&step=1&query="                                          \
    "quantile_over_time(0.5,vector(time())%5B12h:1s%5D)"

static struct served s;

/* Ask for something that takes minutes, and do not wait for the answer. */
static int begin_slow(void)
{
    static const char head[] = "GET " SLOW " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    int fd = served_connect(&s);
    served_send(fd, head, sizeof(head) - 1);
    return fd;
}

static struct answer list_with(const char *words)
{
    struct answer answer;
    for (int tries = 0; tries < 2000; tries++) {
        answer = served_get(&s, "/api/v1/status/active_queries");
        if (strstr(answer.body, words)) break;
        thread_sleep_ms(5);
    }
    expect_contains(answer, 200, words);
    return answer;
}

static struct answer kill_by(const char *id)
{
    char target[96];
    snprintf(target, sizeof(target), "/api/v1/admin/queries/kill?id=%s", id);
    return served_ask(&s, "POST", target, "", "", 0);
}

START_TEST(an_idle_server_lists_nothing)
{
    served_open(&s, NULL);
    expect_contains(served_get(&s, "/api/v1/status/active_queries"), 200,
                    "{\"status\":\"success\",\"data\":[]}");
    expect_contains(kill_by("1"), 503, "admin APIs disabled");
    served_close(&s);
}
END_TEST

START_TEST(a_query_is_listed_and_killed)
{
    served_open(&s, "--web.enable-admin-api", "--query.max-concurrency=1", NULL);
    int running = begin_slow();
    expect_contains(list_with("\"state\":\"running\""), 200, "{\"id\":\"1\",");
    int queued = begin_slow();
    struct answer answer = list_with("\"state\":\"queued\"");
    expect_contains(answer, 200,
                    "\"path\":\"/api/v1/query_range\",\"query\":\"quantile_over_time(0.5,"
                    "vector(time())[12h:1s])\",\"start\":0,\"end\":11000000,\"step\":1000}");
    expect_contains(answer, 200, "\"remote_addr\":\"127.0.0.1:");
    ck_assert_ptr_nonnull(strstr(answer.body, "\"duration\":\"0."));
    ck_assert_int_eq(kill_by("2").code, 204);
    expect_contains(served_receive(queued), 503, "query was canceled in query queue");
    ck_assert_int_eq(kill_by("1").code, 204);
    expect_contains(served_receive(running), 503, "\"errorType\":\"canceled\"");
    expect_contains(kill_by("1"), 404, "\"errorType\":\"not_found\"");
    expect_contains(kill_by("x"), 400, "invalid parameter \\\"id\\\"");
    expect_contains(served_get(&s, "/api/v1/status/active_queries"), 200, "\"data\":[]");
    served_close(&s);
}
END_TEST

START_TEST(a_long_text_is_cut_between_characters)
{
    static char body[16 << 10];
    static char head[256];
    size_t size = (size_t)snprintf(body, sizeof(body),
                                   "start=0&end=11000&step=1&query=quantile_over_time(0.5,"
                                   "vector(time())[12h:1s])#");
    for (int i = 0; i < 3000; i++) {
        memcpy(body + size, "\xE2\x82\xAC", 3);
        size += 3;
    }
    int head_size = snprintf(head, sizeof(head),
                             "POST /api/v1/query_range HTTP/1.1\r\nHost: test\r\n"
                             "Content-Type: application/x-www-form-urlencoded\r\n"
                             "Connection: close\r\nContent-Length: %zu\r\n\r\n",
                             size);
    served_open(&s, "--web.enable-admin-api", NULL);
    int fd = served_connect(&s);
    served_send(fd, head, (size_t)head_size);
    served_send(fd, body, size);
    struct answer answer = list_with("\"state\":\"running\"");
    expect_contains(answer, 200, "\xE2\x82\xAC\",\"start\":0,");
    ck_assert_uint_lt(answer.body_size, 4096 + 512);
    ck_assert_int_eq(kill_by("1").code, 204);
    expect_contains(served_receive(fd), 503, "\"errorType\":\"canceled\"");
    served_close(&s);
}
END_TEST

SUITE(api_active, an_idle_server_lists_nothing, a_query_is_listed_and_killed,
      a_long_text_is_cut_between_characters)
