/* reply - statuses to HTTP, and the few forms an answer has. */
#include "server/reply.h"

#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/clock.h"
#include "server/gzip.h"
#include "wire/json.h"

static const struct reply_meaning meanings[STATUS_COUNT] = {
    [OK] = {200, "", LOG_DEBUG, false},
    [ERR_INVALID] = {400, "bad_data", LOG_DEBUG, false},
    [ERR_TOO_LARGE] = {422, "execution", LOG_DEBUG, false},
    [ERR_NOT_FOUND] = {404, "not_found", LOG_DEBUG, false},
    [ERR_CONFLICT] = {422, "execution", LOG_DEBUG, false},
    [ERR_OUT_OF_RANGE] = {400, "bad_data", LOG_DEBUG, false},
    [ERR_NO_MEMORY] = {503, "unavailable", LOG_WARN, true},
    [ERR_TIMEOUT] = {503, "timeout", LOG_DEBUG, false},
    [ERR_CANCELLED] = {503, "canceled", LOG_DEBUG, false},
    [ERR_UNAVAILABLE] = {503, "unavailable", LOG_WARN, true},
    [ERR_CORRUPT] = {500, "internal", LOG_ERROR, false},
    [ERR_IO] = {503, "unavailable", LOG_ERROR, true},
    [ERR_UNSUPPORTED] = {400, "bad_data", LOG_DEBUG, false},
};

struct reply_meaning reply_meaning(enum status st)
{
    ASSERT((unsigned)st < STATUS_COUNT);
    return meanings[st];
}

void reply_init(struct reply *reply)
{
    *reply = (struct reply){0};
    buf_init(&reply->body, HEAP_HTTP, REPLY_BODY_BYTES_MAX);
}

void reply_release(struct reply *reply)
{
    buf_release(&reply->body);
}

void reply_add_header(struct reply *reply, const char *name, const char *value)
{
    ASSERT(reply->header_count < REPLY_HEADERS_MAX);
    reply->headers[reply->header_count++] = (struct reply_header){name, value};
}

void reply_text(struct reply *reply, unsigned code, const char *content_type, struct str text)
{
    reply->code = code;
    reply->content_type = content_type;
    buf_reset(&reply->body);
    buf_append_str(&reply->body, text);
    if (reply->body.refused) buf_reset(&reply->body); /* the code still says it */
}

void reply_plain_error(struct reply *reply, unsigned code, const char *text)
{
    reply_text(reply, code, REPLY_TEXT_PLAIN, str_from(text));
    buf_append_byte(&reply->body, '\n');
    reply_add_header(reply, "X-Content-Type-Options", "nosniff");
}

void reply_empty(struct reply *reply)
{
    reply->code = 204;
    reply->content_type = NULL;
    buf_reset(&reply->body);
}

/* Senders that are told to come again do so at once and in numbers: above debug, one line a second
 * and status is enough, the counters on /metrics have the rest. */
static bool may_log(enum status st, enum log_level level)
{
    static _Atomic int64_t next_ns[STATUS_COUNT];
    if (!log_enabled(level)) return false;
    if (level == LOG_DEBUG) return true;
    int64_t now_ns = clock_mono_ns();
    int64_t due_ns = atomic_load_explicit(&next_ns[st], memory_order_relaxed);
    return now_ns >= due_ns &&
           atomic_compare_exchange_strong(&next_ns[st], &due_ns, now_ns + REPLY_LOG_INTERVAL_NS);
}

static void log_status(enum status st, const char *text)
{
    struct reply_meaning meaning = reply_meaning(st);
    if (!may_log(st, meaning.level)) return;
    log_write(meaning.level, "http", "request failed", "status=%s err=%s", status_name(st),
              LOG_TEXT(str_from(text)));
}

void reply_api_error(struct reply *reply, unsigned code, const char *error_type, struct str text)
{
    struct json j;
    buf_reset(&reply->body);
    json_init(&j, &reply->body);
    json_object_begin(&j);
    json_text(&j, "status", STR("error"));
    json_text(&j, "errorType", str_from(error_type));
    json_text(&j, "error", text);
    json_object_end(&j);
    reply->code = code;
    reply->content_type = "application/json";
    if (reply->body.refused) buf_reset(&reply->body);
}

static void add_retry_after(struct reply *reply, struct reply_meaning meaning)
{
    _Static_assert(REPLY_RETRY_AFTER_S == 5, "the header below says 5");
    if (meaning.retry) reply_add_header(reply, "Retry-After", "5");
}

void reply_error(struct reply *reply, enum status st, const struct error *err)
{
    struct reply_meaning meaning = reply_meaning(st);
    reply_api_error(reply, meaning.code, meaning.error_type, str_from(err->text));
    add_retry_after(reply, meaning);
    log_status(st, err->text);
}

void reply_error_text(struct reply *reply, enum status st, const struct error *err)
{
    struct reply_meaning meaning = reply_meaning(st);
    reply_plain_error(reply, meaning.code, err->text);
    add_retry_after(reply, meaning);
    log_status(st, err->text);
}

void reply_json_done(struct reply *reply)
{
    struct error err;
    enum status st = buf_status(&reply->body, &err);
    if (st) {
        error_wrap(&err, "the answer is too large: ");
        reply_error(reply, st, &err);
        return;
    }
    reply->code = 200;
    reply->content_type = "application/json";
}

static bool has_quality_zero(struct str parameters)
{
    const char *q = memmem(parameters.data, parameters.size, "q=", 2);
    if (!q) return false;
    const char *end = parameters.data + parameters.size;
    for (q += 2; q < end && (*q == '0' || *q == '.'); q++) {
    }
    return q == end || *q == ' ' || *q == '\t';
}

bool reply_accepts_gzip(struct str accept)
{
    while (accept.size > 0) {
        const char *comma = memchr(accept.data, ',', accept.size);
        size_t size = comma ? (size_t)(comma - accept.data) : accept.size;
        struct str item = {accept.data, size};
        size_t step = size + (comma != NULL);
        accept = (struct str){accept.data + step, accept.size - step};
        while (item.size && (*item.data == ' ' || *item.data == '\t'))
            item = (struct str){item.data + 1, item.size - 1};
        if (item.size < 4 || strncasecmp(item.data, "gzip", 4) != 0) continue;
        struct str rest = {item.data + 4, item.size - 4};
        if (rest.size && *rest.data != ';' && *rest.data != ' ' && *rest.data != '\t') continue;
        return !has_quality_zero(rest);
    }
    return false;
}

void reply_compress(struct reply *reply, struct str accept_encoding)
{
    struct buf compressed;
    struct error err;
    reply_add_header(reply, "Vary", "Accept-Encoding");
    if (reply->body.size < REPLY_GZIP_BYTES_MIN || !reply_accepts_gzip(accept_encoding)) return;
    buf_init(&compressed, HEAP_HTTP, REPLY_BODY_BYTES_MAX);
    if (gzip_encode(reply->body.data, reply->body.size, &compressed, &err) != OK) {
        buf_release(&compressed);
        return;
    }
    buf_release(&reply->body);
    reply->body = compressed;
    reply_add_header(reply, "Content-Encoding", "gzip");
}
