/*
 * duration_expr - arithmetic in seconds, as doubles; the result is cut to milliseconds.
 *
 * Recursion is bounded by AST_DEPTH_MAX.
 */
#include "promql/duration_expr.h"

#include <math.h>

#define DURATION_FAIL(err, node, words)                                                            \
    error_set((err), ERR_INVALID, "%u:%u: %s", (node)->position.start, (node)->position.end, words)

static enum status apply(const struct ast *node, double lhs, double rhs, double *out,
                         struct error *err)
{
    switch (node->duration.op) {
    case DURATION_ADD: *out = lhs + rhs; return OK;
    case DURATION_SUB: *out = lhs - rhs; return OK;
    case DURATION_MUL: *out = lhs * rhs; return OK;
    case DURATION_DIV:
        if (rhs == 0) return DURATION_FAIL(err, node, "division by zero");
        *out = lhs / rhs;
        return OK;
    case DURATION_MOD:
        if (rhs == 0) return DURATION_FAIL(err, node, "modulo by zero");
        *out = fmod(lhs, rhs);
        return OK;
    case DURATION_POW: *out = pow(lhs, rhs); return OK;
    /* A NaN wins in Go's Min and Max, unlike in C's. */
    case DURATION_MIN_OF: *out = isnan(lhs) || lhs < rhs ? lhs : rhs; return OK;
    case DURATION_MAX_OF: *out = isnan(lhs) || lhs > rhs ? lhs : rhs; return OK;
    case DURATION_STEP:
    case DURATION_RANGE: break; /* have no operands */
    }
    *out = 0;
    return OK;
}

enum status duration_evaluate(const struct ast *expr, struct duration_context context,
                              double *out_s, struct error *err)
{
    double lhs = 0; /* so that a sign is an operation on 0 */
    double rhs = 0;
    enum status st = OK;

    if (expr->kind == AST_NUMBER) {
        *out_s = expr->number.value;
        return OK;
    }
    if (expr->duration.op == DURATION_STEP || expr->duration.op == DURATION_RANGE) {
        bool step = expr->duration.op == DURATION_STEP;
        *out_s = seconds_from_ms(step ? context.step_ms : context.range_ms);
        return OK;
    }
    if (expr->duration.lhs) st = duration_evaluate(expr->duration.lhs, context, &lhs, err);
    if (!st) st = duration_evaluate(expr->duration.rhs, context, &rhs, err);
    return st ? st : apply(expr, lhs, rhs, out_s, err);
}

static enum status resolve(const struct ast *expr, struct duration_context context,
                           bool may_be_negative, int64_t *out_ms, struct error *err)
{
    double seconds = 0;
    enum status st;

    if (!expr) return OK;
    st = duration_evaluate(expr, context, &seconds, err);
    if (st) return st;
    if (!isfinite(seconds)) return DURATION_FAIL(err, expr, "duration is NaN or infinite");
    if (seconds <= 0 && !may_be_negative)
        return DURATION_FAIL(err, expr, "duration must be greater than 0");
    if (fabs(seconds) > 0x1p63 / 1e9) return DURATION_FAIL(err, expr, "duration is out of range");
    *out_ms = (int64_t)(seconds * 1000);
    return OK;
}

static enum status resolve_subquery(struct ast *node, struct duration_context context,
                                    struct error *err)
{
    struct ast_time_shift *shift = &node->subquery.shift;
    enum status st = resolve(shift->offset_expr, context, true, &shift->offset_ms, err);

    if (!st) st = resolve(node->subquery.step_expr, context, false, &node->subquery.step_ms, err);
    if (!st) st = resolve(node->subquery.range_expr, context, false, &node->subquery.range_ms, err);
    return st ? st : ast_resolve_durations(node->subquery.expr, context, err);
}

enum status ast_resolve_durations(struct ast *root, struct duration_context context,
                                  struct error *err)
{
    struct ast_time_shift *shift;
    enum status st = OK;

    switch (root->kind) {
    case AST_NUMBER:
    case AST_STRING:
    case AST_DURATION: return OK;
    case AST_VECTOR_SELECTOR:
        shift = &root->selector.shift;
        return resolve(shift->offset_expr, context, true, &shift->offset_ms, err);
    case AST_MATRIX_SELECTOR:
        st = resolve(root->matrix.range_expr, context, false, &root->matrix.range_ms, err);
        return st ? st : ast_resolve_durations(root->matrix.selector, context, err);
    case AST_SUBQUERY: return resolve_subquery(root, context, err);
    case AST_CALL:
        for (size_t i = 0; i < root->call.arg_count && !st; i++)
            st = ast_resolve_durations(root->call.args[i], context, err);
        return st;
    case AST_AGGREGATE:
        if (root->aggregate.param) st = ast_resolve_durations(root->aggregate.param, context, err);
        return st ? st : ast_resolve_durations(root->aggregate.expr, context, err);
    case AST_BINARY:
        st = ast_resolve_durations(root->binary.lhs, context, err);
        return st ? st : ast_resolve_durations(root->binary.rhs, context, err);
    case AST_UNARY: return ast_resolve_durations(root->unary.expr, context, err);
    case AST_PAREN:
    case AST_STEP_INVARIANT: return ast_resolve_durations(root->inner, context, err);
    }
    return st;
}
