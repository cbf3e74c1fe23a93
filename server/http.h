/*
 * http - requests in, replies out: the one door to libmicrohttpd.
 *
 *     bytes -> URI -> headers -> begin() -> body into a buffer -> serve() -> reply
 *                                                                  \-> parked, http_resume() later
 *
 * Connections are accepted here (server/listener.h) and spread evenly over the threads of
 * libmicrohttpd, which read and write; serve() runs on them unless it parks the request, which
 * suspends the connection until http_resume. The body's buffer grows with what has arrived, never
 * with what was announced, up to a ceiling that Content-Length is held against first.
 *
 * What libmicrohttpd lets through and should not is refused here: two Content-Length or Host
 * headers, Content-Length beside Transfer-Encoding, encodings other than chunked, header names that
 * are no tokens, expectations other than 100-continue.
 *
 * Ownership: a request lives from its first line until its reply is sent or its connection is lost;
 * finish() is the last to see it.
 * Threads: begin, serve and finish of different requests run at once.
 */
#ifndef HEARTH_SERVER_HTTP_H
#define HEARTH_SERVER_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "server/listener.h"
#include "server/query_pool.h"
#include "server/reply.h"
#include "wire/form.h"

enum http_method {
    HTTP_GET = 1,
    HTTP_HEAD = 2,
    HTTP_POST = 4,
    HTTP_PUT = 8,
    HTTP_DELETE = 16,
    HTTP_OPTIONS = 32,
    HTTP_OTHER = 64
};

struct hearth;
struct http;
struct route;
struct MHD_Connection;

struct request {
    struct hearth *app;
    enum http_method method;
    struct str path;  /* as sent: percent-encoded, without the query */
    struct str query; /* behind '?', as sent */
    struct str body;  /* complete when serve() is called */
    struct str content_type;
    struct str content_encoding;
    struct str accept;
    struct str accept_encoding;
    struct str origin;
    struct arena mem; /* everything the answer needs; gone after finish() */
    struct reply reply;
    const struct route *route; /* set by begin() */
    bool tries;                /* of ROUTE_QUICK: answer only if that is little work */
    bool gave_up;              /* it was not, and no reply was filled in */
    struct str path_value;     /* the variable segment of the path, decoded */
    int64_t start_ns;          /* clock_mono_ns at the first line */
    int64_t deadline_ns;       /* of parked requests */
    struct form form;          /* see params_read */
    bool form_is_read;
    struct query_task task; /* of parked requests */

    /* http.c's own. */
    struct http *http;
    struct MHD_Connection *connection;
    struct buf body_buffer;
    uint64_t drained_bytes; /* read and thrown away after a refusal */
    bool begun;
    bool active; /* complete, its reply not yet sent */
};

/* What the server does with requests; self is in request.app. */
struct http_callbacks {
    /* The headers are in. A reply filled in here is sent instead of calling serve(); the body is
     * thrown away. */
    void (*begin)(struct request *req);
    /* The request is complete. true: the reply is filled in. false: the request is parked. */
    bool (*serve)(struct request *req);
    /* The reply is out, or the client is gone. */
    void (*finish)(struct request *req, bool sent);
};

struct http_options {
    const char *const *addresses; /* "host:port" */
    uint32_t address_count;
    uint64_t connections_max; /* of all addresses */
    uint64_t threads;         /* 1 to HTTP_THREADS_MAX */
    int64_t read_timeout_ms;
    int64_t idle_timeout_ms;
    uint64_t body_bytes_max;
    uint64_t arena_bytes_max;
    struct hearth *app;
    struct http_callbacks callbacks;
};

/* Connection memory holds the request line and headers of one request; longer ones are 414 or 431.
 */
enum { HTTP_CONNECTION_BYTES = 64 << 10, HTTP_ADDRESSES_MAX = 8, HTTP_THREADS_MAX = 64 };

/* Bind every address and start serving. ERR_UNAVAILABLE: an address is taken or not ours, the text
 * names it; ERR_IO, ERR_NO_MEMORY. */
MUST_USE enum status http_open(const struct http_options *options, struct http **out,
                               struct error *err);
/* The address as bound (a chosen port filled in), "127.0.0.1:9428"; static storage of the http. */
const char *http_address(const struct http *http, uint32_t index);

/* Complete requests whose reply is not yet sent. */
int64_t http_active(const struct http *http);
/* End all connections and threads. No request may be parked. */
void http_close(struct http *http);

/* From serve() only: keep the request without its reply. serve() then returns false, and somebody
 * calls http_resume, once, perhaps before it has returned. */
void http_park(struct request *req);
/* Send the reply of a parked request. The request may be gone when this returns. */
void http_resume(struct request *req);
/* The address a request came from, "" when it has none; from any thread that keeps the request. */
void http_peer(const struct request *req, char out[LISTENER_ADDRESS_BYTES]);
/* Has the client of a parked request hung up? Does not block. */
bool http_client_gone(struct request *req);

#endif
