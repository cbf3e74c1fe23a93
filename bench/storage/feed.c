/* feed - bodies in memory, decoded as a server would. */
#include "bench/storage/feed.h"

#include <stdbool.h>

#include "bench/bodies.h"
#include "bench/storage/program.h"
#include "storage/appender.h"
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
    for (size_t at = 0; at < size;) {
        uint32_t header[2];
        memcpy(header, out->bytes + at, sizeof(header));
        at += sizeof(header);
        out->items[out->count++] = (struct str){out->bytes + at, header[1]};
        at += header[1];
    }
}

/* As server/api_write.c does it. */
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

void feed_write(struct storage *db, struct arena *a, struct str body)
{
    struct error err;
    struct remote_write rw;
    struct remote_series series;
    struct append_result result;
    struct appender *app;
    struct str plain;
    bool more = true;
    must(frame_decode(body, FRAME_DECODED_BYTES_MAX, a, &plain, &err), &err);
    must(appender_begin(db, a, &app, &err), &err);
    remote_write_open(&rw, plain, a);
    while (remote_write_next(&rw, &series, &more, &err) == OK && more)
        stage(app, &rw, &series);
    must(appender_commit(app, &result, &err), &err);
    if (result.stored != rw.counts.samples) exit(1);
}
