/*
 * api_write - remote write 1.0: a snappy block with a WriteRequest in it, into storage.
 *
 * The good samples of a request are kept whatever happens to the bad ones; the answer is then 400
 * and says how many were refused for which reason, and names the first ones. 503 asks the sender to
 * come again: memory is short (for series that are not known yet at first, for all samples in the
 * end), or the log did not take the batch.
 */
#include <inttypes.h>
#include <strings.h>

#include "server/api.h"
#include "server/hearth.h"
#include "storage/appender.h"
#include "wire/frame.h"
#include "wire/remote_write.h"

enum { EXAMPLES_MAX = 5 };

/* What was refused before storage saw it. */
struct refusals {
    uint64_t invalid_samples;
    uint64_t invalid_series;
    uint64_t histograms;
    struct str examples[EXAMPLES_MAX]; /* on the request's arena */
    size_t example_count;
};

static struct str trim(struct str text)
{
    while (text.size && (*text.data == ' ' || *text.data == '\t'))
        text = (struct str){text.data + 1, text.size - 1};
    while (text.size && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

static bool equals_ignoring_case(struct str a, const char *b)
{
    return a.size == strlen(b) && strncasecmp(a.data, b, a.size) == 0;
}

/* The part of *rest up to a semicolon, without the spaces around it; *rest is what is behind. */
static struct str next_part(struct str *rest)
{
    const char *semicolon = memchr(rest->data, ';', rest->size);
    struct str part = *rest;
    if (semicolon) part.size = (size_t)(semicolon - part.data);
    size_t step = part.size + (semicolon != NULL);
    *rest = (struct str){rest->data + step, rest->size - step};
    return trim(part);
}

static bool is_other_message(struct str parameter)
{
    static const char proto[] = "proto=";
    size_t size = sizeof(proto) - 1;
    if (parameter.size < size || strncasecmp(parameter.data, proto, size) != 0) return false;
    return !equals_ignoring_case(parameter, "proto=prometheus.WriteRequest") &&
           !equals_ignoring_case(parameter, "proto=\"prometheus.WriteRequest\"");
}

/* application/x-protobuf, unless a parameter says that it is another message; absent is that too.
 */
static bool is_write_request(struct str content_type)
{
    struct str rest = content_type;
    if (rest.size == 0) return true;
    if (!equals_ignoring_case(next_part(&rest), "application/x-protobuf")) return false;
    while (rest.size > 0)
        if (is_other_message(next_part(&rest))) return false;
    return true;
}

static bool check_headers(struct request *req)
{
    if (!is_write_request(req->content_type)) {
        struct str text =
            arena_printf(&req->mem,
                         "unsupported Content-Type \"%.*s\": send application/x-protobuf with "
                         "prometheus.WriteRequest (remote write 1.0)",
                         STR_ARG(req->content_type));
        reply_plain_error(&req->reply, 415, text.data ? text.data : "unsupported Content-Type");
        return false;
    }
    if (req->content_encoding.size > 0 && !equals_ignoring_case(req->content_encoding, "snappy")) {
        struct str text =
            arena_printf(&req->mem, "unsupported Content-Encoding \"%.*s\": send snappy",
                         STR_ARG(req->content_encoding));
        reply_plain_error(&req->reply, 415, text.data ? text.data : "unsupported Content-Encoding");
        return false;
    }
    return true;
}

static void note_invalid(struct refusals *refusals, const struct remote_series *series,
                         struct arena *mem)
{
    refusals->invalid_series++;
    refusals->invalid_samples += series->sample_count;
    if (refusals->example_count == EXAMPLES_MAX) return;
    struct str text = arena_copy(mem, str_from(series->error.text));
    if (text.data) refusals->examples[refusals->example_count++] = text;
}

/* Stage one series. Its labels are looked at only when nobody knows them; what is wrong with them
 * is noted. */
static enum status stage(struct appender *app, struct remote_write *rw,
                         struct remote_series *series, struct refusals *refusals, struct error *err)
{
    size_t label_bytes = 0;
    struct series *known = appender_expect(app, series->message, &label_bytes);
    enum status st = remote_write_read(rw, series, label_bytes, err);
    if (st) return st;
    if (!series->skipped) known = appender_find(app, series->sent);
    if (known && series->label_count <= REMOTE_LABELS_MAX) {
        if (series->sample_count == 0) return OK;
        return appender_add_to(app, known, series->samples, series->sample_count, err);
    }
    if (remote_write_check(rw, series)) {
        note_invalid(refusals, series, rw->arena);
        return OK;
    }
    if (series->sample_count == 0) return OK;
    return appender_add(app, series->labels, series->samples, series->sample_count, err);
}

/* Decode, stage, commit. *result and *refusals are complete when OK comes back. */
static enum status write_body(struct request *req, bool known_only, struct append_result *result,
                              struct refusals *refusals, struct error *err)
{
    struct remote_write rw;
    struct remote_series series;
    struct appender *app;
    struct str body;
    bool more = true;
    enum status st = frame_decode(req->body, FRAME_DECODED_BYTES_MAX, &req->mem, &body, err);
    if (!st) st = appender_begin(req->app->storage, &req->mem, &app, err);
    if (st) return st;
    appender_is_witness(app);
    if (known_only) appender_refuse_new_series(app);
    remote_write_open(&rw, body, &req->mem);
    while ((st = remote_write_next(&rw, &series, &more, err)) == OK && more) {
        st = stage(app, &rw, &series, refusals, err);
        if (st) break;
    }
    if (st) {
        appender_abort(app);
        return st;
    }
    refusals->histograms = rw.counts.histograms;
    counter_add(&req->app->writes.exemplars_ignored, rw.counts.exemplars);
    return appender_commit(app, result, err);
}

static void count_result(struct write_counters *counters, const struct append_result *result,
                         const struct refusals *refusals)
{
    counter_add(&counters->stored, result->stored);
    counter_add(&counters->duplicates, result->duplicates);
    for (size_t i = 0; i < REFUSED_REASON_COUNT; i++)
        if (result->refused[i]) counter_add(&counters->refused[i], result->refused[i]);
    if (result->refused[REFUSED_NEW_SERIES]) counter_add(&counters->shed_new_series, 1);
    if (refusals->invalid_samples) counter_add(&counters->invalid, refusals->invalid_samples);
    if (refusals->histograms) counter_add(&counters->histograms_refused, refusals->histograms);
}

static void add_count(struct buf *out, uint64_t count, const char *what)
{
    if (count > 0) buf_printf(out, "  %s: %" PRIu64 "\n", what, count);
}

static void add_storage_examples(struct buf *out, const struct append_result *result,
                                 struct arena *mem)
{
    for (size_t i = 0; i < result->example_count; i++) {
        const struct append_refusal *refusal = &result->examples[i];
        struct str labels;
        if (labels_print(refusal->labels, mem, &labels, NULL) != OK) return;
        buf_printf(out, "%s: series %.*s, timestamp %" PRId64 "\n",
                   sample_refusal_name(refusal->reason), STR_ARG(labels), refusal->sample.t_ms);
    }
}

static uint64_t refused_total(const struct append_result *result)
{
    uint64_t total = 0;
    for (size_t i = 0; i < REFUSED_REASON_COUNT; i++)
        total += result->refused[i];
    return total;
}

/* Plain text: how much of what, then the first ones by name. */
static void answer_refusals(struct request *req, const struct append_result *result,
                            const struct refusals *refusals)
{
    struct buf *out = &req->reply.body;
    uint64_t for_memory = result->refused[REFUSED_NO_MEMORY] + result->refused[REFUSED_NEW_SERIES];
    reply_plain_error(&req->reply, for_memory > 0 ? 503 : 400,
                      "some samples were refused, all others are stored");
    if (for_memory > 0) reply_add_header(&req->reply, "Retry-After", "5");
    add_count(out, result->stored + result->duplicates, "stored");
    for (size_t i = 0; i < REFUSED_REASON_COUNT; i++)
        add_count(out, result->refused[i], sample_refusal_name((enum sample_refusal)i));
    add_count(out, refusals->invalid_series, "series with invalid labels");
    add_count(out, refusals->invalid_samples, "samples of series with invalid labels");
    add_count(out, refusals->histograms, "native histograms (not supported)");
    add_storage_examples(out, result, &req->mem);
    for (size_t i = 0; i < refusals->example_count; i++)
        buf_printf(out, "invalid: %.*s\n", (int)refusals->examples[i].size,
                   refusals->examples[i].data);
}

static void answer_failure(struct request *req, enum status st, struct error *err)
{
    /* A body that swells beyond its ceiling would do so again: the sender is to drop it, and 413
     * makes some senders come again for ever. */
    if (st == ERR_TOO_LARGE) st = ERR_INVALID;
    if (reply_meaning(st).retry) counter_add(&req->app->writes.shed, 1);
    reply_error_text(&req->reply, st, err);
}

static void write_request(struct request *req, bool known_only)
{
    struct append_result result = {0};
    struct refusals refusals = {0};
    struct error err;
    enum status st = write_body(req, known_only, &result, &refusals, &err);
    if (st) {
        answer_failure(req, st, &err);
        return;
    }
    count_result(&req->app->writes, &result, &refusals);
    if (refused_total(&result) + refusals.invalid_series + refusals.histograms > 0)
        answer_refusals(req, &result, &refusals);
    else
        reply_empty(&req->reply);
}

void api_write(struct request *req)
{
    struct hearth *h = req->app;
    struct error err;
    if (!h->config.web_remote_write) {
        reply_plain_error(&req->reply, 404,
                          "remote write receiver needs to be enabled with "
                          "--web.enable-remote-write-receiver");
        return;
    }
    if (!check_headers(req)) return;
    enum heap_pressure pressure = maintenance_pressure(&h->maintenance);
    if (pressure >= HEAP_FULL) {
        enum status st = error_set(&err, ERR_NO_MEMORY, "memory limit reached, try again later");
        answer_failure(req, st, &err);
        return;
    }
    gauge_add(&h->writes.active, 1);
    write_request(req, pressure >= HEAP_HARD);
    gauge_add(&h->writes.active, -1);
}
