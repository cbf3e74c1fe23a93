/* feed - bodies in memory, decoded as a server would. */
#include "bench/storage/feed.h"

#include <stdbool.h>

#include "bench/bodies.h"
#include "bench/storage/program.h"
#include "wire/frame.h"
#include "wire/remote_write.h"

enum { PER_REQUEST = 2000 };

void feed_make(struct feed *out, unsigned series, unsigned n, int64_t start_ms, int64_t step_ms)
{
    size_t size;
    *out = (struct feed){0};
    FILE *file = open_memstream(&out->bytes, &size);
    struct body_plan plan = {.series = series,
                             .samples = n + 1,
                             .series_per_request = PER_REQUEST,
                             .samples_per_request = 1,
                             .connections = 1,
                             .start_ms = start_ms,
                             .step_ms = step_ms};
    if (!file || bodies_write(file, &plan, n, 1) < 0 || fclose(file) != 0) exit(1);
    out->items = calloc(series / PER_REQUEST + 2, sizeof(*out->items));
    if (!out->items) exit(1);
    for (size_t at = 0; at < size;)
        out->items[out->count++] = feed_next(out->bytes, &at);
}

struct str feed_next(const char *bytes, size_t *at)
{
    uint32_t header[2];
    memcpy(header, bytes + *at, sizeof(header));
    struct str body = {bytes + *at + sizeof(header), header[1]};
    *at += sizeof(header) + body.size;
    return body;
}

static void stage(struct appender *app, struct remote_write *rw, struct remote_series *series)
{
    struct error err;
    size_t label_bytes = 0;
    struct series *known = appender_expect(app, series->message, &label_bytes);
    must(remote_write_read(rw, series, label_bytes, &err), &err);
    if (!series->skipped) known = appender_find(app, series->sent);
    if (known) {
        must(appender_add_to(app, known, series->samples, series->sample_count, &err), &err);
        return;
    }
    must(remote_write_check(rw, series), &series->error);
    must(appender_add(app, series->labels, series->samples, series->sample_count, &err), &err);
}

uint64_t feed_stage(struct appender *app, struct arena *a, struct str plain)
{
    struct error err;
    struct remote_write rw;
    struct remote_series series;
    bool more = true;
    remote_write_open(&rw, plain, a);
    while (remote_write_next(&rw, &series, &more, &err) == OK && more)
        stage(app, &rw, &series);
    return rw.counts.samples;
}

void feed_write(struct storage *db, struct arena *a, struct str body)
{
    struct error err;
    struct append_result result;
    struct appender *app;
    struct str plain;
    must(frame_decode(body, FRAME_DECODED_BYTES_MAX, a, &plain, &err), &err);
    must(appender_begin(db, a, &app, &err), &err);
    uint64_t samples = feed_stage(app, a, plain);
    must(appender_commit(app, &result, &err), &err);
    if (result.stored != samples) exit(1);
}
