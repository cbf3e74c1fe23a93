/*
 * api_federate - /federate: the newest sample of each series that match[] selects, as text for a
 * Prometheus that scrapes us. Newest is what an instant query would find now.
 */
#include <stdlib.h>

#include "model/sample.h"
#include "server/api.h"
#include "server/hearth.h"
#include "server/lookup.h"
#include "wire/exposition.h"

/* Samples of one name have to be one behind the other. */
static int compare_items(const void *a, const void *b)
{
    const struct series *x = *(const struct series *const *)a;
    const struct series *y = *(const struct series *const *)b;
    int order = str_compare(series_label(x, LABEL_METRIC_NAME), series_label(y, LABEL_METRIC_NAME));
    return order ? order : series_compare(x, y);
}

static bool takes_utf8(struct str accept)
{
    static const char wanted[] = "escaping=allow-utf-8";
    return accept.size > 0 && memmem(accept.data, accept.size, wanted, sizeof(wanted) - 1) != NULL;
}

static enum status write_series(struct request *req, struct lookup *l,
                                const struct selection *selection, struct error *err)
{
    const struct series_reader_request request = {.series = selection->series,
                                                  .count = selection->count,
                                                  .t_min_ms = l->start_ms,
                                                  .t_max_ms = l->end_ms,
                                                  .newest = true};
    struct series_reader *reader;
    const struct series *series;
    struct columns *columns;
    struct str family = {0};
    bool utf8 = takes_utf8(req->accept);
    size_t label_count = 0;
    for (size_t i = 0; i < selection->count; i++)
        if (series_label_count(selection->series[i]) > label_count)
            label_count = series_label_count(selection->series[i]);
    struct label *labels = arena_alloc_array(&l->mem, label_count, sizeof(*labels));
    if (!labels) return arena_error(&l->mem, err);
    enum status st = series_reader_create(l->querier, &request, &l->mem, &reader, err);
    while (!st && !(st = series_reader_next(reader, &series, &columns, err)) && series) {
        if (columns->count == 0) continue;
        size_t last = columns->count - 1;
        struct sample sample = {.t_ms = columns->t_ms[last], .v = columns->v[last]};
        if (sample_is_stale(sample.v)) continue;
        exposition_put(&req->reply.body, series_labels(series, labels), sample, utf8, &family);
    }
    return st ? st : buf_status(&req->reply.body, err);
}

static enum status federate(struct request *req, struct lookup *l, struct error *err)
{
    struct selection selection = {0};
    l->end_ms = storage_now_ms(req->app->storage);
    l->start_ms = l->end_ms - req->app->engine.options.lookback_ms + 1;
    enum status st = lookup_series(req, l, &selection, err);
    if (st || selection.count == 0) return st;
    qsort(selection.series, selection.count, sizeof(selection.series[0]), compare_items);
    return write_series(req, l, &selection, err);
}

void api_federate(struct request *req)
{
    struct lookup l;
    struct error err;
    enum status st = lookup_open(req, &l, &err);
    if (!st) st = federate(req, &l, &err);
    lookup_close(&l);
    if (st) {
        reply_error_text(&req->reply, st, &err);
        return;
    }
    req->reply.code = 200;
    req->reply.content_type = exposition_content_type(EXPOSITION_TEXT);
    reply_compress(&req->reply, req->accept_encoding);
}
