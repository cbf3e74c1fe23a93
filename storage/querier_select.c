/* querier - selecting: postings to ids, ids to series, series to views. */
#include <stdlib.h>

#include "base/assert.h"
#include "storage/select.h"

/* How far ahead of the one that is looked at series are fetched. */
enum { PREFETCH_AHEAD = 8 };

struct select_range select_clamp(const struct querier *q, int64_t t_min_ms, int64_t t_max_ms)
{
    struct select_range range = {
        .t_min_ms = t_min_ms > q->bounds.oldest_ms ? t_min_ms : q->bounds.oldest_ms,
        .t_max_ms = t_max_ms < q->bounds.newest_ms ? t_max_ms : q->bounds.newest_ms,
    };
    range.empty = range.t_min_ms > range.t_max_ms;
    range.first_window = window_of(&q->db->grid, range.t_min_ms);
    range.last_window = window_of(&q->db->grid, range.t_max_ms);
    range.everything =
        range.t_min_ms == q->bounds.oldest_ms && range.t_max_ms == q->bounds.newest_ms;
    return range;
}

static void prefetch(const struct shard *sh, const struct id_list *list, size_t at)
{
    const struct directory_place *place =
        at < list->count ? directory_place(&sh->directory, list->items[at]) : NULL;
    const struct series *s = place ? directory_series(place) : NULL;
    if (!s) return;
    __builtin_prefetch(s);
    __builtin_prefetch((const char *)s + CACHE_LINE_BYTES);
}

/* Leave out, without a look at them, series that have nothing in the range. */
static void drop_absent(const struct shard *sh, const struct select_range *range,
                        struct id_list *list)
{
    struct shard_slots slots = shard_slots(sh, range->first_window, range->last_window);
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (shard_may_hold(sh, list->items[i], &slots)) list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

static enum status keep_series(const struct gather *g, const struct shard *sh,
                               const struct id_list *list, const struct select_range *range,
                               size_t limit, struct series_list *out, struct error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        prefetch(sh, list, i + PREFETCH_AHEAD);
        struct series *s = directory_get(&sh->directory, list->items[i]);
        if (!s || !gather_accepts(g, s)) continue;
        if (!series_overlaps(s, sh->common->regions, range->first_window, range->last_window))
            continue;
        if (limit && out->count == limit) return OK;
        struct series **slot = VEC_PUSH(out, g->arena);
        if (!slot) return arena_error(g->arena, err);
        *slot = s;
    }
    return OK;
}

enum status select_in_shard(struct gather *g, struct shard *sh, const struct select_range *range,
                            size_t limit, struct series_list *out, struct error *err)
{
    enum status st = OK;
    for (size_t l = 0; l < g->list_count && !st; l++) {
        if (!range->everything) drop_absent(sh, range, &g->lists[l]);
        st = keep_series(g, sh, &g->lists[l], range, limit, out, err);
    }
    return st;
}

enum status select_series(struct querier *q, const struct select_request *request,
                          struct series_list *out, struct error *err)
{
    struct select_range range = select_clamp(q, request->t_min_ms, request->t_max_ms);
    struct match_plan plan;
    struct gather g;
    *out = (struct series_list){0};
    if (range.empty) return OK;
    enum status st =
        match_plan_build(q->db, request->matchers, request->matcher_count, q->arena, &plan, err);
    if (st || plan.impossible) return st;
    st = gather_init(&g, &plan, q->arena, err);
    for (uint32_t n = 0; n < q->db->shard_count && !st; n++) {
        struct shard *sh = &q->db->shards[n];
        if (request->limit && out->count == request->limit) break;
        st = gather_ids(&g, sh, err);
        if (!st) st = select_in_shard(&g, sh, &range, request->limit, out, err);
    }
    return st;
}

static int compare_series(const void *a, const void *b)
{
    return series_compare(*(struct series *const *)a, *(struct series *const *)b);
}

enum status querier_select(struct querier *q, const struct select_request *request,
                           struct selection *out, struct error *err)
{
    struct series_list list;
    *out = (struct selection){0};
    enum status st = select_series(q, request, &list, err);
    if (st) return st;
    if (request->sorted && list.count > 1)
        qsort(list.items, list.count, sizeof(*list.items), compare_series);

    size_t label_count = 0;
    for (size_t i = 0; i < list.count; i++)
        label_count += list.items[i]->label_count;
    struct series_view *views = arena_alloc_array(q->arena, list.count, sizeof(*views));
    struct label *labels = arena_alloc_array(q->arena, label_count, sizeof(*labels));
    if (!views || !labels) return arena_error(q->arena, err);
    for (size_t i = 0; i < list.count; i++) {
        views[i].labels = series_labels(list.items[i], labels);
        views[i].series = list.items[i];
        labels += list.items[i]->label_count;
    }
    *out = (struct selection){.series = views, .count = list.count};
    return OK;
}
