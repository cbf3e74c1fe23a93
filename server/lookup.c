/* lookup - several match[] selectors are one union: each is selected by itself, the results are
 * sorted together and doubles dropped. */
#include "server/lookup.h"

#include <stdlib.h>

#include "server/hearth.h"
#include "wire/api_time.h"

enum status lookup_open(struct request *req, struct lookup *l, struct error *err)
{
    *l = (struct lookup){0};
    hearth_query_arena(req->app, &l->mem);
    enum status st = params_read(req, &l->form, err);
    if (!st) st = params_count(&l->form, "limit", 0, &l->limit, err);
    if (!st) st = params_time(&l->form, "start", API_TIME_MIN_MS, &l->start_ms, err);
    if (!st) st = params_time(&l->form, "end", API_TIME_MAX_MS, &l->end_ms, err);
    if (!st) st = params_selectors(&l->form, &l->mem, &l->selectors, err);
    if (!st) st = querier_open(req->app->storage, &l->mem, &l->querier, err);
    return st;
}

void lookup_close(struct lookup *l)
{
    if (l->querier) querier_close(l->querier);
    params_release_selectors(&l->selectors);
    arena_release(&l->mem);
}

struct select_request lookup_request(const struct lookup *l, size_t index)
{
    struct select_request request = {
        .t_min_ms = l->start_ms, .t_max_ms = l->end_ms, .sorted = true};
    if (index < l->selectors.count) {
        request.matchers = l->selectors.items[index].matchers;
        request.matcher_count = l->selectors.items[index].count;
    }
    return request;
}

enum status lookup_check_alive(const struct request *req, struct error *err)
{
    if (atomic_load(&req->task.cancelled))
        return error_set(err, ERR_CANCELLED, "query was canceled in query execution");
    return OK;
}

static int compare_items(const void *a, const void *b)
{
    return series_compare(*(const struct series *const *)a, *(const struct series *const *)b);
}

enum status lookup_series(struct request *req, struct lookup *l, struct selection *out,
                          struct error *err)
{
    struct VEC_OF(const struct series *) all = {0};
    for (size_t i = 0; i < l->selectors.count; i++) {
        struct selection selection = {0};
        struct select_request request = lookup_request(l, i);
        enum status st = querier_select(l->querier, &request, &selection, err);
        if (!st) st = lookup_check_alive(req, err);
        if (st) return st;
        if (l->selectors.count == 1) {
            *out = selection;
            return OK;
        }
        for (size_t k = 0; k < selection.count; k++) {
            const struct series **slot = VEC_PUSH(&all, &l->mem);
            if (!slot) return arena_error(&l->mem, err);
            *slot = selection.series[k];
        }
    }
    if (all.count > 1) qsort(all.items, all.count, sizeof(all.items[0]), compare_items);
    size_t kept = 0;
    for (size_t i = 0; i < all.count; i++)
        if (kept == 0 || series_compare(all.items[kept - 1], all.items[i]) != 0)
            all.items[kept++] = all.items[i];
    *out = (struct selection){.series = all.items, .count = kept};
    return OK;
}
