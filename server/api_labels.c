/*
 * api_labels - which series, label names and label values there are.
 *
 * Several match[] selectors are one union: each is selected by itself, the results are sorted
 * together and doubles dropped.
 */
#include <stdlib.h>

#include "model/names.h"
#include "server/api.h"
#include "server/lookup.h"
#include "server/query_json.h"

static int compare_strs(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

/* Collect one list per selector into a sorted one without doubles. */
static enum status union_lists(struct request *req, struct lookup *l, struct str name,
                               struct str_list *out, struct error *err)
{
    struct VEC_OF(struct str) all = {0};
    size_t rounds = l->selectors.count ? l->selectors.count : 1;
    for (size_t i = 0; i < rounds; i++) {
        struct str_list list = {0};
        struct select_request request = lookup_request(l, i);
        enum status st = name.size ? querier_label_values(l->querier, name, &request, &list, err)
                                   : querier_label_names(l->querier, &request, &list, err);
        if (!st) st = lookup_check_alive(req, err);
        if (st) return st;
        if (rounds == 1) {
            *out = list;
            return OK;
        }
        for (size_t k = 0; k < list.count; k++) {
            struct str *slot = VEC_PUSH(&all, &l->mem);
            if (!slot) return arena_error(&l->mem, err);
            *slot = list.items[k];
        }
    }
    if (all.count > 1) qsort(all.items, all.count, sizeof(all.items[0]), compare_strs);
    size_t kept = 0;
    for (size_t i = 0; i < all.count; i++)
        if (kept == 0 || !str_equal(all.items[kept - 1], all.items[i]))
            all.items[kept++] = all.items[i];
    *out = (struct str_list){all.items, kept};
    return OK;
}

static void end_envelope(struct request *req, struct json *j, bool truncated)
{
    struct str warning = QUERY_JSON_TRUNCATED;
    struct annotations remarks = {.warnings = &warning, .warning_count = truncated};
    query_json_end(j, &remarks);
    reply_json_done(&req->reply);
}

static void write_list(struct request *req, const struct str_list *list, uint64_t limit)
{
    struct json j;
    bool truncated = limit > 0 && list->count > limit;
    size_t count = truncated ? (size_t)limit : list->count;
    query_json_begin(&j, &req->reply.body);
    json_array_begin(&j);
    for (size_t i = 0; i < count; i++)
        json_string(&j, list->items[i]);
    json_array_end(&j);
    end_envelope(req, &j, truncated);
}

/* Names when name is empty, else the values of name. */
static void answer_list(struct request *req, struct str name)
{
    struct lookup l;
    struct str_list list = {0};
    struct error err;
    enum status st = lookup_open(req, &l, &err);
    if (!st) st = union_lists(req, &l, name, &list, &err);
    if (st)
        reply_error(&req->reply, st, &err);
    else
        write_list(req, &list, l.limit);
    lookup_close(&l);
}

void api_labels(struct request *req)
{
    answer_list(req, (struct str){0});
}

void api_label_values(struct request *req)
{
    struct error err;
    struct str name;
    enum status st = form_unescape(req->path_value, false, &req->mem, &name, &err);
    if (st) {
        reply_error(&req->reply, st, &err);
        return;
    }
    char *plain = arena_alloc(&req->mem, name.size);
    size_t plain_size = plain ? name_unescape(name, plain) : 0;
    if (plain_size > 0) name = (struct str){plain, plain_size};
    if (name.size == 0 || !name_is_utf8(name)) {
        error_set(&err, ERR_INVALID, "invalid label name: \"%.*s\"", STR_ARG(name));
        reply_error(&req->reply, ERR_INVALID, &err);
        return;
    }
    answer_list(req, name);
}

static enum status write_series(struct request *req, const struct lookup *l,
                                const struct selection *selection, struct error *err)
{
    struct json j;
    bool truncated = l->limit > 0 && selection->count > l->limit;
    size_t count = truncated ? (size_t)l->limit : selection->count;
    size_t label_count = 0;
    for (size_t i = 0; i < count; i++)
        if (series_label_count(selection->series[i]) > label_count)
            label_count = series_label_count(selection->series[i]);
    struct label *labels = arena_alloc_array(&req->mem, label_count, sizeof(*labels));
    if (!labels) return arena_error(&req->mem, err);
    query_json_begin(&j, &req->reply.body);
    json_array_begin(&j);
    for (size_t i = 0; i < count; i++)
        json_labels(&j, series_labels(selection->series[i], labels));
    json_array_end(&j);
    end_envelope(req, &j, truncated);
    return OK;
}

void api_series(struct request *req)
{
    struct lookup l;
    struct selection selection = {0};
    struct error err;
    enum status st = lookup_open(req, &l, &err);
    if (!st && l.selectors.count == 0)
        st = error_set(&err, ERR_INVALID, "no match[] parameter provided");
    if (!st) st = lookup_series(req, &l, &selection, &err);
    if (!st) st = write_series(req, &l, &selection, &err);
    if (st) reply_error(&req->reply, st, &err);
    lookup_close(&l);
}
