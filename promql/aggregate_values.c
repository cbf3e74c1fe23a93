/* aggregate_values - quantile and count_values: aggregations that look at every single value. */
#include "promql/aggregate.h"

#include <math.h>

#include "base/bits.h"
#include "model/names.h"
#include "model/number.h"
#include "promql/collect.h"
#include "promql/func_impl.h"
#include "promql/quantile.h"

struct quantiles {
    struct eval *ev;
    const struct ast *node;
    size_t steps;
    struct row_table rows;
    size_t *number; /* group of each row */
    struct grouping grouping;
    double *values; /* scratch: the values of one group at one step */
};

static enum status warn_quantiles(struct eval *ev, const double *q, size_t steps,
                                  struct ast_position position, struct error *err)
{
    double least = (double)INFINITY;
    double most = -(double)INFINITY;
    bool nan = false;
    for (size_t i = 0; i < steps; i++) {
        nan = nan || isnan(q[i]);
        least = math_min(least, q[i]);
        most = math_max(most, q[i]);
    }
    enum status st = OK;
    if (nan) st = annotation_add_quantile(&ev->notes, (double)NAN, position, ev->arena, err);
    if (!st && most > 1) st = annotation_add_quantile(&ev->notes, most, position, ev->arena, err);
    if (!st && least < 0) st = annotation_add_quantile(&ev->notes, least, position, ev->arena, err);
    return st;
}

/* The quantile of one group at every step. Rows of a group are found by their chain. */
static enum status quantile_row(struct quantiles *s, const double *q, size_t first,
                                const size_t *next, struct row *out, struct error *err)
{
    enum status st = row_alloc(out, s->steps, s->ev->arena, err);
    if (st) return st;
    for (size_t i = first; i != SIZE_MAX; i = next[i])
        out->drops_name = out->drops_name || s->rows.items[i].drops_name;
    for (size_t step = 0; step < s->steps; step++) {
        size_t count = 0;
        for (size_t i = first; i != SIZE_MAX; i = next[i])
            if (bit_get(s->rows.items[i].present, step))
                s->values[count++] = s->rows.items[i].v[step];
        if (!count) continue;
        out->v[step] = quantile_of(q[step], s->values, count);
        bit_set(out->present, step);
        st = eval_tick(s->ev, count, err);
        if (st) return st;
    }
    return OK;
}

static enum status quantile_groups(struct quantiles *s, const double *q, struct rows **out,
                                   struct error *err)
{
    struct arena *a = s->ev->arena;
    size_t groups = s->grouping.examples.count;
    size_t *first = arena_alloc_array(a, groups, sizeof(*first));
    size_t *next = arena_alloc_array(a, s->rows.count, sizeof(*next));
    s->values = arena_alloc_array(a, s->rows.count, sizeof(s->values[0]));
    if (!first || !next || !s->values) return no_room(a, err);
    for (size_t g = 0; g < groups; g++)
        first[g] = SIZE_MAX;
    for (size_t i = s->rows.count; i-- > 0;) {
        next[i] = first[s->number[i]];
        first[s->number[i]] = i;
    }
    struct row_table table = {0};
    for (size_t g = 0; g < groups; g++) {
        struct row *row = VEC_PUSH(&table, a);
        if (!row) return no_room(a, err);
        enum status st = quantile_row(s, q, first[g], next, row, err);
        if (!st) st = grouping_labels(&s->grouping, g, a, &row->labels, err);
        if (st) return st;
    }
    eval_drop(s->ev, row_table_samples(&s->rows, s->steps));
    enum status st = eval_hold(s->ev, row_table_samples(&table, s->steps), err);
    if (st) return st;
    return rows_from_table(s->ev, &table, s->steps, grouping_is_unnamed(&s->grouping), out, err);
}

enum status aggregate_quantile_open(struct eval *ev, const struct ast *node,
                                    const struct eval_range *range, struct rows **out,
                                    struct error *err)
{
    struct quantiles s = {.ev = ev, .node = node, .steps = range->steps};
    struct ast_position position = node->aggregate.param->position;
    struct collected collected = {0};
    double *q;
    enum status st = eval_scalar(ev, node->aggregate.param, range, &q, err);
    if (!st) st = collect(ev, node->aggregate.expr, range, &collected, err);
    s.rows = collected.rows;
    if (!st) st = grouping_init(&s.grouping, node, ev->arena, err);
    if (!st) st = warn_quantiles(ev, q, range->steps, position, err);
    if (st) return st;
    s.number = arena_alloc_array(ev->arena, s.rows.count, sizeof(s.number[0]));
    if (!s.number) return no_room(ev->arena, err);
    for (size_t i = 0; i < s.rows.count && !st; i++) {
        bool is_new;
        st = grouping_find_row(&s.grouping, ev, &s.rows.items[i], &s.number[i], &is_new, err);
    }
    return st ? st : quantile_groups(&s, q, out, err);
}

struct count_values {
    struct eval *ev;
    size_t steps;
    struct str label;
    struct grouping grouping;
    struct row_table table; /* by group */
};

/* by (...): the value's label is kept too. */
static void add_value_label(struct grouping *g, struct str label)
{
    size_t at = 0;
    while (at < g->name_count && str_compare(g->names[at], label) < 0)
        at++;
    if (at < g->name_count && str_equal(g->names[at], label)) return;
    memmove(&g->names[at + 1], &g->names[at], (g->name_count - at) * sizeof(g->names[0]));
    g->names[at] = label; /* grouping_init leaves room for one */
    g->name_count++;
}

/* The group of a row's labels and one of its values. What it takes to look is given back, unless
 * the group is new. */
static enum status find_value_group(struct count_values *c, struct labels labels, double v,
                                    size_t *out, struct error *err)
{
    struct arena *a = c->ev->arena;
    struct arena_mark mark = arena_mark(a);
    char number[NUMBER_TEXT_BYTES];
    struct str text = {.data = number, .size = number_format_plain(number, v)};
    struct labels set;
    bool is_new;
    text = arena_copy(a, text);
    if (!text.data) return no_room(a, err);
    enum status st = labels_set(labels, c->label, text, a, &set, err);
    if (!st) st = grouping_find(&c->grouping, set, a, out, &is_new, err);
    if (st) return st;
    if (!is_new) {
        arena_rewind(a, mark);
        return OK;
    }
    struct row *slot = VEC_PUSH(&c->table, a);
    if (!slot) return no_room(a, err);
    st = row_alloc(slot, c->steps, a, err);
    return st ? st : grouping_labels(&c->grouping, *out, a, &slot->labels, err);
}

static enum status count_row(struct count_values *c, const struct row *row, struct error *err)
{
    struct bit_walk walk = bit_walk(row->present, c->steps);
    size_t i;
    size_t number = SIZE_MAX;
    uint64_t last_bits = 0;
    while (bit_walk_next(&walk, &i)) {
        uint64_t bits = bits_from_double(row->v[i]);
        if (number == SIZE_MAX || bits != last_bits) {
            enum status st = find_value_group(c, row->labels, row->v[i], &number, err);
            if (st) return st;
            last_bits = bits;
        }
        struct row *out = &c->table.items[number];
        out->v[i] = bit_get(out->present, i) ? out->v[i] + 1 : 1;
        bit_set(out->present, i);
    }
    return eval_tick(c->ev, c->steps, err);
}

enum status aggregate_count_values_open(struct eval *ev, const struct ast *node,
                                        const struct eval_range *range, struct rows **out,
                                        struct error *err)
{
    struct count_values c = {
        .ev = ev, .steps = range->steps, .label = eval_string(node->aggregate.param)};
    struct rows *child;
    if (!c.label.size || !name_is_utf8(c.label))
        return error_set(err, ERR_CONFLICT, "invalid label name \"%.*s\"", STR_ARG(c.label));
    enum status st = grouping_init(&c.grouping, node, ev->arena, err);
    if (!st && !c.grouping.without) add_value_label(&c.grouping, c.label);
    if (!st) st = eval_rows(ev, node->aggregate.expr, range, &child, err);
    while (!st) {
        struct row *row;
        st = child->next(child, &row, err);
        if (st || !row) break;
        st = count_row(&c, row, err);
    }
    if (!st) st = eval_hold(ev, row_table_samples(&c.table, range->steps), err);
    if (st) return st;
    bool unnamed_unique = grouping_is_unnamed(&c.grouping) && !label_is_reserved(c.label);
    return rows_from_table(ev, &c.table, range->steps, unnamed_unique, out, err);
}
