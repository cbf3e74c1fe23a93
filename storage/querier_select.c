/* querier - selecting: postings to ids, ids to series. */
#include <stdlib.h>

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
    return range;
}

/* Of ids in ascending order those that may have something in the range: without a look at series,
 * sixty-four at a time. */
static void drop_absent(const struct shard *sh, const struct select_range *range,
                        struct id_list *list)
{
    struct shard_slots slots = shard_slots(sh, range->first_window, range->last_window);
    uint32_t n = UINT32_MAX;
    uint64_t word = 0;
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        uint32_t id = list->items[i];
        if (id / 64 != n) word = shard_may_hold_word(sh, n = id / 64, &slots);
        list->items[kept] = id;
        kept += word >> id % 64 & 1;
    }
    list->count = kept;
}

/* What the sets have not settled is asked of the series. */
static enum status drop_rejected(const struct gather *g, struct series_list *list, size_t first,
                                 struct error *err)
{
    size_t kept = first;
    bool ticks = match_plan_has_patterns(g->plan);
    for (size_t i = first; i < list->count; i++) {
        if (i + PREFETCH_AHEAD < list->count) {
            const char *ahead = (const char *)list->items[i + PREFETCH_AHEAD];
            __builtin_prefetch(ahead);
            __builtin_prefetch(ahead + CACHE_LINE_BYTES);
            __builtin_prefetch(ahead + 2 * (size_t)CACHE_LINE_BYTES);
        }
        enum status st = ticks ? match_tick(g->plan->request, i, err) : OK;
        if (st) return st;
        if (!gather_accepts(g, list->items[i])) continue;
        list->newest[kept] = list->newest[i];
        list->items[kept++] = list->items[i];
    }
    list->count = kept;
    return OK;
}

static bool series_list_reserve(struct series_list *list, struct arena *a, size_t more)
{
    size_t needed = list->count + more;
    if (needed <= list->capacity) return true;
    size_t capacity = needed > list->capacity * 2 ? needed : list->capacity * 2;
    const struct series **items = arena_alloc_array(a, capacity, sizeof(const struct series *));
    uint32_t *newest = arena_alloc_array(a, capacity, sizeof(*newest));
    if (!items || !newest) return false;
    if (list->count) memcpy(items, list->items, list->count * sizeof(*items));
    if (list->count) memcpy(newest, list->newest, list->count * sizeof(*newest));
    *list = (struct series_list){items, newest, list->count, capacity};
    return true;
}

static enum status keep_series(const struct gather *g, const struct shard *sh,
                               const struct id_list *list, struct series_list *out,
                               struct error *err)
{
    size_t first = out->count;
    if (!series_list_reserve(out, g->arena, list->count)) return arena_error(g->arena, err);
    for (size_t i = 0; i < list->count; i++) {
        const struct directory_place *place = directory_place(&sh->directory, list->items[i]);
        const struct series *s = place ? directory_series(place) : NULL;
        if (!s) continue;
        out->newest[out->count] = atomic_load_explicit(&place->newest, memory_order_acquire);
        out->items[out->count++] = s;
    }
    return g->settled ? OK : drop_rejected(g, out, first, err);
}

enum status select_in_shard(struct gather *g, struct shard *sh, const struct select_range *range,
                            size_t limit, struct series_list *out, struct error *err)
{
    enum status st = OK;
    for (size_t l = 0; l < g->list_count && !st; l++) {
        drop_absent(sh, range, &g->lists[l]);
        st = keep_series(g, sh, &g->lists[l], out, err);
    }
    if (limit && out->count > limit) out->count = limit;
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
    enum status st = match_plan_build(q->db, request, q->arena, &plan, err);
    if (st || plan.impossible) return st;
    plan.newest_birth = q->view->births;
    st = gather_init(&g, &plan, q->arena, err);
    for (uint32_t n = 0; n < q->db->shard_count && !st; n++) {
        struct shard *sh = &q->db->shards[n];
        if (request->limit && out->count == request->limit) break;
        st = gather_ids(&g, sh, err);
        if (!st) st = select_in_shard(&g, sh, &range, request->limit, out, err);
    }
    return st;
}

int series_compare(const struct series *a, const struct series *b)
{
    struct symbol *const *as = series_symbols(a);
    struct symbol *const *bs = series_symbols(b);
    size_t shared = a->label_count < b->label_count ? a->label_count : b->label_count;
    for (size_t i = 0; i < shared; i++) {
        if (as[i] == bs[i]) continue;
        int order = as[i]->name == bs[i]->name
                        ? 0
                        : str_compare(symbol_text(as[i]->name), symbol_text(bs[i]->name));
        if (order == 0) order = str_compare(symbol_text(as[i]), symbol_text(bs[i]));
        /* One text may have had two symbols, when the last series that held it was forgotten and a
         * new one came while the reader still sees the old. */
        if (order) return order;
    }
    return (int)a->label_count - (int)b->label_count;
}

static int compare_series(const void *a, const void *b)
{
    return series_compare(*(const struct series *const *)a, *(const struct series *const *)b);
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

    bool told_apart = !request->sorted && newest_serves(&q->db->grid);
    *out = (struct selection){
        .series = list.items, .newest_words = told_apart ? list.newest : NULL, .count = list.count};
    return OK;
}
