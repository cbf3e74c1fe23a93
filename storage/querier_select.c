/* querier - selecting: postings to ids, ids to series, series to views. */
#include <stdlib.h>

#include "base/assert.h"
#include "storage/select.h"

/* Terms of more values than this are tested on the series: so many lookups in the postings of every
 * shard would hold its lock for long. */
enum { LOOKUPS_MAX = 4096 };

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

/* How one shard is asked. */
struct gather {
    const struct match_plan *plan;
    struct arena *arena;
    const struct match_term *base; /* the term whose ids are taken; NULL: all ids */
    const struct id_set **with; /* [0] a set of the base, then those of other terms of one value */
    size_t with_count;
    const struct id_set **without;
    size_t without_count;
    struct id_list *lists; /* one, or one per value of the base */
    size_t list_count;
};

/* How many series of the shard have one of the term's values; stops counting at `enough`. */
static size_t term_size(const struct shard *sh, const struct match_term *term, size_t enough)
{
    size_t size = 0;
    for (size_t i = 0; i < term->count && size < enough; i++) {
        const struct id_set *ids = postings_find(&sh->postings, term->values[i]);
        if (ids) size += id_set_count(ids);
    }
    return size;
}

/* Choose the base: the including term with the fewest series here. false when a term has none. */
static bool choose_base(struct gather *g, const struct shard *sh)
{
    size_t best = id_set_count(&sh->all);
    g->base = NULL;
    for (size_t i = 0; i < g->plan->count; i++) {
        const struct match_term *term = &g->plan->terms[i];
        if (term->exclude || term->any) continue;
        if (term->count > LOOKUPS_MAX || term->count > best) continue;
        size_t size = term_size(sh, term, best + 1);
        if (size == 0) return false;
        if (size > best) continue;
        best = size;
        g->base = term;
    }
    return best > 0;
}

static void collect_narrowing(struct gather *g, const struct shard *sh)
{
    g->with_count = 1;
    g->without_count = 0;
    for (size_t i = 0; i < g->plan->count; i++) {
        const struct match_term *term = &g->plan->terms[i];
        if (term == g->base || term->count != 1) continue;
        const struct id_set *ids = postings_find(&sh->postings, term->values[0]);
        if (!ids) continue; /* included ones were found when the base was chosen */
        if (term->exclude)
            g->without[g->without_count++] = ids;
        else
            g->with[g->with_count++] = ids;
    }
}

static enum status gather_list(struct gather *g, const struct id_set *base, struct error *err)
{
    struct id_list *list = &g->lists[g->list_count];
    g->with[0] = base;
    struct id_terms terms = {
        .with = g->with,
        .with_count = g->with_count,
        .without = g->without,
        .without_count = g->without_count,
    };
    enum status st = id_set_intersect(&terms, g->arena, list, err);
    if (!st && list->count > 0) g->list_count++;
    return st;
}

/* Under the shard's read lock. */
static enum status gather_ids(struct gather *g, const struct shard *sh, struct error *err)
{
    enum status st = OK;
    g->list_count = 0;
    if (!choose_base(g, sh)) return OK;
    collect_narrowing(g, sh);
    size_t lists = g->base ? g->base->count : 1;
    g->lists = arena_alloc_array(g->arena, lists, sizeof(*g->lists));
    if (!g->lists) return arena_error(g->arena, err);
    if (!g->base) return gather_list(g, &sh->all, err);
    for (size_t i = 0; i < g->base->count && !st; i++) {
        const struct id_set *ids = postings_find(&sh->postings, g->base->values[i]);
        if (ids) st = gather_list(g, ids, err);
    }
    return st;
}

/* What the postings of this shard have not settled already. */
static bool accepts(const struct gather *g, const struct series *s)
{
    for (size_t i = 0; i < g->plan->count; i++) {
        const struct match_term *term = &g->plan->terms[i];
        if (term == g->base || term->count == 1) continue;
        if (!match_term_accepts(term, s)) return false;
    }
    return true;
}

static enum status keep_series(const struct gather *g, const struct shard *sh,
                               const struct select_range *range, size_t limit,
                               struct series_list *out, struct arena *a, struct error *err)
{
    for (size_t l = 0; l < g->list_count; l++) {
        for (size_t i = 0; i < g->lists[l].count; i++) {
            struct series *s = directory_get(&sh->directory, g->lists[l].items[i]);
            if (!s || s->birth > g->plan->newest_birth) continue;
            if (!series_overlaps(s, sh->common->regions, range->first_window, range->last_window))
                continue;
            if (!accepts(g, s)) continue;
            if (limit && out->count == limit) return OK;
            struct series **slot = VEC_PUSH(out, a);
            if (!slot) return arena_error(a, err);
            *slot = s;
        }
    }
    return OK;
}

enum status select_series(struct querier *q, const struct select_request *request,
                          struct series_list *out, struct error *err)
{
    struct select_range range = select_clamp(q, request->t_min_ms, request->t_max_ms);
    struct match_plan plan;
    struct arena *a = q->arena;
    *out = (struct series_list){0};
    if (range.empty) return OK;
    enum status st =
        match_plan_build(q->db, request->matchers, request->matcher_count, a, &plan, err);
    if (st || plan.impossible) return st;
    struct gather g = {
        .plan = &plan,
        .arena = a,
        .with = arena_alloc_array(a, plan.count + 1, sizeof(*g.with)),
        .without = arena_alloc_array(a, plan.count, sizeof(*g.without)),
    };
    if (!g.with || !g.without) return arena_error(a, err);
    for (uint32_t n = 0; n < q->db->shard_count && !st; n++) {
        struct shard *sh = &q->db->shards[n];
        if (request->limit && out->count == request->limit) break;
        rwlock_read_lock(&sh->lock);
        st = gather_ids(&g, sh, err);
        rwlock_read_unlock(&sh->lock);
        if (!st) st = keep_series(&g, sh, &range, request->limit, out, a, err);
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
