/*
 * aggregate_limit - limitk and limit_ratio: some of the rows of each group, whatever their values.
 *
 * Rows are taken as they come, step by step: the first k of a group, or those whose labels lie
 * within the ratio. Only what is taken is kept, and when no more is wanted of a selector's series,
 * the others are not read.
 */
#include "promql/aggregate.h"

#include <math.h>

#include "base/hash.h"
#include "model/number.h"

/* Of limitk. */
struct limit_group {
    double *taken;  /* rows, by step */
    uint64_t *full; /* steps that want no more */
};

struct limit {
    struct eval *ev;
    const struct ast *node;
    size_t steps;
    double *param; /* one per step */
    struct grouping grouping;
    struct limit_groups VEC_OF(struct limit_group) groups;
    struct row_table rows;
};

/* A size as Prometheus' label sets have it in front of a text: one byte, or 255 and three. */
static size_t put_size(char *out, size_t size)
{
    const size_t long_mark = 255;
    if (size < long_mark) {
        out[0] = (char)size;
        return 1;
    }
    out[0] = (char)long_mark;
    for (size_t i = 0; i < 3; i++)
        out[i + 1] = (char)(size >> 8 * i);
    return 4;
}

static size_t put_text(char *out, struct str text)
{
    size_t used = put_size(out, text.size);
    if (text.size) memcpy(out + used, text.data, text.size);
    return used + text.size;
}

/* Where a label set lies in [0, 1): by the hash that Prometheus takes, over the bytes that it keeps
 * label sets in, so that both choose the same series. */
static enum status place_row(struct arena *a, const struct row *row, double *out, struct error *err)
{
    enum { SIZES_BYTES = 8 };
    struct arena_mark mark = arena_mark(a);
    struct labels labels;
    size_t bound = 0;
    size_t used = 0;
    enum status st = row_labels(row, a, &labels, err);
    if (st) return st;
    for (size_t i = 0; i < labels.count; i++)
        bound += SIZES_BYTES + labels.items[i].name.size + labels.items[i].value.size;
    char *bytes = arena_alloc(a, bound);
    if (!bytes) return no_room(a, err);
    for (size_t i = 0; i < labels.count; i++) {
        used += put_text(bytes + used, labels.items[i].name);
        used += put_text(bytes + used, labels.items[i].value);
    }
    *out = (double)hash_xxh64(bytes, used) / 18446744073709551615.0;
    arena_rewind(a, mark);
    return OK;
}

/* The share of all label sets that lie below the ratio; with a negative one, the complement. */
static bool is_sampled(double ratio, double place)
{
    return (ratio >= 0 && place < ratio) || (ratio < 0 && place >= 1.0 + ratio);
}

static enum status take_by_ratio(struct limit *l, struct row *row, struct error *err)
{
    struct bit_walk walk = bit_walk(row->present, l->steps);
    double place;
    size_t i;
    enum status st = place_row(l->ev->arena, row, &place, err);
    if (st) return st;
    while (bit_walk_next(&walk, &i))
        if (!is_sampled(l->param[i], place)) bit_clear(row->present, i);
    return OK;
}

static enum status group_create(struct limit *l, struct error *err)
{
    struct arena *a = l->ev->arena;
    struct limit_group *group = VEC_PUSH(&l->groups, a);
    if (!group) return no_room(a, err);
    group->taken = arena_calloc(a, l->steps, sizeof(group->taken[0]));
    group->full = arena_calloc(a, row_words(l->steps), sizeof(group->full[0]));
    if (!group->taken || !group->full) return no_room(a, err);
    for (size_t i = 0; i < l->steps; i++)
        if (l->param[i] < 1) bit_set(group->full, i);
    return OK;
}

static enum status take_first(struct limit *l, struct row *row, struct error *err)
{
    size_t number;
    bool is_new;
    size_t i;
    enum status st = grouping_find_row(&l->grouping, l->ev, row, &number, &is_new, err);
    if (!st && is_new) st = group_create(l, err);
    if (st) return st;
    struct limit_group *group = &l->groups.items[number];
    for (size_t w = 0; w < row_words(l->steps); w++)
        row->present[w] &= ~group->full[w];
    struct bit_walk walk = bit_walk(row->present, l->steps);
    while (bit_walk_next(&walk, &i)) {
        group->taken[i] += 1;
        if (group->taken[i] + 1 > l->param[i]) bit_set(group->full, i);
    }
    return OK;
}

/* No row that may come is wanted. */
static bool has_enough(const struct limit *l)
{
    if (!aggregate_may_stop(l->node, &l->grouping) || !l->groups.count) return false;
    return bits_count(l->groups.items[0].full, l->steps) == l->steps;
}

static enum status take_rows(struct limit *l, struct rows *child, struct error *err)
{
    bool by_ratio = l->node->aggregate.op == AGG_LIMIT_RATIO;
    child->bare = true;
    while (!has_enough(l)) {
        struct row *row;
        enum status st = child->next(child, &row, err);
        if (st || !row) return st;
        st = by_ratio ? take_by_ratio(l, row, err) : take_first(l, row, err);
        if (!st) st = eval_tick(l->ev, l->steps, err);
        if (!st && bits_any(row->present, l->steps)) st = rows_keep(child, row, &l->rows, err);
        if (st) return st;
    }
    return OK;
}

static enum status warn_ratio(struct limit *l, double ratio, double capped, struct error *err)
{
    char number[NUMBER_TEXT_BYTES];
    int size = (int)number_format_general(number, ratio);
    struct str text = arena_printf(l->ev->arena,
                                   "PromQL warning: ratio value should be between -1 and 1, got "
                                   "%.*s, capping to %g",
                                   size, number, capped);
    if (!text.data) return no_room(l->ev->arena, err);
    return eval_warn(l->ev, text, l->node->aggregate.param, err);
}

/* What lies beyond 1 and -1 is taken for these. */
static enum status check_ratio(struct limit *l, bool *nothing, struct error *err)
{
    double least = (double)INFINITY;
    double most = -(double)INFINITY;
    for (size_t i = 0; i < l->steps; i++) {
        if (isnan(l->param[i])) return error_set(err, ERR_CONFLICT, "Ratio value is NaN");
        least = fmin(least, l->param[i]);
        most = fmax(most, l->param[i]);
        l->param[i] = fmax(-1, fmin(1, l->param[i]));
    }
    *nothing = least == 0 && most == 0;
    enum status st = OK;
    if (most > 1) st = warn_ratio(l, most, 1, err);
    if (!st && least < -1) st = warn_ratio(l, least, -1, err);
    return st;
}

static enum status label_rows(struct limit *l, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; !st && i < l->rows.count; i++) {
        struct row *row = &l->rows.items[i];
        st = row_labels(row, l->ev->arena, &row->labels, err);
        row->series = NULL;
    }
    return st;
}

enum status aggregate_limit_open(struct eval *ev, const struct ast *node,
                                 const struct eval_range *range, struct rows **out,
                                 struct error *err)
{
    struct limit l = {.ev = ev, .node = node, .steps = range->steps};
    struct rows *child;
    bool nothing;
    enum status st = eval_scalar(ev, node->aggregate.param, range, &l.param, err);
    if (st) return st;
    st = node->aggregate.op == AGG_LIMIT_RATIO ? check_ratio(&l, &nothing, err)
                                               : aggregate_check_k(l.param, l.steps, &nothing, err);
    if (st || nothing) return aggregate_nothing(ev, node, range, st, out, err);
    st = grouping_init(&l.grouping, node, ev->arena, err);
    if (!st) st = eval_rows(ev, node->aggregate.expr, range, &child, err);
    if (!st) st = take_rows(&l, child, err);
    if (!st) st = label_rows(&l, err);
    return st ? st : rows_from_table(ev, &l.rows, l.steps, child->unnamed_unique, out, err);
}
