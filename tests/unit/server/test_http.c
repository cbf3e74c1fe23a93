/* http: framing, ceilings and connections, with requests that no client library would send. */
#include "server/http.h"

#include "tests/unit/server/served.h"

static struct served s;

static struct answer raw(const char *text)
{
    return served_raw(&s, text, strlen(text));
}

START_TEST(ambiguous_framing_is_refused_and_ends_the_connection)
{
    static const struct {
        const char *headers;
        int code;
    } cases[] = {
        {"Host: a\r\nHost: b\r\n", 400},
        {"Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n", 400},
        {"Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400},
        {"Host: a\r\nTransfer-Encoding: xchunked\r\n", 501},
        {"Host: a\r\nExpect: nonsense\r\n", 417},
        {"Host: a\r\nbad name: x\r\n", 400},
        {"Host: a\r\nContent-Length: -1\r\n", 400},
        {"Host: a\r\nContent-Length: 99999999999999999999999\r\n", 413},
        {"", 400},
    };
    char text[512];
    served_open(&s, NULL);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        snprintf(text, sizeof(text), "POST /api/v1/write HTTP/1.1\r\n%s\r\nx", cases[i].headers);
        struct answer answer = raw(text);
        ck_assert_msg(answer.code == cases[i].code, "%s: %d", cases[i].headers, answer.code);
    }
    expect_contains(served_get(&s, "/-/healthy"), 200, "Healthy");
    served_close(&s);
}
END_TEST

START_TEST(an_announced_body_over_the_ceiling_is_413_before_it_is_sent)
{
    served_open(&s, "--web.max-body-size=1MiB", NULL);
    struct answer answer =
        raw("POST /api/v1/write HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n");
    ck_assert_int_eq(answer.code, 413);
    expect_header(answer, "Connection: close");
    served_close(&s);
}
END_TEST

START_TEST(a_chunked_body_over_the_ceiling_is_413_at_its_end)
{
    enum { CHUNK = 60000, CHUNKS = 20 };
    static char text[(CHUNK + 16) * CHUNKS + 512];
    served_open(&s, "--web.max-body-size=1MiB", NULL);
    size_t size = (size_t)sprintf(text, "POST /api/v1/write HTTP/1.1\r\nHost: a\r\n"
                                        "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < CHUNKS; i++) {
        size += (size_t)sprintf(text + size, "%x\r\n", CHUNK);
        memset(text + size, 'x', CHUNK);
        size += CHUNK;
        size += (size_t)sprintf(text + size, "\r\n");
    }
    size += (size_t)sprintf(text + size, "0\r\n\r\n");
    ck_assert_int_eq(served_raw(&s, text, size).code, 413);
    served_close(&s);
}
END_TEST

START_TEST(a_chunked_body_is_a_body)
{
    served_open(&s, NULL);
    struct answer answer =
        raw("POST /api/v1/query HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
            "6\r\nquery=\r\n5\r\n1%2B1\r\n0\r\n\r\n");
    expect_contains(answer, 200, "\"2\"");
    served_close(&s);
}
END_TEST

START_TEST(requests_follow_each_other_on_one_connection)
{
    static const char one[] = "GET /api/v1/query?query=1 HTTP/1.1\r\nHost: a\r\n\r\n";
    static const char last[] = "GET /nope HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    enum { TIMES = 50 };
    size_t answers = 0;
    served_open(&s, NULL);
    int fd = served_connect(&s);
    for (int i = 0; i < TIMES; i++)
        served_send(fd, one, sizeof(one) - 1);
    served_send(fd, last, sizeof(last) - 1);
    struct answer answer = served_receive(fd);
    ck_assert_int_eq(answer.code, 200);
    for (const char *at = answer.body; (at = strstr(at, "\"status\":\"success\"")); at++)
        answers++;
    ck_assert_uint_eq(answers, TIMES);
    ck_assert_ptr_nonnull(strstr(answer.body, "404 page not found"));
    served_close(&s);
}
END_TEST

START_TEST(long_request_lines_and_headers_are_refused)
{
    enum { LONG = 200000 };
    static char text[LONG + 128];
    served_open(&s, NULL);
    size_t size = (size_t)sprintf(text, "GET /?");
    memset(text + size, 'q', LONG);
    size += LONG;
    size += (size_t)sprintf(text + size, " HTTP/1.1\r\nHost: a\r\n\r\n");
    int code = served_raw(&s, text, size).code;
    ck_assert_msg(code == 414 || code == 431 || code == 0, "%d", code);
    expect_contains(served_get(&s, "/-/healthy"), 200, "Healthy");
    served_close(&s);
}
END_TEST

START_TEST(targets_in_absolute_form_are_served)
{
    served_open(&s, NULL);
    struct answer answer = raw("GET http://elsewhere/api/v1/query?query=3 HTTP/1.1\r\nHost: "
                               "a\r\nConnection: close\r\n\r\n");
    expect_contains(answer, 200, "\"3\"");
    ck_assert_int_eq(raw("OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").code, 404);
    served_close(&s);
}
END_TEST

START_TEST(a_head_has_no_body)
{
    served_open(&s, NULL);
    struct answer answer = served_ask(&s, "HEAD", "/-/healthy", "", "", 0);
    ck_assert_int_eq(answer.code, 200);
    ck_assert_uint_eq(answer.body_size, 0);
    served_close(&s);
}
END_TEST

START_TEST(clients_that_go_away_leave_nothing)
{
    enum { TIMES = 200 };
    static const char half[] = "POST /api/v1/write HTTP/1.1\r\nHost: a\r\nContent-Length: 500000"
                               "\r\n\r\nsome of it";
    static const char query[] = "GET /api/v1/query?query=1 HTTP/1.1\r\nHost: a\r\n\r\n";
    served_open(&s, NULL);
    for (int i = 0; i < TIMES; i++) {
        int fd = served_connect(&s);
        if (i % 2) served_send(fd, half, sizeof(half) - 1);
        if (i % 4 == 0) served_send(fd, query, sizeof(query) - 1);
        close(fd);
    }
    expect_contains(served_get(&s, "/-/healthy"), 200, "Healthy");
    for (int waited = 0; http_active(s.app->http) > 0; waited++) {
        ck_assert_int_lt(waited, 1000);
        thread_sleep_ms(10);
    }
    served_close(&s);
}
END_TEST

START_TEST(a_taken_address_is_named)
{
    struct config config;
    struct hearth *second;
    struct error err;
    char address[64];
    served_open(&s, NULL);
    config = s.config;
    snprintf(address, sizeof(address), "127.0.0.1:%d", s.port);
    config.listen_addresses[0] = address;
    config.storage_path = "/tmp/hearth-unit-second";
    ck_assert_int_eq(hearth_open(&config, &second, &err), ERR_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.text, address));
    ck_assert_ptr_nonnull(strstr(err.text, "in use"));
    ck_assert_int_eq(system("rm -rf /tmp/hearth-unit-second"), 0);
    served_close(&s);
}
END_TEST

/* Who serves: the number of the thread is the answer. */
static void begin_nothing(struct request *req)
{
    (void)req;
}

static bool serve_thread(struct request *req)
{
    buf_printf(&req->reply.body, "%lx", (unsigned long)pthread_self());
    req->reply.code = 200;
    return true;
}

static void finish_nothing(struct request *req, bool sent)
{
    (void)req;
    (void)sent;
}

static struct http *open_threads(uint64_t connections_max)
{
    static const char *const address = "127.0.0.1:0";
    const struct http_options options = {
        .addresses = &address,
        .address_count = 1,
        .connections_max = connections_max,
        .threads = 2,
        .read_timeout_ms = 20000,
        .idle_timeout_ms = 20000,
        .body_bytes_max = 1 << 20,
        .arena_bytes_max = 1 << 20,
        .callbacks = {.begin = begin_nothing, .serve = serve_thread, .finish = finish_nothing}};
    struct http *http;
    struct error err;
    ck_assert_msg(http_open(&options, &http, &err) == OK, "%s", err.text);
    s.port = (int)strtol(strrchr(http_address(http, 0), ':') + 1, NULL, 10);
    return http;
}

static void ask(int fd)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    served_send(fd, text, sizeof(text) - 1);
}

/* The thread that answered; the connection stays. 0: no answer within the patience. */
static unsigned long answered_by(int fd)
{
    char text[1024];
    ssize_t got = recv(fd, text, sizeof(text) - 1, 0);
    if (got <= 0) return 0;
    text[got] = '\0';
    const char *body = strstr(text, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    return strtoul(body + 4, NULL, 16);
}

START_TEST(connections_are_spread_over_the_threads)
{
    enum { CONNECTIONS = 6 };
    int fds[CONNECTIONS];
    unsigned of_the_first = 0;
    struct http *http = open_threads(1024);
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = served_connect(&s);
        ask(fds[i]);
    }
    unsigned long first = answered_by(fds[0]);
    for (int i = 1; i < CONNECTIONS; i++)
        of_the_first += answered_by(fds[i]) == first;
    ck_assert_uint_eq(of_the_first, CONNECTIONS / 2 - 1);
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
    http_close(http);
}
END_TEST

START_TEST(at_the_limit_a_connection_waits_until_another_one_has_gone)
{
    struct timeval moment = {.tv_usec = 50000};
    struct timeval patience = {.tv_sec = SERVED_PATIENCE_S};
    struct http *http = open_threads(2);
    int held[2] = {served_connect(&s), served_connect(&s)};
    ask(held[0]);
    ask(held[1]);
    ck_assert_uint_ne(answered_by(held[0]), answered_by(held[1]));
    int waiting = served_connect(&s);
    ask(waiting);
    setsockopt(waiting, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof(moment));
    ck_assert_uint_eq(answered_by(waiting), 0);
    close(held[0]);
    setsockopt(waiting, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ck_assert_uint_ne(answered_by(waiting), 0);
    close(waiting);
    close(held[1]);
    http_close(http);
}
END_TEST

SUITE(http, ambiguous_framing_is_refused_and_ends_the_connection,
      an_announced_body_over_the_ceiling_is_413_before_it_is_sent,
      a_chunked_body_over_the_ceiling_is_413_at_its_end, a_chunked_body_is_a_body,
      requests_follow_each_other_on_one_connection, long_request_lines_and_headers_are_refused,
      targets_in_absolute_form_are_served, a_head_has_no_body, clients_that_go_away_leave_nothing,
      a_taken_address_is_named, connections_are_spread_over_the_threads,
      at_the_limit_a_connection_waits_until_another_one_has_gone)
