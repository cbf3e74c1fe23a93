/* fold - cells, groups, and folding by columns. */
#include "promql/fold.h"

#include <math.h>

#include "promql/wide.h"

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

/* kahan_add without questions. Which of two is larger does not matter: what rounding took is exact
 * either way (Knuth, "The Art of Computer Programming", 4.2.2, theorem B). What an infinite sum has
 * lost is not looked at in the end. */
WIDE_BODY void add_sums(double *restrict sum, double *restrict lost, const double *restrict v,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double next = sum[i] + v[i];
        double added = next - sum[i];
        lost[i] += (sum[i] - (next - added)) + (v[i] - added);
        sum[i] = next;
    }
}

static WIDE void add_sums_wide(double *sum, double *lost, const double *v, size_t count)
{
    add_sums(sum, lost, v, count);
}

/* A NaN gives way to anything. */
WIDE_BODY void take_extremes(double *restrict best, const double *restrict v, size_t count,
                             bool most)
{
    for (size_t i = 0; i < count; i++) {
        bool better = most ? v[i] > best[i] : v[i] < best[i];
        best[i] = (better | (best[i] != best[i])) ? v[i] : best[i];
    }
}

static WIDE void take_least_wide(double *best, const double *v, size_t count)
{
    take_extremes(best, v, count, false);
}

static WIDE void take_most_wide(double *best, const double *v, size_t count)
{
    take_extremes(best, v, count, true);
}

/* What a column is made of before its first value, and what changes nothing of that. */
static double nothing_yet(enum ast_aggregation op)
{
    switch (op) {
    case AGG_MIN:
    case AGG_MAX: return (double)NAN;
    case AGG_GROUP: return 1;
    default: return 0;
    }
}

/* others: as in a row. */
static void group_add_steps(enum ast_aggregation op, struct group *group, const double *v,
                            size_t others, size_t from, size_t count)
{
    double *into = group->v + from;
    bool wide = cpu_is_wide();
    v += from;
    switch (op) {
    case AGG_SUM: (wide ? add_sums_wide : add_sums)(into, group->lost + from, v, count); break;
    case AGG_COUNT:
        for (size_t i = 0; i < count; i++)
            into[i] += 1 + (double)others;
        break;
    case AGG_MIN:
        if (wide)
            take_least_wide(into, v, count);
        else
            take_extremes(into, v, count, false);
        break;
    case AGG_MAX:
        if (wide)
            take_most_wide(into, v, count);
        else
            take_extremes(into, v, count, true);
        break;
    default: break; /* group */
    }
}

static void group_add_columns(const struct fold *f, struct group *group, const struct row *row)
{
    struct bit_runs run = bit_runs(row->present, f->steps);
    if (f->steps == 1) { /* no row is empty */
        group_add_steps(f->op, group, row->v, row->others, 0, 1);
        return;
    }
    while (bit_runs_next(&run))
        group_add_steps(f->op, group, row->v, row->others, run.from, run.to - run.from);
}

static enum status group_create(struct fold *f, const struct row *row, struct error *err)
{
    struct arena *a = f->ev->arena;
    struct group *slot = VEC_PUSH(&f->groups, a);
    if (!slot) return no_room(a, err);
    *slot = (struct group){.present = arena_calloc(a, row_words(f->steps), sizeof(uint64_t)),
                           .v = arena_alloc_array(a, f->steps, sizeof(double)),
                           .series = row->series,
                           .unnamed = row->unnamed};
    if (!slot->present || !slot->v) return no_room(a, err);
    if (has_cells(f->op)) {
        slot->cells = arena_alloc_array(a, f->steps, sizeof(struct cell));
        if (!slot->cells) return no_room(a, err);
    }
    if (f->op == AGG_SUM) {
        slot->lost = arena_calloc(a, f->steps, sizeof(double));
        if (!slot->lost) return no_room(a, err);
    }
    for (size_t i = 0; i < f->steps; i++)
        slot->v[i] = nothing_yet(f->op);
    return OK;
}

/* The group of a row, which may be new. */
static enum status group_find(struct fold *f, const struct row *row, struct group **out,
                              struct error *err)
{
    size_t number;
    bool is_new;
    enum status st = grouping_find_row(&f->grouping, f->ev, row, &number, &is_new, err);
    if (!st && is_new) st = group_create(f, row, err);
    if (!st) *out = &f->groups.items[number];
    return st;
}

static enum status fold_row(struct fold *f, const struct row *row, struct error *err)
{
    struct group *group = NULL;
    enum status st = group_find(f, row, &group, err);
    if (st) return st;
    group->drops_name = group->drops_name || row->drops_name;
    if (group->cells)
        group_add_cells(f->op, group, row, f->steps);
    else
        group_add_columns(f, group, row);
    bits_or(group->present, row->present, f->steps);
    return eval_tick(f->ev, f->steps, err);
}

static void cell_join(enum ast_aggregation op, struct cell *cell, const struct cell *part)
{
    if (op == AGG_AVG) {
        kahan_mean_join(&cell->mean, &part->mean);
        return;
    }
    /* Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm ...", 1979 */
    double count = cell->spread.count + part->spread.count;
    double delta = part->spread.mean - cell->spread.mean;
    cell->spread.squares +=
        part->spread.squares + delta * delta * (cell->spread.count * part->spread.count / count);
    cell->spread.mean += delta * (part->spread.count / count);
    cell->spread.count = count;
}

static void group_join_cells(const struct fold *f, struct group *group, const struct group *part)
{
    struct bit_walk walk = bit_walk(part->present, f->steps);
    size_t i;
    while (bit_walk_next(&walk, &i)) {
        if (bit_get(group->present, i))
            cell_join(f->op, &group->cells[i], &part->cells[i]);
        else
            group->cells[i] = part->cells[i];
    }
}

static void group_join_columns(const struct fold *f, struct group *group, const struct group *part)
{
    if (f->op == AGG_COUNT) {
        for (size_t i = 0; i < f->steps; i++)
            group->v[i] += part->v[i];
        return;
    }
    group_add_steps(f->op, group, part->v, 0, 0, f->steps);
    for (size_t i = 0; i < f->steps && group->lost; i++)
        group->lost[i] += part->lost[i];
}

enum status fold_join(struct fold *f, const struct fold *part, struct error *err)
{
    for (size_t g = 0; g < part->groups.count; g++) {
        const struct group *from = &part->groups.items[g];
        struct row row = {.series = from->series, .unnamed = from->unnamed};
        if (!row.series) row.labels = part->grouping.examples.items[g];
        struct group *group = NULL;
        enum status st = group_find(f, &row, &group, err);
        if (!st) st = eval_tick(f->ev, f->steps, err);
        if (st) return st;
        if (group->cells)
            group_join_cells(f, group, from);
        else
            group_join_columns(f, group, from);
        group->drops_name = group->drops_name || from->drops_name;
        bits_or(group->present, from->present, f->steps);
    }
    return OK;
}

/* What the group's column stands for. */
static void group_finish(const struct fold *f, struct group *group)
{
    struct bit_walk walk = bit_walk(group->present, f->steps);
    size_t i;
    while (bit_walk_next(&walk, &i)) {
        if (group->cells) group->v[i] = cell_value(f->op, &group->cells[i]);
        if (group->lost && !isinf(group->v[i])) group->v[i] += group->lost[i];
    }
}

enum status fold_finish(struct fold *f, struct rows **out, struct error *err)
{
    struct row_table table = {0};
    for (size_t g = 0; g < f->groups.count; g++) {
        struct group *group = &f->groups.items[g];
        struct row *row = VEC_PUSH(&table, f->ev->arena);
        if (!row) return no_room(f->ev->arena, err);
        group_finish(f, group);
        *row =
            (struct row){.v = group->v, .present = group->present, .drops_name = group->drops_name};
        enum status st = grouping_labels(&f->grouping, g, f->ev->arena, &row->labels, err);
        if (st) return st;
    }
    enum status st = eval_hold(f->ev, row_table_samples(&table, f->steps), err);
    if (st) return st;
    return rows_from_table(f->ev, &table, f->steps, grouping_is_unnamed(&f->grouping), out, err);
}

enum status fold_init(struct fold *f, struct eval *ev, const struct ast *node, size_t steps,
                      struct error *err)
{
    *f = (struct fold){.ev = ev, .node = node, .op = node->aggregate.op, .steps = steps};
    return grouping_init(&f->grouping, node, ev->arena, err);
}

/* Does any row that comes make no difference to any of them? */
static bool are_settled(const struct fold *folds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct fold *f = &folds[i];
        if (f->op != AGG_GROUP || !f->groups.count || !aggregate_may_stop(f->node, &f->grouping))
            return false;
        const struct group *only = &f->groups.items[0];
        if (bits_count(only->present, f->steps) < f->steps) return false;
    }
    return true;
}

/* What there is of rows that makes a difference to any of them. */
static enum rows_asked asked_by(const struct fold *folds, size_t count)
{
    enum rows_asked asked = ROWS_ASKED_COUNT;
    for (size_t i = 0; i < count; i++) {
        if (folds[i].op != AGG_COUNT && folds[i].op != AGG_GROUP) return ROWS_ASKED_ALL;
        if (!grouping_is_one(&folds[i].grouping)) asked = ROWS_ASKED_PRESENCE;
    }
    return asked;
}

enum status fold_rows(struct fold *folds, size_t count, struct rows *child, struct error *err)
{
    child->bare = true;
    child->asked = asked_by(folds, count);
    while (!are_settled(folds, count)) {
        struct row *row;
        enum status st = child->next(child, &row, err);
        if (st || !row) return st;
        for (size_t i = 0; i < count && !st; i++)
            st = fold_row(&folds[i], row, err);
        if (st) return st;
    }
    return OK;
}
