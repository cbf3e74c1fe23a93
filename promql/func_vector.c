/* func_vector - functions that make or unmake vectors. */

#include "base/bits.h"
#include "model/sample.h"
#include "promql/func_impl.h"
#include "promql/select.h"

/* The labels an absent series would have: those that its selector fixes by exactly one =. */
static enum status absent_labels(struct eval *ev, const struct ast *arg, struct labels *out,
                                 struct error *err)
{
    const struct ast *node = ast_unwrap_parens(arg);
    *out = (struct labels){0};
    if (node->kind == AST_MATRIX_SELECTOR) node = node->matrix.selector;
    if (node->kind != AST_VECTOR_SELECTOR) return OK;
    const struct matcher *matchers = node->selector.matchers;
    enum status st = OK;
    for (size_t i = 0; i < node->selector.matcher_count && !st; i++) {
        struct str name = matchers[i].name;
        bool alone = matchers[i].type == MATCH_EQUAL;
        if (str_equal(name, LABEL_METRIC_NAME)) continue;
        /* Prometheus drops a label when it is matched again after its =, whatever came before. */
        for (size_t k = 0; k < i && alone; k++)
            alone = !(matchers[k].type == MATCH_EQUAL && str_equal(matchers[k].name, name));
        st = labels_set(*out, name, alone ? matchers[i].value : STR(""), ev->arena, out, err);
    }
    return st;
}

/* One row of ones where no row of the child has a value. */
static enum status absent_of(struct eval *ev, const struct ast *call, struct rows *child,
                             bool drops_name, struct rows **out, struct error *err)
{
    size_t steps = child->steps;
    struct row_table table = {0};
    struct row *result = VEC_PUSH(&table, ev->arena);
    if (!result) return no_room(ev->arena, err);
    enum ast_kind kind = eval_unwrap(call->call.args[0])->kind;
    bool plain = kind == AST_VECTOR_SELECTOR || kind == AST_MATRIX_SELECTOR; /* no remarks */
    child->bare = true;
    child->asked = ROWS_ASKED_PRESENCE;
    enum status st = row_alloc(result, steps, ev->arena, err);
    while (!st && !(plain && bits_count(result->present, steps) == steps)) {
        struct row *row;
        st = child->next(child, &row, err);
        if (st || !row) break;
        bits_or(result->present, row->present, steps);
    }
    if (!st) st = absent_labels(ev, call->call.args[0], &result->labels, err);
    if (st) return st;
    result->drops_name = drops_name;
    for (size_t i = 0; i < steps; i++) {
        result->v[i] = 1;
        if (bit_get(result->present, i))
            bit_clear(result->present, i);
        else
            bit_set(result->present, i);
    }
    return rows_from_table(ev, &table, steps, true, out, err);
}

static enum status rows_absent(struct eval *ev, const struct ast *call,
                               const struct eval_range *range, struct rows **out, struct error *err)
{
    struct rows *child;
    enum status st = eval_rows(ev, call->call.args[0], range, &child, err);
    return st ? st : absent_of(ev, call, child, false, out, err);
}

/* Presence of each series' window, labels and all. */
struct present_rows {
    struct rows base;
    struct eval_range range;
    struct windows windows;
    struct row row;
};

static enum status present_next(struct rows *self, struct row **out, struct error *err)
{
    struct present_rows *p = (struct present_rows *)self;
    bool more;
    *out = NULL;
    enum status st = windows_next(&p->windows, &more, err);
    if (st || !more) return st;
    memcpy(p->row.present, p->windows.table->present,
           row_words(self->steps) * sizeof(p->row.present[0]));
    *out = &p->row;
    return OK;
}

static enum status rows_absent_over_time(struct eval *ev, const struct ast *call,
                                         const struct eval_range *range, struct rows **out,
                                         struct error *err)
{
    struct present_rows *p = arena_calloc(ev->arena, 1, sizeof(*p));
    if (!p) return no_room(ev->arena, err);
    p->base = (struct rows){.next = present_next, .ev = ev, .steps = range->steps};
    p->range = *range;
    const struct ast *matrix = eval_unwrap(call->call.args[0]);
    enum status st = func_check_selector(call, matrix, err);
    if (!st) st = row_alloc(&p->row, range->steps, ev->arena, err);
    if (!st) st = windows_open(ev, matrix, &p->range, &p->windows, err);
    /* It may have __type__ and __unit__, which go with late names, and here only. */
    return st ? st : absent_of(ev, call, &p->base, ev->delays_names, out, err);
}

/* The value of the only element, NaN when there is none or more than one. */
static enum status scalar_of(struct eval *ev, const struct ast *call,
                             const struct eval_range *range, double *out, struct error *err)
{
    struct rows *child;
    uint64_t *seen = arena_calloc(ev->arena, row_words(range->steps), sizeof(*seen));
    if (!seen) return no_room(ev->arena, err);
    for (size_t i = 0; i < range->steps; i++)
        out[i] = bits_to_double(NORMAL_NAN_BITS);
    enum status st = eval_rows(ev, call->call.args[0], range, &child, err);
    while (!st) {
        struct row *row;
        st = func_next(call, child, &row, err);
        if (st || !row) break;
        struct bit_walk walk = bit_walk(row->present, range->steps);
        size_t i;
        while (bit_walk_next(&walk, &i)) {
            out[i] = bit_get(seen, i) ? bits_to_double(NORMAL_NAN_BITS) : row->v[i];
            bit_set(seen, i);
        }
    }
    return st;
}

static enum status rows_vector(struct eval *ev, const struct ast *call,
                               const struct eval_range *range, struct rows **out, struct error *err)
{
    struct row_table table = {0};
    struct row *row = VEC_PUSH(&table, ev->arena);
    if (!row) return no_room(ev->arena, err);
    enum status st = row_alloc(row, range->steps, ev->arena, err);
    if (!st) st = eval_scalar(ev, call->call.args[0], range, &row->v, err);
    if (st) return st;
    bits_fill(row->present, range->steps);
    return rows_from_table(ev, &table, range->steps, true, out, err);
}

/* timestamp() of anything but a selector: the time of the step. */
struct time_rows {
    struct rows base;
    struct rows *child;
    struct eval_range range;
    struct label_scratch scratch;
};

static enum status time_next(struct rows *self, struct row **out, struct error *err)
{
    struct time_rows *t = (struct time_rows *)self;
    enum status st = t->child->next(t->child, out, err);
    if (st || !*out) return st;
    for (size_t i = 0; i < self->steps; i++)
        (*out)->v[i] = (double)eval_step_ms(&t->range, i) / 1000;
    return row_unname(self, *out, &t->scratch, err);
}

static enum status rows_timestamp(struct eval *ev, const struct ast *call,
                                  const struct eval_range *range, struct rows **out,
                                  struct error *err)
{
    const struct ast *arg = eval_unwrap(call->call.args[0]);
    if (arg->kind == AST_VECTOR_SELECTOR)
        return select_rows(ev, arg, range, SELECT_TIMES, out, err);
    struct rows *child;
    enum status st = eval_rows(ev, call->call.args[0], range, &child, err);
    if (st) return st;
    struct time_rows *t = arena_calloc(ev->arena, 1, sizeof(*t));
    if (!t) return no_room(ev->arena, err);
    t->base = *child;
    t->base.next = time_next;
    t->child = child;
    t->range = *range;
    return rows_unnamed(&t->base, MERGE_DISJOINT, out, err);
}

/* What native histograms answer, and floats do not; the argument is evaluated for its errors. */
static enum status rows_nothing(struct eval *ev, const struct ast *call,
                                const struct eval_range *range, struct rows **out,
                                struct error *err)
{
    struct rows *child;
    enum status st = eval_rows(ev, call->call.args[0], range, &child, err);
    while (!st) {
        struct row *row;
        st = func_next(call, child, &row, err);
        if (st || !row) break;
    }
    return st ? st : rows_empty(ev, range->steps, out, err);
}

#define ROWS_IMPL(name, function)                                                                  \
    const struct function_impl func_##name = {.kind = FUNCTION_ROWS, .rows = (function)}

ROWS_IMPL(absent, rows_absent);
ROWS_IMPL(absent_over_time, rows_absent_over_time);
ROWS_IMPL(vector, rows_vector);
ROWS_IMPL(nothing, rows_nothing);

const struct function_impl func_timestamp = {
    .kind = FUNCTION_ROWS, .uses_time = true, .rows = rows_timestamp};
const struct function_impl func_scalar = {.kind = FUNCTION_SCALAR, .scalar = scalar_of};
