/* aggregate - grouping, and which aggregation is opened how. */
#include "promql/aggregate.h"

#include <stdlib.h>

#include "base/assert.h"
#include "promql/fold.h"
#include "promql/parts.h"
#include "promql/share.h"

static int compare_names(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

enum status grouping_init(struct grouping *g, const struct ast *node, struct arena *a,
                          struct error *err)
{
    const struct str_array *written = &node->aggregate.grouping;
    *g = (struct grouping){.without = node->aggregate.without};
    g->names = arena_alloc_array(a, written->count + 1, sizeof(g->names[0]));
    if (!g->names) return no_room(a, err);
    if (written->count) memcpy(g->names, written->items, written->count * sizeof(g->names[0]));
    g->name_count = written->count;
    qsort(g->names, g->name_count, sizeof(g->names[0]), compare_names);
    size_t kept = 0;
    for (size_t i = 0; i < g->name_count; i++)
        if (!kept || !str_equal(g->names[kept - 1], g->names[i])) g->names[kept++] = g->names[i];
    g->name_count = kept;
    return OK;
}

bool grouping_is_unnamed(const struct grouping *g)
{
    for (size_t i = 0; i < g->name_count && !g->without; i++)
        if (label_is_reserved(g->names[i])) return false;
    return true;
}

bool aggregate_may_stop(const struct ast *node, const struct grouping *g)
{
    bool one_group = !g->without && g->name_count == 0;
    return one_group && eval_unwrap(node->aggregate.expr)->kind == AST_VECTOR_SELECTOR;
}

static bool is_grouped_by(const struct grouping *g, struct str name)
{
    bool listed = false;
    for (size_t i = 0; i < g->name_count && !listed; i++)
        listed = str_equal(g->names[i], name);
    return g->without ? !listed && !str_equal(name, LABEL_METRIC_NAME) : listed;
}

/* Does a set, less what the grouping takes away, equal the labels of a group? */
static bool is_in_group(const struct grouping *g, struct labels set, struct labels group)
{
    size_t matched = 0;
    for (size_t i = 0; i < set.count; i++) {
        const struct label *label = &set.items[i];
        if (!is_grouped_by(g, label->name)) continue;
        if (matched == group.count || !str_equal(label->name, group.items[matched].name) ||
            !str_equal(label->value, group.items[matched].value))
            return false;
        matched++;
    }
    return matched == group.count;
}

static enum status group_labels(const struct grouping *g, struct labels set, struct arena *a,
                                struct labels *out, struct error *err)
{
    if (!g->without) return labels_keep(set, g->names, g->name_count, a, out, err);
    enum status st = labels_drop(set, g->names, g->name_count, a, out, err);
    return st ? st : labels_set(*out, LABEL_METRIC_NAME, STR(""), a, out, err);
}

enum status grouping_find(struct grouping *g, struct labels set, struct arena *a, size_t *out,
                          bool *is_new, struct error *err)
{
    uint64_t hash = g->without ? labels_hash_without(set, g->names, g->name_count)
                               : labels_hash_with(set, g->names, g->name_count);
    size_t probe = 0;
    *is_new = false;
    while ((*out = hash_index_next(&g->index, hash, &probe)) != HASH_INDEX_END) {
        DEBUG_ASSERT(*out < g->groups.count && g->groups.items);
        if (is_in_group(g, set, g->groups.items[*out])) return OK;
    }
    struct labels *slot = VEC_PUSH(&g->groups, a);
    if (!slot) return no_room(a, err);
    *is_new = true;
    *out = g->groups.count - 1;
    enum status st = group_labels(g, set, a, slot, err);
    return st ? st : hash_index_add(&g->index, hash, *out, a, err);
}

static enum status open_classes(struct grouping *g, struct eval *ev, struct error *err)
{
    struct series_classes_request request = {
        .names = g->names, .name_count = g->name_count, .without = g->without};
    return series_classes_create(ev->querier, &request, ev->arena, &g->classes, err);
}

/* The group of a grouping by no label, which no row is looked at for. */
static enum status find_only(struct grouping *g, struct arena *a, size_t *out, bool *is_new,
                             struct error *err)
{
    *out = 0;
    *is_new = false;
    return g->groups.count ? OK : grouping_find(g, (struct labels){0}, a, out, is_new, err);
}

enum status grouping_find_row(struct grouping *g, struct eval *ev, const struct row *row,
                              size_t *out, bool *is_new, struct error *err)
{
    struct labels labels;
    uint32_t number;
    bool fresh;
    bool all_alike = !g->without && g->name_count == 0;
    if (all_alike) return find_only(g, ev->arena, out, is_new, err);
    if (!row->series) return grouping_find(g, row->labels, ev->arena, out, is_new, err);
    enum status st = g->classes ? OK : open_classes(g, ev, err);
    if (!st) st = series_classes_find(g->classes, row->series, &number, &fresh, err);
    if (st) return st;
    *is_new = fresh && g->by_class;
    if (!fresh || g->by_class) {
        *out = g->by_class ? number : g->group_of_class.items[number];
        return OK;
    }
    /* Several classes are one group when they differ in labels that go. */
    st = row_labels(row, ev->arena, &labels, err);
    if (!st) st = grouping_find(g, labels, ev->arena, out, is_new, err);
    if (st) return st;
    size_t *slot = VEC_PUSH(&g->group_of_class, ev->arena);
    if (!slot) return no_room(ev->arena, err);
    *slot = *out;
    return OK;
}

/* The folds of one expression, from the rows of a part of its series. */
struct fold_use {
    struct parts_use base;
    struct fold *into;
    size_t count;
    size_t steps;
};

static enum status fold_part(const struct parts_use *use, struct eval *ev, struct rows *rows,
                             void **result, struct error *err)
{
    const struct fold_use *u = (const struct fold_use *)use;
    struct fold *folds = arena_alloc_array(ev->arena, u->count, sizeof(*folds));
    if (!folds) return no_room(ev->arena, err);
    enum status st = OK;
    for (size_t i = 0; !st && i < u->count; i++) {
        st = fold_init(&folds[i], ev, u->into[i].node, u->steps, err);
        folds[i].grouping.by_class = true; /* labels are the business of who joins them */
    }
    *result = folds;
    return st ? st : fold_rows(folds, u->count, rows, err);
}

static enum status take_part(struct parts_use *use, void *result, struct error *err)
{
    const struct fold_use *u = (const struct fold_use *)use;
    const struct fold *folds = result;
    enum status st = OK;
    for (size_t i = 0; !st && i < u->count; i++)
        st = fold_join(&u->into[i], &folds[i], err);
    return st;
}

static enum status fold_all(struct fold *folds, size_t count, struct eval *ev,
                            const struct eval_range *range, struct error *err)
{
    struct parts parts;
    enum status st = parts_open(ev, folds[0].node->aggregate.expr, range, &parts, err);
    if (st) return st;
    if (!parts.many) return fold_rows(folds, count, parts.rows, err);
    struct fold_use use = {.base = {.evaluate = fold_part, .take = take_part},
                           .into = folds,
                           .count = count,
                           .steps = range->steps};
    return parts_run(&parts, &use.base, err);
}

static enum status fold_open(struct eval *ev, const struct ast *node,
                             const struct eval_range *range, struct rows **out, struct error *err)
{
    const struct ast *nodes[SHARE_MAX];
    struct fold folds[SHARE_MAX];
    *out = share_take(ev, node);
    if (*out) return OK;
    size_t count = share_find(ev, node, range, nodes);
    size_t remarks = ev->notes.list.count;
    enum status st = OK;
    for (size_t i = 0; i < count && !st; i++)
        st = fold_init(&folds[i], ev, nodes[i], range->steps, err);
    ev->tally.users *= count;
    if (!st) st = fold_all(folds, count, ev, range, err);
    ev->tally.users /= count;
    if (!st) st = fold_finish(&folds[0], out, err);
    /* A remark names the place of its last expression, so each has to make its own. */
    bool remarked = ev->notes.list.count > remarks;
    for (size_t i = 1; i < count && !st && !remarked; i++) {
        struct rows *rows;
        st = fold_finish(&folds[i], &rows, err);
        if (!st) st = share_put(ev, nodes[i], rows, err);
    }
    return st;
}

enum status aggregate_open(struct eval *ev, const struct ast *node, const struct eval_range *range,
                           struct rows **out, struct error *err)
{
    switch (node->aggregate.op) {
    case AGG_TOPK:
    case AGG_BOTTOMK: return aggregate_k_open(ev, node, range, out, err);
    case AGG_LIMITK:
    case AGG_LIMIT_RATIO: return aggregate_limit_open(ev, node, range, out, err);
    case AGG_QUANTILE: return aggregate_quantile_open(ev, node, range, out, err);
    case AGG_COUNT_VALUES: return aggregate_count_values_open(ev, node, range, out, err);
    default: return fold_open(ev, node, range, out, err);
    }
}
