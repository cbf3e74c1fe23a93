/* aggregate - grouping, and the aggregations that fold rows into one row per group. */
#include "promql/aggregate.h"

#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "promql/kahan.h"
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

enum status grouping_find_row(struct grouping *g, struct eval *ev, const struct row *row,
                              size_t *out, bool *is_new, struct error *err)
{
    struct labels labels;
    uint32_t number;
    bool fresh;
    if (!row->series) return grouping_find(g, row->labels, ev->arena, out, is_new, err);
    enum status st = g->classes ? OK : open_classes(g, ev, err);
    if (!st) st = series_classes_find(g->classes, row->series, &number, &fresh, err);
    if (st) return st;
    *is_new = false;
    if (!fresh) {
        *out = g->group_of_class.items[number];
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

/* One group at one step: what a mean or a spread needs of it. */
struct cell {
    union {
        struct kahan_mean mean;
        struct {
            double count;
            double mean;
            double squares; /* sum of squared distances from the mean (Welford 1962) */
        } spread;
    };
};

/* A group over all steps. */
struct group {
    uint64_t *present;
    struct cell *cells; /* of avg, stddev and stdvar; else NULL */
    double *v;          /* the sum, count or extreme; the answer, in the end */
    double *lost;       /* of sum: kahan.h */
    bool drops_name;    /* as one of its rows */
};

struct fold {
    struct eval *ev;
    enum ast_aggregation op;
    size_t steps;
    struct grouping grouping;
    struct groups VEC_OF(struct group) groups;
};

static bool has_cells(enum ast_aggregation op)
{
    return op == AGG_AVG || op == AGG_STDDEV || op == AGG_STDVAR;
}

static void cell_first(enum ast_aggregation op, struct cell *cell, double v)
{
    if (op == AGG_AVG) {
        cell->mean = (struct kahan_mean){0};
        kahan_mean_add(&cell->mean, v);
        return;
    }
    cell->spread.count = 1;
    cell->spread.mean = v;
    cell->spread.squares = isfinite(v) ? 0 : (double)NAN;
}

static void cell_add(enum ast_aggregation op, struct cell *cell, double v)
{
    if (op == AGG_AVG) {
        kahan_mean_add(&cell->mean, v);
        return;
    }
    double delta = v - cell->spread.mean;
    cell->spread.count += 1;
    cell->spread.mean += delta / cell->spread.count;
    cell->spread.squares += delta * (v - cell->spread.mean);
}

static double cell_value(enum ast_aggregation op, const struct cell *cell)
{
    if (op == AGG_AVG) return kahan_mean_value(&cell->mean);
    double variance = cell->spread.squares / cell->spread.count;
    return op == AGG_STDVAR ? variance : sqrt(variance);
}

static void group_add_cells(enum ast_aggregation op, struct group *group, const struct row *row,
                            size_t steps)
{
    struct bit_walk walk = bit_walk(row->present, steps);
    size_t i;
    while (bit_walk_next(&walk, &i)) {
        if (bit_get(group->present, i))
            cell_add(op, &group->cells[i], row->v[i]);
        else
            cell_first(op, &group->cells[i], row->v[i]);
    }
}

/* kahan_add without branches, so that several steps are added at once. */
static void add_sums(double *restrict sum, double *restrict lost, const double *restrict v,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double next = sum[i] + v[i];
        bool larger = fabs(sum[i]) >= fabs(v[i]);
        double large = larger ? sum[i] : v[i];
        double small = larger ? v[i] : sum[i];
        double rest = lost[i] + ((large - next) + small);
        lost[i] = fabs(next) == (double)INFINITY ? 0 : rest;
        sum[i] = next;
    }
}

/* A NaN gives way to anything. */
static void take_least(double *restrict best, const double *restrict v, size_t count)
{
    for (size_t i = 0; i < count; i++)
        best[i] = ((best[i] > v[i]) | (best[i] != best[i])) ? v[i] : best[i];
}

static void take_most(double *restrict best, const double *restrict v, size_t count)
{
    for (size_t i = 0; i < count; i++)
        best[i] = ((best[i] < v[i]) | (best[i] != best[i])) ? v[i] : best[i];
}

/* Steps [from, from + count), where both the group and the row have values. */
static void group_add_steps(enum ast_aggregation op, struct group *group, const double *v,
                            size_t from, size_t count)
{
    switch (op) {
    case AGG_SUM: add_sums(group->v + from, group->lost + from, v + from, count); break;
    case AGG_COUNT:
        for (size_t i = from; i < from + count; i++)
            group->v[i] += 1;
        break;
    case AGG_MIN: take_least(group->v + from, v + from, count); break;
    case AGG_MAX: take_most(group->v + from, v + from, count); break;
    default: break; /* group */
    }
}

static void group_add_columns(const struct fold *f, struct group *group, const struct row *row)
{
    bool constant = f->op == AGG_COUNT || f->op == AGG_GROUP;
    if (bits_all(group->present, f->steps) && bits_all(row->present, f->steps)) {
        group_add_steps(f->op, group, row->v, 0, f->steps);
        return;
    }
    struct bit_walk walk = bit_walk(row->present, f->steps);
    size_t i;
    while (bit_walk_next(&walk, &i)) {
        if (bit_get(group->present, i)) {
            group_add_steps(f->op, group, row->v, i, 1);
            continue;
        }
        group->v[i] = constant ? 1 : row->v[i];
        if (group->lost) group->lost[i] = 0;
    }
}

static enum status group_create(struct fold *f, struct error *err)
{
    struct arena *a = f->ev->arena;
    struct group *slot = VEC_PUSH(&f->groups, a);
    if (!slot) return no_room(a, err);
    *slot = (struct group){.present = arena_calloc(a, row_words(f->steps), sizeof(uint64_t)),
                           .v = arena_alloc_array(a, f->steps, sizeof(double))};
    if (!slot->present || !slot->v) return no_room(a, err);
    if (has_cells(f->op)) {
        slot->cells = arena_alloc_array(a, f->steps, sizeof(struct cell));
        if (!slot->cells) return no_room(a, err);
    }
    if (f->op == AGG_SUM) {
        slot->lost = arena_alloc_array(a, f->steps, sizeof(double));
        if (!slot->lost) return no_room(a, err);
    }
    return OK;
}

static enum status fold_row(struct fold *f, const struct row *row, struct error *err)
{
    size_t number;
    bool is_new;
    enum status st = grouping_find_row(&f->grouping, f->ev, row, &number, &is_new, err);
    if (!st && is_new) st = group_create(f, err);
    if (st) return st;
    struct group *group = &f->groups.items[number];
    group->drops_name = group->drops_name || row->drops_name;
    if (group->cells)
        group_add_cells(f->op, group, row, f->steps);
    else
        group_add_columns(f, group, row);
    bits_or(group->present, row->present, f->steps);
    return eval_tick(f->ev, f->steps, err);
}

/* What the group's column stands for. */
static void group_finish(const struct fold *f, struct group *group)
{
    struct bit_walk walk = bit_walk(group->present, f->steps);
    size_t i;
    while (bit_walk_next(&walk, &i)) {
        if (group->cells) group->v[i] = cell_value(f->op, &group->cells[i]);
        if (group->lost) group->v[i] += group->lost[i];
    }
}

static enum status fold_finish(struct fold *f, struct rows **out, struct error *err)
{
    struct row_table table = {0};
    for (size_t g = 0; g < f->groups.count; g++) {
        struct group *group = &f->groups.items[g];
        struct row *row = VEC_PUSH(&table, f->ev->arena);
        if (!row) return no_room(f->ev->arena, err);
        group_finish(f, group);
        *row = (struct row){.labels = f->grouping.groups.items[g],
                            .v = group->v,
                            .present = group->present,
                            .drops_name = group->drops_name};
    }
    enum status st = eval_hold(f->ev, row_table_samples(&table, f->steps), err);
    if (st) return st;
    return rows_from_table(f->ev, &table, f->steps, grouping_is_unnamed(&f->grouping), out, err);
}

static enum status fold_init(struct fold *f, struct eval *ev, const struct ast *node, size_t steps,
                             struct error *err)
{
    *f = (struct fold){.ev = ev, .op = node->aggregate.op, .steps = steps};
    return grouping_init(&f->grouping, node, ev->arena, err);
}

/* Every row of the child into each of the folds. */
static enum status fold_rows(struct fold *folds, size_t count, struct rows *child,
                             struct error *err)
{
    child->bare = true;
    for (;;) {
        struct row *row;
        enum status st = child->next(child, &row, err);
        if (st || !row) return st;
        for (size_t i = 0; i < count && !st; i++)
            st = fold_row(&folds[i], row, err);
        if (st) return st;
    }
}

static enum status fold_open(struct eval *ev, const struct ast *node,
                             const struct eval_range *range, struct rows **out, struct error *err)
{
    const struct ast *nodes[SHARE_MAX];
    struct fold folds[SHARE_MAX];
    struct rows *child;
    *out = share_take(ev, node);
    if (*out) return OK;
    size_t count = share_find(ev, node, range, nodes);
    size_t remarks = ev->notes.list.count;
    enum status st = OK;
    for (size_t i = 0; i < count && !st; i++)
        st = fold_init(&folds[i], ev, nodes[i], range->steps, err);
    if (!st) st = eval_rows(ev, node->aggregate.expr, range, &child, err);
    if (!st) st = fold_rows(folds, count, child, err);
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
    case AGG_BOTTOMK:
    case AGG_LIMITK:
    case AGG_LIMIT_RATIO: return aggregate_k_open(ev, node, range, out, err);
    case AGG_QUANTILE: return aggregate_quantile_open(ev, node, range, out, err);
    case AGG_COUNT_VALUES: return aggregate_count_values_open(ev, node, range, out, err);
    default: return fold_open(ev, node, range, out, err);
    }
}
