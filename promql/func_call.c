/* func_call - the source behind functions that work value by value; arguments of any function. */
#include "promql/func_impl.h"

#include <math.h>

enum status func_scalar_args(struct eval *ev, const struct ast *call,
                             const struct eval_range *range, double ***out, size_t *count,
                             struct error *err)
{
    *count = 0;
    *out = arena_calloc(ev->arena, call->call.arg_count + 1, sizeof(**out));
    if (!*out) return no_room(ev->arena, err);
    for (size_t i = 0; i < call->call.arg_count; i++) {
        if (call->call.args[i]->type != VALUE_SCALAR) continue;
        enum status st = eval_scalar(ev, call->call.args[i], range, &(*out)[*count], err);
        if (st) return st;
        *count += 1;
    }
    return OK;
}

/* False: nothing is left. */
static bool take_samples(const struct ast *call, struct row *row, size_t steps)
{
    enum function_takes takes = call->call.function->takes;
    if (takes == TAKES_BOTH || (takes == TAKES_FLOATS && !row->histograms)) return true;
    if (takes == TAKES_FLOATS)
        row_drop_histograms(row, steps);
    else
        row_drop_floats(row, steps);
    return bits_any(row->present, steps);
}

enum status func_next(const struct ast *call, struct rows *arg, struct row **out, struct error *err)
{
    enum status st;
    do
        st = arg->next(arg, out, err);
    while (!st && *out && !take_samples(call, *out, arg->steps));
    return st;
}

enum status func_collect(const struct ast *call, struct rows *arg, struct row_table *table,
                         struct error *err)
{
    for (;;) {
        struct row *row;
        enum status st = func_next(call, arg, &row, err);
        if (st || !row) return st;
        st = rows_keep(arg, row, table, err);
        if (st) return st;
    }
}

enum { MAP_ARGS_MAX = FUNCTION_ARGS_MAX };

struct map_rows {
    struct rows base;
    struct rows *child;
    const struct ast *call;
    double **args;
    size_t arg_count;
    struct label_scratch scratch;
};

static void map_row(const struct map_rows *m, struct row *row)
{
    const struct function_impl *impl = m->call->call.function->impl;
    double args[MAP_ARGS_MAX] = {0};
    struct bit_walk walk = bit_walk(row->present, m->base.steps);
    size_t i;
    while (bit_walk_next(&walk, &i)) {
        for (size_t k = 0; k < m->arg_count; k++)
            args[k] = m->args[k][i];
        if (!impl->map(row->v[i], args, m->arg_count, &row->v[i])) bit_clear(row->present, i);
    }
}

static enum status map_next(struct rows *self, struct row **out, struct error *err)
{
    struct map_rows *m = (struct map_rows *)self;
    m->child->bare = self->bare;
    for (;;) {
        enum status st = func_next(m->call, m->child, out, err);
        if (st || !*out) return st;
        map_row(m, *out);
        if (bits_any((*out)->present, self->steps)) return row_unname(self, *out, &m->scratch, err);
    }
}

/* vector(time()): what the functions of dates take when they are given nothing. */
static enum status time_rows(struct eval *ev, const struct eval_range *range, struct rows **out,
                             struct error *err)
{
    struct row_table table = {0};
    struct row *row = VEC_PUSH(&table, ev->arena);
    if (!row) return no_room(ev->arena, err);
    enum status st = row_alloc(row, range->steps, ev->arena, err);
    if (st) return st;
    for (size_t i = 0; i < range->steps; i++)
        row->v[i] = trunc((double)eval_step_ms(range, i) / 1000);
    bits_fill(row->present, range->steps);
    return rows_from_table(ev, &table, range->steps, true, out, err);
}

static enum status map_child(struct eval *ev, const struct ast *call,
                             const struct eval_range *range, struct rows **out, struct error *err)
{
    for (size_t i = 0; i < call->call.arg_count; i++)
        if (call->call.args[i]->type == VALUE_VECTOR)
            return eval_rows(ev, call->call.args[i], range, out, err);
    return time_rows(ev, range, out, err);
}

enum status func_map_open(struct eval *ev, const struct ast *call, const struct eval_range *range,
                          struct rows **out, struct error *err)
{
    struct map_rows *m = arena_calloc(ev->arena, 1, sizeof(*m));
    if (!m) return no_room(ev->arena, err);
    enum status st = func_scalar_args(ev, call, range, &m->args, &m->arg_count, err);
    if (!st) st = map_child(ev, call, range, &m->child, err);
    if (st) return st;
    m->base = *m->child;
    m->base.next = map_next;
    m->call = call;
    return rows_unnamed(&m->base, MERGE_DISJOINT, out, err);
}
