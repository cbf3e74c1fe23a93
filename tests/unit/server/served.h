/*
 * served - a whole server in the test's process, on a port of its own, and a client that speaks
 * plain sockets, so that requests may be as wrong as the test likes.
 *
 *     struct served s;
 *     served_open(&s, "--query.max-samples=10", NULL);
 *     struct answer a = served_get(&s, "/api/v1/query?query=1");
 *     ck_assert_int_eq(a.code, 200);
 *     served_close(&s);
 */
#ifndef HEARTH_TESTS_UNIT_SERVER_SERVED_H
#define HEARTH_TESTS_UNIT_SERVER_SERVED_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/hearth.h"
#include "storage/appender.h"
#include "tests/unit/suite.h"
#include "wire/frame.h"

enum { SERVED_ANSWER_BYTES = 4 << 20, SERVED_FLAGS_MAX = 8, SERVED_PATIENCE_S = 20 };

struct served {
    struct hearth *app;
    struct config config;
    char folder[64];
    char path_flag[96];
    int port;
};

struct answer {
    int code;         /* 0: the connection ended without a status line */
    const char *head; /* status line and headers */
    const char *body; /* NUL-terminated; valid until the next answer */
    size_t body_size;
};

static UNUSED int served_port_of(const struct hearth *app)
{
    return (int)strtol(strrchr(http_address(app->http, 0), ':') + 1, NULL, 10);
}

static UNUSED void served_open(struct served *s, ...)
{
    const char *argv[SERVED_FLAGS_MAX + 4] = {"hearth", "--web.listen-address=127.0.0.1:0",
                                              "--web.threads=2"};
    int argc = 3;
    enum config_action action;
    struct error err = {0};
    va_list flags;
    snprintf(s->folder, sizeof(s->folder), "/tmp/hearth-unit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(s->folder));
    snprintf(s->path_flag, sizeof(s->path_flag), "--storage.path=%s", s->folder);
    argv[argc++] = s->path_flag;
    va_start(flags, s);
    for (const char *flag; (flag = va_arg(flags, const char *)) != NULL;)
        argv[argc++] = flag;
    va_end(flags);
    log_configure(LOG_ERROR, LOG_FORMAT_LOGFMT);
    ck_assert_msg(config_parse(&s->config, argc, argv, &action, &err) == OK, "%s", err.text);
    ck_assert_msg(hearth_open(&s->config, &s->app, &err) == OK, "%s", err.text);
    ck_assert_msg(hearth_recover(s->app, &err) == OK, "%s", err.text);
    s->port = served_port_of(s->app);
}

static UNUSED void served_close(struct served *s)
{
    char command[128];
    hearth_close(s->app);
    snprintf(command, sizeof(command), "rm -rf %s", s->folder);
    ck_assert_int_eq(system(command), 0);
}

static UNUSED int served_connect(const struct served *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)s->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = SERVED_PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static UNUSED void served_send(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent <= 0) return; /* the server has hung up: its answer says why */
        at += sent;
        size -= (size_t)sent;
    }
}

/* Everything until the server closes the connection. */
static UNUSED struct answer served_receive(int fd)
{
    static char text[SERVED_ANSWER_BYTES + 1];
    struct answer answer = {.head = text, .body = ""};
    size_t size = 0;
    ssize_t got;
    while (size < SERVED_ANSWER_BYTES &&
           (got = recv(fd, text + size, SERVED_ANSWER_BYTES - size, 0)) > 0)
        size += (size_t)got;
    text[size] = '\0';
    close(fd);
    char *end = strstr(text, "\r\n\r\n");
    if (!end) return answer;
    *end = '\0';
    answer.body = end + 4;
    answer.body_size = size - (size_t)(answer.body - text);
    if (strncmp(text, "HTTP/", 5) == 0) answer.code = (int)strtol(strchr(text, ' '), NULL, 10);
    return answer;
}

static UNUSED struct answer served_raw(const struct served *s, const void *bytes, size_t size)
{
    int fd = served_connect(s);
    served_send(fd, bytes, size);
    return served_receive(fd);
}

/* headers: "Name: value\r\n" each, may be empty. */
static UNUSED struct answer served_ask(const struct served *s, const char *method,
                                       const char *target, const char *headers, const void *body,
                                       size_t body_size)
{
    static char head[64 << 10];
    int size = snprintf(head, sizeof(head),
                        "%s %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n%s"
                        "Content-Length: %zu\r\n\r\n",
                        method, target, headers, body_size);
    ck_assert_int_lt(size, (int)sizeof(head));
    int fd = served_connect(s);
    served_send(fd, head, (size_t)size);
    served_send(fd, body, body_size);
    return served_receive(fd);
}

static UNUSED struct answer served_get(const struct served *s, const char *target)
{
    int fd = served_connect(s);
    char head[8192];
    int size = snprintf(head, sizeof(head),
                        "GET %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", target);
    ck_assert_int_lt(size, (int)sizeof(head));
    served_send(fd, head, (size_t)size);
    return served_receive(fd);
}

static UNUSED struct answer served_form(const struct served *s, const char *target,
                                        const char *form)
{
    return served_ask(s, "POST", target, "Content-Type: application/x-www-form-urlencoded\r\n",
                      form, strlen(form));
}

/* Store one sample of name{job="test"} through the appender. */
static UNUSED void served_store(struct served *s, const char *name, int64_t t_ms, double v)
{
    struct arena mem;
    struct appender *appender;
    struct append_result result;
    struct error err;
    struct label items[] = {{LABEL_METRIC_NAME, str_from(name)}, {STR("job"), STR("test")}};
    struct sample sample = {t_ms, v};
    arena_init(&mem, HEAP_HTTP, 1 << 20);
    ck_assert_int_eq(appender_begin(s->app->storage, &mem, &appender, &err), OK);
    ck_assert_int_eq(
        appender_add(appender, (struct labels){items, ARRAY_COUNT(items)}, &sample, 1, &err), OK);
    ck_assert_int_eq(appender_commit(appender, &result, &err), OK);
    ck_assert_uint_eq(result.stored, 1);
    arena_release(&mem);
}

static UNUSED void expect_contains(struct answer answer, int code, const char *words)
{
    ck_assert_msg(answer.code == code, "code %d, not %d: %s", answer.code, code, answer.body);
    ck_assert_msg(strstr(answer.body, words) != NULL, "\"%s\" is not in: %s", words, answer.body);
}

static UNUSED void expect_header(struct answer answer, const char *line)
{
    ck_assert_msg(strcasestr(answer.head, line) != NULL, "\"%s\" is not in: %s", line, answer.head);
}

#endif
