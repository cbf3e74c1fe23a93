/* explain - a request, and its answer as a table. */
#include "server/explain.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alloc/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "promql/ast.h"
#include "server/config.h"

enum { EXPLAINED, NO_ANSWER, USAGE };
enum { ANSWER_BYTES_MAX = 256 << 20, ADDRESS_BYTES = 300 };

/* What is left of the answer. */
struct reader {
    const char *at;
    const char *end;
};

/* Move behind the next occurrence of a text that no JSON string can contain: it has quotes. */
static bool pass(struct reader *r, const char *text)
{
    size_t left = (size_t)(r->end - r->at); /* of an empty body: at is NULL */
    const char *found = left ? memmem(r->at, left, text, strlen(text)) : NULL;
    if (found) r->at = found + strlen(text);
    return found != NULL;
}

/* The number of a member that comes next. */
static double read_number(struct reader *r, const char *key)
{
    static const char digits[] = "+-.eE0123456789";
    char text[40] = {0};
    if (!pass(r, key)) return 0;
    for (size_t n = 0;
         r->at < r->end && n + 1 < sizeof(text) && memchr(digits, *r->at, sizeof(digits) - 1);)
        text[n++] = *r->at++;
    return strtod(text, NULL);
}

/* \u0041: what is not ASCII is sent as it is, so that all of these are. */
static char read_code(struct reader *r)
{
    char digits[5] = {0};
    for (size_t i = 0; i < 4 && r->at < r->end; i++)
        digits[i] = *r->at++;
    return (char)strtol(digits, NULL, 16);
}

/* The rest of a string, on one line. */
static void print_string(struct reader *r, FILE *out)
{
    while (r->at < r->end && *r->at != '"') {
        char c = *r->at++;
        if (c == '\\' && r->at < r->end) {
            c = *r->at++;
            if (c == 'u') c = read_code(r);
            if (c == 'n' || c == 't' || c == 'r') c = ' ';
        }
        fputc((unsigned char)c < ' ' ? ' ' : c, out);
    }
}

/* The parser takes no deeper tree, whatever a server says. */
static int read_depth(struct reader *r)
{
    double depth = read_number(r, ":");
    if (depth > AST_DEPTH_MAX) return AST_DEPTH_MAX;
    return depth > 0 ? (int)depth : 0;
}

/* Members are in the order in which query_json writes them. */
static void print_node(struct reader *r, FILE *out)
{
    int depth = read_depth(r);
    if (!pass(r, "\"expr\":\"")) return;
    struct reader expr = *r;
    double series = read_number(r, "\"series\":");
    double values = read_number(r, "\"values\":");
    double samples = read_number(r, "\"samplesRead\":");
    double bytes = read_number(r, "\"bytes\":");
    double seconds = read_number(r, "\"time\":");
    fprintf(out, "%12.3f %12.0f %10.0f %12.0f %12.0f  %*s", seconds * 1e3, samples, series, values,
            bytes, 2 * depth, "");
    print_string(&expr, out);
    fputc('\n', out);
}

bool explain_print(struct str body, FILE *out)
{
    struct reader r = {.at = body.data, .end = body.data + body.size};
    if (!pass(&r, "\"stats\":{")) return false;
    double total_ms = read_number(&r, "\"execTotalTime\":") * 1e3;
    double peak = read_number(&r, "\"peakSamples\":");
    if (!pass(&r, "\"nodes\":[")) return false;
    fprintf(out, "%12s %12s %10s %12s %12s\n", "time ms", "samples", "series", "values", "bytes");
    while (pass(&r, "\"depth\""))
        print_node(&r, out);
    fprintf(out, "%.3f ms in all, at most %.0f samples held at once\n", total_ms, peak);
    return true;
}

static struct str view(const struct buf *b)
{
    return (struct str){(const char *)b->data, b->size};
}

static void add_parameter(struct buf *body, const char *name, const char *value)
{
    static const char digits[] = "0123456789ABCDEF";
    if (!value) return;
    buf_printf(body, "&%s=", name);
    for (const char *c = value; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        const char code[3] = {'%', digits[byte >> 4], digits[byte & 15]};
        buf_append(body, code, sizeof(code));
    }
}

/* -1: nobody there; err says why. */
static int connect_to(struct str host, struct str port, struct error *err)
{
    char name[ADDRESS_BYTES];
    char service[ADDRESS_BYTES];
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int fd = -1;
    (void)snprintf(name, sizeof(name), "%.*s", STR_ARG(host));
    (void)snprintf(service, sizeof(service), "%.*s", STR_ARG(port));
    int failed = getaddrinfo(host.size ? name : "127.0.0.1", service, &hints, &found);
    if (failed) {
        error_set(err, ERR_IO, "%s", gai_strerror(failed));
        return -1;
    }
    for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0) break;
        error_set_errno(err, ERR_IO, errno, "cannot connect");
        if (fd >= 0) (void)close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static bool send_all(int fd, struct str bytes)
{
    while (bytes.size) {
        ssize_t sent = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.data += sent;
        bytes.size -= (size_t)sent;
    }
    return true;
}

/* HTTP/1.0: the answer ends with the connection. */
static bool exchange(int fd, struct str path, struct str form, struct buf *answer)
{
    char head[256];
    char piece[65536];
    ssize_t got;
    int size = snprintf(head, sizeof(head),
                        "POST %.*s HTTP/1.0\r\nContent-Length: %zu\r\n"
                        "Content-Type: application/x-www-form-urlencoded\r\n\r\n",
                        STR_ARG(path), form.size);
    if (!send_all(fd, (struct str){head, (size_t)size}) || !send_all(fd, form)) return false;
    while ((got = recv(fd, piece, sizeof(piece), 0)) > 0)
        buf_append(answer, piece, (size_t)got);
    return got == 0 && buf_status(answer, NULL) == OK;
}

struct question {
    const char *server;
    const char *time, *start, *end, *step;
    const char *query;
};

static int ask(const struct question *q, struct buf *form, struct buf *answer)
{
    struct str host;
    struct str port;
    struct error err;
    if (config_split_address(str_from(q->server), &host, &port, &err)) {
        (void)fprintf(stderr, "hearth: --server: %s\n", err.text);
        return USAGE;
    }
    buf_append_str(form, STR("stats=all&limit=1"));
    add_parameter(form, "query", q->query);
    add_parameter(form, "time", q->time);
    add_parameter(form, "start", q->start);
    add_parameter(form, "end", q->end);
    add_parameter(form, "step", q->step);
    struct str path = q->start ? STR("/api/v1/query_range") : STR("/api/v1/query");
    int fd = connect_to(host, port, &err);
    if (fd >= 0 && exchange(fd, path, view(form), answer)) {
        (void)close(fd);
        return EXPLAINED;
    }
    if (fd >= 0) {
        (void)close(fd);
        error_set(&err, ERR_IO, "the connection was lost");
    }
    (void)fprintf(stderr, "hearth: no answer from %s: %s\n", q->server, err.text);
    return NO_ANSWER;
}

static int show(struct str answer)
{
    struct reader r = {.at = answer.data, .end = answer.data + answer.size};
    if (pass(&r, "\r\n\r\n") && explain_print((struct str){r.at, (size_t)(r.end - r.at)}, stdout))
        return EXPLAINED;
    (void)fputs("hearth: ", stderr);
    if (pass(&r, "\"error\":\""))
        print_string(&r, stderr);
    else
        (void)fprintf(stderr, "this is no answer to a query: %.*s", STR_ARG(answer));
    (void)fputc('\n', stderr);
    return NO_ANSWER;
}

static bool read_words(int count, char **words, struct question *q)
{
    const struct {
        const char *word;
        const char **value;
    } options[] = {{"--server", &q->server},
                   {"--time", &q->time},
                   {"--start", &q->start},
                   {"--end", &q->end},
                   {"--step", &q->step}};
    for (int i = 0; i < count; i++) {
        const char **value = NULL;
        for (size_t o = 0; o < ARRAY_COUNT(options); o++)
            if (strcmp(words[i], options[o].word) == 0) value = options[o].value;
        if (!value && words[i][0] == '-' && words[i][1] == '-') return false;
        if (!value && q->query) return false; /* a query without quotes is several words */
        if (value && ++i == count) return false;
        *(value ? value : &q->query) = words[i];
    }
    bool range = q->start || q->end || q->step;
    return q->query && (!range || (q->start && q->end && q->step && !q->time));
}

static const char usage_text[] =
    "usage: hearth explain [--server HOST:PORT] [--time T | --start T --end T --step D] QUERY\n";

static const char help_text[] =
    "\n"
    "Asks a running server what a query costs, and where: a line for each part of the query\n"
    "that has series, with all that is below it. The answer of the query is not shown.\n"
    "\n"
    "      --server 127.0.0.1:9428    The server.\n"
    "      --time                     When; else now. Unix seconds or RFC 3339, as all times.\n"
    "      --start, --end, --step     A range query; a step is 15s, or seconds.\n"
    "\n"
    "Exit codes: 0 explained, 1 there is no answer, 2 the words are wrong.\n";

int explain_main(int count, char **words)
{
    struct question q = {.server = "127.0.0.1:9428"};
    struct buf form;
    struct buf answer;
    if (count > 0 && config_is_help(words[0])) {
        (void)fputs(usage_text, stdout);
        (void)fputs(help_text, stdout);
        return EXPLAINED;
    }
    if (!read_words(count, words, &q)) {
        (void)fputs(usage_text, stderr);
        return USAGE;
    }
    buf_init(&form, HEAP_HTTP, ANSWER_BYTES_MAX);
    buf_init(&answer, HEAP_HTTP, ANSWER_BYTES_MAX);
    int code = ask(&q, &form, &answer);
    if (code == EXPLAINED) code = show(view(&answer));
    buf_release(&form);
    buf_release(&answer);
    return code;
}
