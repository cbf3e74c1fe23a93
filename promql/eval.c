/* eval - dispatch over the tree, scalars, unary minus, and what is evaluated once. */
#include "promql/eval.h"

#include "base/assert.h"
#include "base/clock.h"
#include "promql/aggregate.h"
#include "promql/binop.h"
#include "promql/explain.h"
#include "promql/func_impl.h"
#include "promql/select.h"

enum { TICKS_PER_LOOK = 1 << 14 };

enum status query_give_up(struct query *query, struct error *err)
{
    query->gave_up = true;
    return error_set(err, ERR_CANCELLED, "more than a little work");
}

void eval_share_held(struct eval *ev, struct held_common *common)
{
    atomic_init(&common->samples, ev->samples_held);
    ev->common = common;
    ev->held_told = ev->samples_held;
    ev->held_by_others = 0;
}

void eval_unshare_held(struct eval *ev)
{
    ev->common = NULL;
    ev->held_by_others = 0;
}

void eval_tell_held(struct eval *ev)
{
    uint64_t news = ev->samples_held - ev->held_told; /* may be less: all of it wraps */
    uint64_t before = atomic_fetch_add_explicit(&ev->common->samples, news, memory_order_relaxed);
    ev->held_told = ev->samples_held;
    ev->held_by_others = before + news - ev->samples_held;
}

/* Is what ev has not told so much that the limit could not be kept? */
static bool has_news(const struct eval *ev)
{
    enum { SHARE_OF_LIMIT = 1024 };
    uint64_t told = ev->held_told;
    uint64_t news = ev->samples_held > told ? ev->samples_held - told : told - ev->samples_held;
    return news > ev->engine->options.samples_max / SHARE_OF_LIMIT;
}

enum status eval_hold(struct eval *ev, uint64_t samples, struct error *err)
{
    ev->samples_held += samples;
    if (ev->common && has_news(ev)) eval_tell_held(ev);
    uint64_t held = ev->samples_held + ev->held_by_others;
    if (held > ev->query->stats.samples_peak) ev->query->stats.samples_peak = held;
    if (ev->query->quick && held > QUICK_HELD) return query_give_up(ev->query, err);
    if (held <= ev->engine->options.samples_max) return OK;
    return error_set(err, ERR_TOO_LARGE,
                     "query processing would load too many samples into memory in query execution");
}

void eval_drop(struct eval *ev, uint64_t samples)
{
    DEBUG_ASSERT(ev->samples_held >= samples);
    ev->samples_held -= samples;
}

enum status eval_tick(struct eval *ev, uint64_t work, struct error *err)
{
    struct query *q = ev->query;
    if (q->quick && (ev->quick_work += work) > QUICK_WORK) return query_give_up(q, err);
    ev->ticks += work;
    if (ev->ticks < TICKS_PER_LOOK) return OK;
    ev->ticks = 0;
    if (q->cancelled && atomic_load_explicit(q->cancelled, memory_order_relaxed))
        return error_set(err, ERR_CANCELLED, "query was canceled in expression evaluation");
    if (q->deadline_ns && clock_mono_ns() >= q->deadline_ns)
        return error_set(err, ERR_TIMEOUT, "query timed out in expression evaluation");
    return OK;
}

enum status eval_warn(struct eval *ev, struct str text, const struct ast *node, struct error *err)
{
    return annotation_add(&ev->notes, ANNOTATION_WARNING, text, node->position, ev->arena, err);
}

enum status eval_info(struct eval *ev, struct str text, const struct ast *node, struct error *err)
{
    return annotation_add(&ev->notes, ANNOTATION_INFO, text, node->position, ev->arena, err);
}

const struct ast *eval_unwrap(const struct ast *node)
{
    while (node->kind == AST_PAREN || node->kind == AST_STEP_INVARIANT)
        node = node->inner;
    return node;
}

struct str eval_string(const struct ast *node)
{
    node = eval_unwrap(node);
    ASSERT(node->kind == AST_STRING);
    return node->string;
}

/* One step's answer, repeated over all of them. */
struct repeat_rows {
    struct rows base;
    struct rows *child;
    struct row row;
};

static enum status repeat_next(struct rows *self, struct row **out, struct error *err)
{
    struct repeat_rows *r = (struct repeat_rows *)self;
    struct row *one;
    *out = NULL;
    r->child->bare = self->bare;
    enum status st = r->child->next(r->child, &one, err);
    if (st || !one) return st;
    r->row.labels = one->labels;
    r->row.series = one->series;
    r->row.unnamed = one->unnamed;
    r->row.drops_name = one->drops_name;
    bits_fill(r->row.present, self->steps);
    for (size_t i = 0; i < self->steps; i++)
        r->row.v[i] = one->v[0];
    *out = &r->row;
    return eval_tick(self->ev, self->steps, err);
}

static enum status repeat_open(struct eval *ev, const struct ast *node,
                               const struct eval_range *range, struct rows **out, struct error *err)
{
    struct eval_range once = *range;
    once.steps = 1;
    if (range->steps == 1) return eval_scope(ev, node->inner, range, out, err);
    struct repeat_rows *r = arena_calloc(ev->arena, 1, sizeof(*r));
    if (!r) return no_room(ev->arena, err);
    ev->tally.repeats *= range->steps;
    enum status st = eval_scope(ev, node->inner, &once, &r->child, err);
    ev->tally.repeats /= range->steps;
    if (!st) st = row_alloc(&r->row, range->steps, ev->arena, err);
    if (st) return st;
    r->base = (struct rows){.next = repeat_next,
                            .ev = ev,
                            .steps = range->steps,
                            .unnamed_unique = r->child->unnamed_unique};
    *out = &r->base;
    return OK;
}

struct negate_rows {
    struct rows base;
    struct rows *child;
    struct label_scratch scratch;
};

static enum status negate_next(struct rows *self, struct row **out, struct error *err)
{
    struct negate_rows *n = (struct negate_rows *)self;
    n->child->bare = self->bare;
    enum status st = n->child->next(n->child, out, err);
    if (st || !*out) return st;
    struct row *row = *out;
    for (size_t i = 0; i < self->steps; i++)
        if (bit_get(row->present, i)) row->v[i] = -row->v[i];
    return row_unname(self, row, &n->scratch, err);
}

static enum status negate_open(struct eval *ev, const struct ast *node,
                               const struct eval_range *range, struct rows **out, struct error *err)
{
    enum status st = eval_rows(ev, node->unary.expr, range, out, err);
    if (st || node->unary.op == OP_ADD) return st;
    struct rows *child = *out;
    struct negate_rows *n = arena_calloc(ev->arena, 1, sizeof(*n));
    if (!n) return no_room(ev->arena, err);
    n->base = *child;
    n->base.next = negate_next;
    n->child = child;
    return rows_unnamed(&n->base, MERGE_DISJOINT, out, err);
}

static enum status call_rows(struct eval *ev, const struct ast *node,
                             const struct eval_range *range, struct rows **out, struct error *err)
{
    const struct function_impl *impl = node->call.function->impl;
    ASSERT(impl);
    switch (impl->kind) {
    case FUNCTION_MAP: return func_map_open(ev, node, range, out, err);
    case FUNCTION_RANGE: return func_range_open(ev, node, range, out, err);
    case FUNCTION_ROWS: return impl->rows(ev, node, range, out, err);
    case FUNCTION_SCALAR: break;
    }
    UNREACHABLE();
}

static enum status binary_rows(struct eval *ev, const struct ast *node,
                               const struct eval_range *range, struct rows **out, struct error *err)
{
    if (node->binary.lhs->type == VALUE_SCALAR || node->binary.rhs->type == VALUE_SCALAR)
        return binop_vector_scalar(ev, node, range, out, err);
    if (ast_op_is_set(node->binary.op)) return binop_sets(ev, node, range, out, err);
    return binop_vectors(ev, node, range, out, err);
}

static enum status open_rows(struct eval *ev, const struct ast *node,
                             const struct eval_range *range, struct rows **out, struct error *err)
{
    switch (node->kind) {
    case AST_VECTOR_SELECTOR: return select_rows(ev, node, range, SELECT_VALUES, out, err);
    case AST_CALL: return call_rows(ev, node, range, out, err);
    case AST_AGGREGATE: return aggregate_open(ev, node, range, out, err);
    case AST_BINARY: return binary_rows(ev, node, range, out, err);
    case AST_UNARY: return negate_open(ev, node, range, out, err);
    case AST_PAREN: return eval_rows(ev, node->inner, range, out, err);
    case AST_STEP_INVARIANT: return repeat_open(ev, node, range, out, err);
    case AST_NUMBER:
    case AST_STRING:
    case AST_MATRIX_SELECTOR:
    case AST_SUBQUERY:
    case AST_DURATION: break; /* the type check lets none of them be a vector */
    }
    UNREACHABLE();
}

enum status eval_rows(struct eval *ev, const struct ast *node, const struct eval_range *range,
                      struct rows **out, struct error *err)
{
    struct explain_mark mark;
    if (!ev->query->explains || node->kind == AST_PAREN || node->kind == AST_STEP_INVARIANT)
        return open_rows(ev, node, range, out, err);
    enum status st = explain_begin(ev, node, &mark, err);
    if (!st) st = open_rows(ev, node, range, out, err);
    return st ? st : explain_rows(ev, &mark, *out, out, err);
}

enum status eval_scope(struct eval *ev, const struct ast *root, const struct eval_range *range,
                       struct rows **out, struct error *err)
{
    const struct ast *scope = ev->scope;
    ev->scope = root;
    enum status st = eval_rows(ev, root, range, out, err);
    ev->scope = scope;
    return st;
}

static enum status scalar_array(struct eval *ev, size_t steps, double **out, struct error *err)
{
    *out = arena_alloc_array(ev->arena, steps, sizeof(double));
    return *out ? OK : no_room(ev->arena, err);
}

static enum status binary_scalar(struct eval *ev, const struct ast *node,
                                 const struct eval_range *range, double **out, struct error *err)
{
    double *rhs = NULL;
    if (ast_op_is_trim(node->binary.op))
        return error_set(err, ERR_CONFLICT, "operator \"%s\" not allowed for Scalar operations",
                         ast_op_text(node->binary.op));
    enum status st = eval_scalar(ev, node->binary.lhs, range, out, err);
    if (!st) st = eval_scalar(ev, node->binary.rhs, range, &rhs, err);
    DEBUG_ASSERT(st || (*out && rhs));
    for (size_t i = 0; !st && i < range->steps; i++)
        (*out)[i] = binop_scalar(node->binary.op, (*out)[i], rhs[i]);
    return st;
}

static enum status call_scalar(struct eval *ev, const struct ast *node,
                               const struct eval_range *range, double **out, struct error *err)
{
    const struct function_impl *impl = node->call.function->impl;
    ASSERT(impl && impl->kind == FUNCTION_SCALAR);
    enum status st = scalar_array(ev, range->steps, out, err);
    return st ? st : impl->scalar(ev, node, range, *out, err);
}

static enum status repeat_scalar(struct eval *ev, const struct ast *node,
                                 const struct eval_range *range, double **out, struct error *err)
{
    struct eval_range once = *range;
    double *one = NULL;
    const struct ast *scope = ev->scope;
    once.steps = 1;
    ev->scope = node->inner;
    ev->tally.repeats *= range->steps;
    enum status st = eval_scalar(ev, node->inner, &once, &one, err);
    ev->tally.repeats /= range->steps;
    ev->scope = scope;
    if (!st) st = scalar_array(ev, range->steps, out, err);
    DEBUG_ASSERT(st || (*out && one));
    for (size_t i = 0; !st && i < range->steps; i++)
        (*out)[i] = one[0];
    return st;
}

enum status eval_scalar(struct eval *ev, const struct ast *node, const struct eval_range *range,
                        double **out, struct error *err)
{
    enum status st = OK;
    switch (node->kind) {
    case AST_NUMBER:
        st = scalar_array(ev, range->steps, out, err);
        DEBUG_ASSERT(st || *out);
        for (size_t i = 0; !st && i < range->steps; i++)
            (*out)[i] = node->number.value;
        return st;
    case AST_UNARY:
        st = eval_scalar(ev, node->unary.expr, range, out, err);
        DEBUG_ASSERT(st || *out);
        for (size_t i = 0; !st && node->unary.op == OP_SUB && i < range->steps; i++)
            (*out)[i] = -(*out)[i];
        return st;
    case AST_PAREN: return eval_scalar(ev, node->inner, range, out, err);
    case AST_BINARY: return binary_scalar(ev, node, range, out, err);
    case AST_CALL: return call_scalar(ev, node, range, out, err);
    case AST_STEP_INVARIANT: return repeat_scalar(ev, node, range, out, err);
    case AST_STRING:
    case AST_VECTOR_SELECTOR:
    case AST_MATRIX_SELECTOR:
    case AST_SUBQUERY:
    case AST_AGGREGATE:
    case AST_DURATION: break; /* the type check lets none of them be a scalar */
    }
    UNREACHABLE();
}
