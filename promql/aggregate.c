/* aggregate - grouping, and the aggregations that fold rows into one row per group. */
#include "promql/aggregate.h"

#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "promql/kahan.h"

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

/* One group at one step: what each aggregation needs of it. */
struct cell {
    union {
        struct kahan sum;
        struct kahan_mean mean;
        double value;
        struct {
            double count;
            double mean;
            double squares; /* sum of squared distances from the mean (Welford 1962) */
        } spread;
    };
};

struct group {
    uint64_t *present;
    struct cell *cells;
    bool drops_name; /* as one of its rows */
};

struct fold {
    struct eval *ev;
    enum ast_aggregation op;
    size_t steps;
    struct grouping grouping;
    struct groups VEC_OF(struct group) groups;
};

static void cell_first(enum ast_aggregation op, struct cell *cell, double v)
{
    switch (op) {
    case AGG_SUM: cell->sum = (struct kahan){.sum = v}; break;
    case AGG_AVG:
        cell->mean = (struct kahan_mean){0};
        kahan_mean_add(&cell->mean, v);
        break;
    case AGG_STDDEV:
    case AGG_STDVAR:
        cell->spread.count = 1;
        cell->spread.mean = v;
        cell->spread.squares = isfinite(v) ? 0 : (double)NAN;
        break;
    case AGG_COUNT:
    case AGG_GROUP: cell->value = 1; break;
    default: cell->value = v; break; /* min, max */
    }
}

static void cell_add(enum ast_aggregation op, struct cell *cell, double v)
{
    switch (op) {
    case AGG_SUM: kahan_add(&cell->sum, v); break;
    case AGG_AVG: kahan_mean_add(&cell->mean, v); break;
    case AGG_STDDEV:
    case AGG_STDVAR: {
        double delta = v - cell->spread.mean;
        cell->spread.count += 1;
        cell->spread.mean += delta / cell->spread.count;
        cell->spread.squares += delta * (v - cell->spread.mean);
        break;
    }
    case AGG_COUNT: cell->value += 1; break;
    case AGG_MIN:
        if (cell->value > v || isnan(cell->value)) cell->value = v;
        break;
    case AGG_MAX:
        if (cell->value < v || isnan(cell->value)) cell->value = v;
        break;
    default: break; /* group */
    }
}

static double cell_value(enum ast_aggregation op, const struct cell *cell)
{
    switch (op) {
    case AGG_SUM: return kahan_total(&cell->sum);
    case AGG_AVG: return kahan_mean_value(&cell->mean);
    case AGG_STDVAR: return cell->spread.squares / cell->spread.count;
    case AGG_STDDEV: return sqrt(cell->spread.squares / cell->spread.count);
    default: return cell->value;
    }
}

static enum status fold_row(struct fold *f, const struct row *row, struct error *err)
{
    struct arena *a = f->ev->arena;
    size_t number;
    bool is_new;
    enum status st = grouping_find(&f->grouping, row->labels, a, &number, &is_new, err);
    if (st) return st;
    if (is_new) {
        struct group *slot = VEC_PUSH(&f->groups, a);
        if (!slot) return no_room(a, err);
        slot->present = arena_calloc(a, row_words(f->steps), sizeof(uint64_t));
        slot->cells = arena_alloc_array(a, f->steps, sizeof(struct cell));
        if (!slot->present || !slot->cells) return no_room(a, err);
        slot->drops_name = false;
    }
    struct group *group = &f->groups.items[number];
    group->drops_name = group->drops_name || row->drops_name;
    struct bit_walk walk = bit_walk(row->present, f->steps);
    size_t i;
    while (bit_walk_next(&walk, &i)) {
        if (bit_get(group->present, i)) {
            cell_add(f->op, &group->cells[i], row->v[i]);
            continue;
        }
        cell_first(f->op, &group->cells[i], row->v[i]);
        bit_set(group->present, i);
    }
    return eval_tick(f->ev, f->steps, err);
}

static enum status fold_finish(struct fold *f, struct rows **out, struct error *err)
{
    struct arena *a = f->ev->arena;
    struct row_table table = {0};
    for (size_t g = 0; g < f->groups.count; g++) {
        const struct group *group = &f->groups.items[g];
        struct row *row = VEC_PUSH(&table, a);
        if (!row) return no_room(a, err);
        *row = (struct row){.labels = f->grouping.groups.items[g],
                            .present = group->present,
                            .drops_name = group->drops_name};
        row->v = arena_alloc_array(a, f->steps, sizeof(double));
        if (!row->v) return no_room(a, err);
        struct bit_walk walk = bit_walk(row->present, f->steps);
        size_t i;
        while (bit_walk_next(&walk, &i))
            row->v[i] = cell_value(f->op, &group->cells[i]);
    }
    enum status st = eval_hold(f->ev, row_table_samples(&table, f->steps), err);
    if (st) return st;
    return rows_from_table(f->ev, &table, f->steps, grouping_is_unnamed(&f->grouping), out, err);
}

static enum status fold_open(struct eval *ev, const struct ast *node,
                             const struct eval_range *range, struct rows **out, struct error *err)
{
    struct fold f = {.ev = ev, .op = node->aggregate.op, .steps = range->steps};
    struct rows *child;
    enum status st = grouping_init(&f.grouping, node, ev->arena, err);
    if (!st) st = eval_rows(ev, node->aggregate.expr, range, &child, err);
    while (!st) {
        struct row *row;
        st = child->next(child, &row, err);
        if (st || !row) break;
        st = fold_row(&f, row, err);
    }
    return st ? st : fold_finish(&f, out, err);
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
