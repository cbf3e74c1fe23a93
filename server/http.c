/*
 * http - libmicrohttpd 0.9.75 behind server/http.h.
 *
 * A request is born in the URI callback, the only place that sees the target as it was sent, and
 * dies in the completion callback. In between the handler is called with the headers, with pieces
 * of the body, and with nothing when the body is complete; after a suspended connection was resumed
 * it is called with nothing again.
 *
 * Each worker is a daemon of its own, with one thread and no socket to listen on: those of a pool
 * take connections as they wake, and two senders that came at once were both served by one.
 *
 * Time-outs: a connection has the read time-out until its request is complete, then the idle
 * time-out, until the next first line.
 */
#include "server/http.h"

#include <limits.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "server/listener.h"

enum {
    BODY_FIRST_BYTES = 256 << 10, /* taken at once for an announced body; more as it arrives */
    NO_MEMORY_CODE = 503
};

/* One thread of libmicrohttpd, and its connections. */
struct worker {
    struct http *http;
    struct MHD_Daemon *daemon;
    uint64_t connections; /* under the lock, handed over and not closed */
};

struct http {
    struct http_options options;
    struct MHD_Response *no_memory; /* made at start, for when nothing can be made any more */
    struct gauge active;
    struct listener listeners[HTTP_ADDRESSES_MAX];
    uint32_t listener_count;
    struct worker workers[HTTP_THREADS_MAX];
    uint32_t worker_count;

    struct mutex lock;
    struct cond changed;
    uint64_t connections; /* of all workers */
    uint32_t turn;        /* whose it is to take a connection */
    bool closing;
};

static const struct {
    const char *name;
    enum http_method method;
} methods[] = {{"GET", HTTP_GET}, {"HEAD", HTTP_HEAD},     {"POST", HTTP_POST},
               {"PUT", HTTP_PUT}, {"DELETE", HTTP_DELETE}, {"OPTIONS", HTTP_OPTIONS}};

static enum http_method method_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(methods); i++)
        if (strcmp(methods[i].name, name) == 0) return methods[i].method;
    return HTTP_OTHER;
}

static void set_timeout(struct MHD_Connection *connection, int64_t timeout_ms)
{
    unsigned seconds = (unsigned)((timeout_ms + 999) / 1000);
    (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

/* The target of a request in absolute form starts at its path: "http://host/path" -> "/path". */
static struct str origin_form(struct str target)
{
    static const char scheme[] = "http://";
    size_t skip = sizeof(scheme) - 1;
    if (target.size < skip || strncasecmp(target.data, scheme, skip) != 0) return target;
    const char *slash = memchr(target.data + skip, '/', target.size - skip);
    if (!slash) return STR("/");
    return (struct str){slash, target.size - (size_t)(slash - target.data)};
}

/* The URI callback: what it returns becomes the request of the connection. */
static void *on_first_line(void *self, const char *uri, struct MHD_Connection *connection)
{
    struct http *http = self;
    set_timeout(connection, http->options.read_timeout_ms);
    struct request *req = heap_calloc(1, sizeof(*req), HEAP_HTTP);
    if (!req) return NULL;
    req->app = http->options.app;
    req->http = http;
    req->connection = connection;
    req->start_ns = clock_mono_ns();
    arena_init(&req->mem, HEAP_HTTP, http->options.arena_bytes_max);
    buf_init(&req->body_buffer, HEAP_HTTP, http->options.body_bytes_max);
    reply_init(&req->reply);
    struct str target = origin_form(arena_copy(&req->mem, str_from(uri)));
    if (!target.data) {
        arena_release(&req->mem);
        heap_free(req, sizeof(*req), HEAP_HTTP);
        return NULL;
    }
    const char *mark = memchr(target.data, '?', target.size);
    req->path = target;
    if (mark) {
        req->path.size = (size_t)(mark - target.data);
        req->query = (struct str){mark + 1, target.size - req->path.size - 1};
    }
    return req;
}

/* What a walk over the headers of one request found. */
struct header_scan {
    unsigned hosts;
    unsigned content_lengths;
    unsigned transfer_encodings;
    bool malformed_name;
};

static bool is_token_char(unsigned char c)
{
    return c > 0x20 && c < 0x7F && !strchr("()<>@,;:\\\"/[]?={}", c);
}

static enum MHD_Result scan_header(void *scan_arg, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    (void)kind;
    (void)value;
    struct header_scan *scan = scan_arg;
    scan->hosts += strcasecmp(name, "Host") == 0;
    scan->content_lengths += strcasecmp(name, "Content-Length") == 0;
    scan->transfer_encodings += strcasecmp(name, "Transfer-Encoding") == 0;
    for (const char *c = name; *c; c++)
        scan->malformed_name |= !is_token_char((unsigned char)*c);
    scan->malformed_name |= !*name;
    return MHD_YES;
}

static const char *header(const struct request *req, const char *name)
{
    return MHD_lookup_connection_value(req->connection, MHD_HEADER_KIND, name);
}

static void refuse(struct request *req, unsigned code, const char *text)
{
    reply_plain_error(&req->reply, code, text);
    req->reply.close = true; /* where this request ends and the next begins is in doubt */
}

/* Framing that two parsers could read differently ends the connection (request smuggling). */
static void check_headers(struct request *req)
{
    struct header_scan scan = {0};
    MHD_get_connection_values(req->connection, MHD_HEADER_KIND, scan_header, &scan);
    const char *transfer_encoding = header(req, "Transfer-Encoding");
    const char *expect = header(req, "Expect");
    if (scan.malformed_name)
        refuse(req, 400, "malformed header name");
    else if (scan.hosts > 1)
        refuse(req, 400, "more than one Host header");
    else if (scan.content_lengths > 1)
        refuse(req, 400, "more than one Content-Length header");
    else if (scan.transfer_encodings > 0 && scan.content_lengths > 0)
        refuse(req, 400, "both Content-Length and Transfer-Encoding");
    else if (transfer_encoding && strcasecmp(transfer_encoding, "chunked") != 0)
        refuse(req, 501, "unsupported transfer encoding");
    else if (expect && strcasecmp(expect, "100-continue") != 0)
        refuse(req, 417, "unsupported expectation");
}

/* Without the spaces behind it, which libmicrohttpd leaves there. */
static struct str copy_header(struct request *req, const char *name)
{
    const char *text = header(req, name);
    if (!text) return (struct str){0};
    struct str value = str_from(text);
    while (value.size > 0 && strchr(" \t", value.data[value.size - 1]))
        value.size--;
    struct str copy = arena_copy(&req->mem, value);
    return copy.data ? copy : (struct str){0};
}

/* Hold the announced size against the ceiling and make room for the first part. */
static void prepare_body(struct request *req)
{
    const char *announced = header(req, "Content-Length");
    if (!announced) return;
    uint64_t size = strtoull(announced, NULL, 10); /* libmicrohttpd lets nothing else through */
    if (size > req->body_buffer.ceiling_bytes) {
        refuse(req, 413, "request body too large");
        return;
    }
    if (size == 0) return;
    size_t first = size < BODY_FIRST_BYTES ? (size_t)size : BODY_FIRST_BYTES;
    if (!buf_reserve(&req->body_buffer, first)) return; /* sticky, answered when the body is in */
}

static void begin(struct request *req, const char *method)
{
    req->begun = true;
    req->method = method_of(method);
    check_headers(req);
    if (req->reply.code) return;
    req->content_type = copy_header(req, "Content-Type");
    req->content_encoding = copy_header(req, "Content-Encoding");
    req->accept = copy_header(req, "Accept");
    req->accept_encoding = copy_header(req, "Accept-Encoding");
    req->origin = copy_header(req, "Origin");
    prepare_body(req);
    if (req->reply.code) return;
    req->http->options.callbacks.begin(req);
}

/* false: the client sends on and on although nobody wants its body. */
static bool take_body(struct request *req, const char *data, size_t size)
{
    bool wanted = req->reply.code == 0 && req->body_buffer.refused == OK;
    if (wanted) buf_append(&req->body_buffer, data, size);
    if (wanted && req->body_buffer.refused == OK) return true;
    req->drained_bytes += size;
    return req->drained_bytes <= req->body_buffer.ceiling_bytes;
}

static void free_body(void *data)
{
    heap_free_unsized(data, HEAP_HTTP); /* a buf's: of a good size */
}

/* The reply's bytes now belong to the response. */
static struct MHD_Response *make_response(struct reply *reply)
{
    struct MHD_Response *response;
    reply->sent_bytes = reply->body.size;
    if (reply->body.size == 0) {
        response = MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    } else {
        response = MHD_create_response_from_buffer_with_free_callback_cls(
            reply->body.size, reply->body.data, free_body, reply->body.data);
        if (response) buf_init(&reply->body, HEAP_HTTP, 0);
    }
    if (!response) return NULL;
    if (reply->content_type)
        (void)MHD_add_response_header(response, "Content-Type", reply->content_type);
    for (size_t i = 0; i < reply->header_count; i++)
        (void)MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
    if (reply->close) (void)MHD_add_response_header(response, "Connection", "close");
    return response;
}

static enum MHD_Result send_reply(struct request *req)
{
    struct MHD_Response *response = make_response(&req->reply);
    if (!response) return MHD_queue_response(req->connection, NO_MEMORY_CODE, req->http->no_memory);
    enum MHD_Result result = MHD_queue_response(req->connection, req->reply.code, response);
    MHD_destroy_response(response);
    return result;
}

/* The whole request is in. */
static enum MHD_Result serve(struct request *req)
{
    enum status refused = req->body_buffer.refused;
    struct error err;
    req->active = true;
    gauge_add(&req->http->active, 1);
    set_timeout(req->connection, req->http->options.idle_timeout_ms);
    if (refused == ERR_TOO_LARGE) {
        reply_plain_error(&req->reply, 413, "request body too large");
    } else if (refused) {
        reply_error_text(&req->reply, buf_status(&req->body_buffer, &err), &err);
    } else {
        req->body = (struct str){(const char *)req->body_buffer.data, req->body_buffer.size};
        if (!req->http->options.callbacks.serve(req)) return MHD_YES;
    }
    return send_reply(req);
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are libmicrohttpd's */
static enum MHD_Result on_request(void *self, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_data_size, void **context)
{
    (void)url;
    (void)version;
    struct http *http = self;
    struct request *req = *context;
    if (!req) return MHD_queue_response(connection, NO_MEMORY_CODE, http->no_memory);
    if (!req->begun) {
        begin(req, method);
        /* A reply sent now ends the connection; other early ones wait for the end of the body. */
        return req->reply.close ? send_reply(req) : MHD_YES;
    }
    if (*upload_data_size > 0) {
        bool go_on = take_body(req, upload_data, *upload_data_size);
        *upload_data_size = 0;
        return go_on ? MHD_YES : MHD_NO;
    }
    return req->reply.code ? send_reply(req) : serve(req);
}

static void on_completed(void *self, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode how)
{
    (void)self;
    (void)connection;
    struct request *req = *context;
    if (!req) return;
    *context = NULL;
    struct http *http = req->http;
    bool active = req->active;
    if (req->begun) http->options.callbacks.finish(req, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    reply_release(&req->reply);
    buf_release(&req->body_buffer);
    arena_release(&req->mem);
    heap_free(req, sizeof(*req), HEAP_HTTP);
    if (active) gauge_add(&http->active, -1);
}

/* libmicrohttpd's own words: about single connections, so nobody has to act on them. */
PRINTF_LIKE(2, 0) static void on_log(void *self, const char *format, va_list args)
{
    (void)self;
    char text[256];
    if (!log_enabled(LOG_DEBUG)) return;
    if (vsnprintf(text, sizeof(text), format, args) < 0) return;
    text[strcspn(text, "\n")] = '\0';
    log_debug("http", "libmicrohttpd", "text=%s", LOG_TEXT(str_from(text)));
}

/* ---- Connections, and who serves them ---- */

/* Of a worker's connections one has gone. */
static void on_connection(void *self, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    (void)connection;
    (void)context;
    struct worker *worker = self;
    struct http *http = worker->http;
    if (what != MHD_CONNECTION_NOTIFY_CLOSED) return;
    mutex_lock(&http->lock);
    worker->connections--;
    http->connections--;
    cond_broadcast(&http->changed);
    mutex_unlock(&http->lock);
}

static bool wait_for_room(void *self)
{
    struct http *http = self;
    mutex_lock(&http->lock);
    while (!http->closing && http->connections >= http->options.connections_max)
        cond_wait(&http->changed, &http->lock);
    bool closing = http->closing;
    mutex_unlock(&http->lock);
    return !closing;
}

/* The worker with the fewest connections; of several the one whose turn it is, since a connection
 * that has just come says little of what it will ask for. */
static struct worker *choose_worker(struct http *http)
{
    uint32_t first = ++http->turn;
    struct worker *best = &http->workers[first % http->worker_count];
    for (uint32_t i = 1; i < http->worker_count; i++) {
        struct worker *worker = &http->workers[(first + i) % http->worker_count];
        if (worker->connections < best->connections) best = worker;
    }
    return best;
}

static void take_connection(void *self, int fd, const struct sockaddr *peer, socklen_t peer_size)
{
    struct http *http = self;
    mutex_lock(&http->lock);
    struct worker *worker = choose_worker(http);
    worker->connections++;
    http->connections++;
    mutex_unlock(&http->lock);
    if (MHD_add_connection(worker->daemon, fd, peer, peer_size) == MHD_YES) return;
    /* It has closed the socket, and told nobody. */
    on_connection(worker, NULL, NULL, MHD_CONNECTION_NOTIFY_CLOSED);
}

static enum status start_worker(struct http *http, struct error *err)
{
    const struct http_options *o = &http->options;
    struct worker *worker = &http->workers[http->worker_count];
    unsigned flags = MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_SUSPEND_RESUME |
                     MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem items[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_log, NULL},
        /* Never reached: 0.9.75 forgets to unlock its mutex there. */
        {MHD_OPTION_CONNECTION_LIMIT, INT_MAX, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_CONNECTION_BYTES, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)((o->read_timeout_ms + 999) / 1000), NULL},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, worker},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, http},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_first_line, http},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    worker->http = http;
    worker->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, http, MHD_OPTION_ARRAY,
                                      items, MHD_OPTION_END);
    if (!worker->daemon)
        return error_set(err, ERR_IO, "cannot serve HTTP: libmicrohttpd does not start");
    http->worker_count++;
    return OK;
}

static enum status start(struct http *http, struct error *err)
{
    const struct http_options *o = &http->options;
    const struct listener_taker taker = {
        .self = http, .wait = wait_for_room, .take = take_connection};
    enum status st = OK;
    while (!st && http->worker_count < o->threads)
        st = start_worker(http, err);
    for (uint32_t i = 0; !st && i < o->address_count; i++) {
        st = listener_open(&http->listeners[i], o->addresses[i], &taker, err);
        http->listener_count += st == OK;
    }
    return st;
}

enum status http_open(const struct http_options *options, struct http **out, struct error *err)
{
    static const char no_memory_text[] = "out of memory\n";
    struct http *http = heap_calloc(1, sizeof(*http), HEAP_PROCESS);
    if (!http) return error_set(err, ERR_NO_MEMORY, "no memory for the HTTP server");
    ASSERT(options->threads > 0 && options->threads <= HTTP_THREADS_MAX);
    http->options = *options;
    http->no_memory = MHD_create_response_from_buffer(
        sizeof(no_memory_text) - 1, (void *)(uintptr_t)no_memory_text, MHD_RESPMEM_PERSISTENT);
    if (!http->no_memory) {
        heap_free(http, sizeof(*http), HEAP_PROCESS);
        return error_set(err, ERR_NO_MEMORY, "no memory for the HTTP server");
    }
    (void)MHD_add_response_header(http->no_memory, "Retry-After", "5");
    mutex_init(&http->lock, LOCK_QUEUE);
    cond_init(&http->changed);
    enum status st = start(http, err);
    if (st)
        http_close(http);
    else
        *out = http;
    return st;
}

const char *http_address(const struct http *http, uint32_t index)
{
    return http->listeners[index].address;
}

int64_t http_active(const struct http *http)
{
    return gauge_read(&http->active);
}

void http_close(struct http *http)
{
    if (!http) return;
    mutex_lock(&http->lock);
    http->closing = true;
    cond_broadcast(&http->changed);
    mutex_unlock(&http->lock);
    for (uint32_t i = 0; i < http->listener_count; i++)
        listener_close(&http->listeners[i]);
    for (uint32_t i = 0; i < http->worker_count; i++)
        MHD_stop_daemon(http->workers[i].daemon);
    MHD_destroy_response(http->no_memory);
    cond_release(&http->changed);
    mutex_release(&http->lock);
    heap_free(http, sizeof(*http), HEAP_PROCESS);
}

void http_park(struct request *req)
{
    MHD_suspend_connection(req->connection);
}

void http_resume(struct request *req)
{
    MHD_resume_connection(req->connection);
}

void http_peer(const struct request *req, char out[LISTENER_ADDRESS_BYTES])
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct error err;
    out[0] = '\0';
    if (!info || !info->client_addr) return;
    bool v6 = info->client_addr->sa_family == AF_INET6;
    socklen_t size = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (listener_format(info->client_addr, size, out, &err)) out[0] = '\0';
}

bool http_client_gone(struct request *req)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (!info) return false;
    struct pollfd poll_fd = {.fd = info->connect_fd, .events = POLLRDHUP};
    if (poll(&poll_fd, 1, 0) <= 0) return false;
    return (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}
