/*
 * reply - the answer to one request, and the only place that turns a status into HTTP.
 *
 *     status            code  errorType    retry   log
 *     ERR_INVALID        400  bad_data             debug
 *     ERR_TOO_LARGE      422  execution            debug
 *     ERR_NO_MEMORY      503  unavailable  yes     warn      ... the table is in reply.c
 *
 * A handler fills in its request's reply: JSON in Prometheus' envelope, or plain text. The body is
 * built in a buffer of its own on the heap, because it outlives the request's arena on its way to
 * the socket.
 *
 * Threads: a reply belongs to whoever serves its request.
 */
#ifndef HEARTH_SERVER_REPLY_H
#define HEARTH_SERVER_REPLY_H

#include <stdbool.h>

#include "alloc/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"

enum {
    REPLY_HEADERS_MAX = 10,
    REPLY_GZIP_BYTES_MIN = 1024, /* smaller bodies are sent as they are */
    REPLY_RETRY_AFTER_S = 5
};
#define REPLY_TEXT_PLAIN      "text/plain; charset=utf-8"
#define REPLY_BODY_BYTES_MAX  (UINT64_C(1) << 30)
#define REPLY_LOG_INTERVAL_NS INT64_C(1000000000)

struct reply_header {
    const char *name;
    const char *value; /* static, or on the request's arena */
};

struct reply {
    unsigned code; /* 0: not answered yet */
    const char *content_type;
    struct buf body;
    struct reply_header headers[REPLY_HEADERS_MAX];
    size_t header_count;
    size_t sent_bytes; /* of the body, once it was handed to the socket's side */
    bool close;        /* the connection, after the answer */
};

/* What a status means to a client. */
struct reply_meaning {
    unsigned code;
    const char *error_type; /* of the JSON body */
    enum log_level level;
    bool retry; /* worth Retry-After */
};
struct reply_meaning reply_meaning(enum status st);

void reply_init(struct reply *reply);
void reply_release(struct reply *reply);

void reply_add_header(struct reply *reply, const char *name, const char *value);

/* Plain text; replaces what was there. */
void reply_text(struct reply *reply, unsigned code, const char *content_type, struct str text);
/* As Go's http.Error: text/plain, nosniff, a newline behind the text. */
void reply_plain_error(struct reply *reply, unsigned code, const char *text);
/* 204, no body. */
void reply_empty(struct reply *reply);

/* The API's error: {"status":"error","errorType":"bad_data","error":"..."} with the status' code.
 * Logs what the level of the status asks for. */
void reply_error(struct reply *reply, enum status st, const struct error *err);
/* As reply_error, with a code and a type of the caller's. */
void reply_api_error(struct reply *reply, unsigned code, const char *error_type, struct str text);
/* As reply_error, as plain text (remote write). */
void reply_error_text(struct reply *reply, enum status st, const struct error *err);

/* A success envelope is complete in reply->body: set code and type, or turn a refused buffer into
 * its error. */
void reply_json_done(struct reply *reply);

/* Compress the body when the client accepts it and it is large enough. A failure to compress sends
 * the body as it is. */
void reply_compress(struct reply *reply, struct str accept_encoding);

/* true when the field of an Accept-Encoding header allows gzip (";q=0" refuses it). */
bool reply_accepts_gzip(struct str accept_encoding);

#endif
