/* ast_equal - comparing trees, field by field. */
#include "base/bits.h"
#include "promql/ast.h"

static bool same_number(double a, double b)
{
    return bits_from_double(a) == bits_from_double(b);
}

static bool same_texts(const struct str_array *a, const struct str_array *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; i < a->count && same; i++)
        same = str_equal(a->items[i], b->items[i]);
    return same;
}

static bool same_shift(const struct ast_time_shift *a, const struct ast_time_shift *b)
{
    return a->offset_ms == b->offset_ms && a->at == b->at &&
           (a->at == AT_NONE || a->at_ms == b->at_ms);
}

static bool same_selector(const struct ast *a, const struct ast *b)
{
    bool same = a->selector.matcher_count == b->selector.matcher_count &&
                a->selector.anchored == b->selector.anchored &&
                a->selector.smoothed == b->selector.smoothed &&
                a->selector.only_labels == b->selector.only_labels &&
                same_shift(&a->selector.shift, &b->selector.shift);
    for (size_t i = 0; i < a->selector.matcher_count && same; i++) {
        const struct matcher *x = &a->selector.matchers[i];
        const struct matcher *y = &b->selector.matchers[i];
        same = x->type == y->type && str_equal(x->name, y->name) && str_equal(x->value, y->value);
    }
    return same;
}

static bool same_subquery(const struct ast *a, const struct ast *b)
{
    return a->subquery.range_ms == b->subquery.range_ms &&
           a->subquery.step_ms == b->subquery.step_ms &&
           same_shift(&a->subquery.shift, &b->subquery.shift) &&
           ast_equal(a->subquery.expr, b->subquery.expr);
}

static bool same_call(const struct ast *a, const struct ast *b)
{
    bool same = a->call.function == b->call.function && a->call.arg_count == b->call.arg_count;
    for (size_t i = 0; i < a->call.arg_count && same; i++)
        same = ast_equal(a->call.args[i], b->call.args[i]);
    return same;
}

static bool same_aggregation(const struct ast *a, const struct ast *b)
{
    const struct ast *x = a->aggregate.param;
    const struct ast *y = b->aggregate.param;
    return a->aggregate.op == b->aggregate.op && a->aggregate.without == b->aggregate.without &&
           same_texts(&a->aggregate.grouping, &b->aggregate.grouping) &&
           (x && y ? ast_equal(x, y) : x == y) && ast_equal(a->aggregate.expr, b->aggregate.expr);
}

static bool same_matching(const struct vector_matching *a, const struct vector_matching *b)
{
    if (!a || !b) return a == b;
    return a->cardinality == b->cardinality && a->on == b->on &&
           same_texts(&a->labels, &b->labels) && same_texts(&a->include, &b->include) &&
           a->fills_left == b->fills_left && a->fills_right == b->fills_right &&
           (!a->fills_left || same_number(a->fill_left, b->fill_left)) &&
           (!a->fills_right || same_number(a->fill_right, b->fill_right));
}

static bool same_binary(const struct ast *a, const struct ast *b)
{
    return a->binary.op == b->binary.op && a->binary.return_bool == b->binary.return_bool &&
           same_matching(a->binary.matching, b->binary.matching) &&
           ast_equal(a->binary.lhs, b->binary.lhs) && ast_equal(a->binary.rhs, b->binary.rhs);
}

/* Recursion: AST_DEPTH_MAX bounds it. */
bool ast_equal(const struct ast *a, const struct ast *b)
{
    a = ast_unwrap_parens(a);
    b = ast_unwrap_parens(b);
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case AST_NUMBER: return same_number(a->number.value, b->number.value);
    case AST_STRING: return str_equal(a->string, b->string);
    case AST_VECTOR_SELECTOR: return same_selector(a, b);
    case AST_MATRIX_SELECTOR:
        return a->matrix.range_ms == b->matrix.range_ms &&
               same_selector(a->matrix.selector, b->matrix.selector);
    case AST_SUBQUERY: return same_subquery(a, b);
    case AST_CALL: return same_call(a, b);
    case AST_AGGREGATE: return same_aggregation(a, b);
    case AST_BINARY: return same_binary(a, b);
    case AST_UNARY: return a->unary.op == b->unary.op && ast_equal(a->unary.expr, b->unary.expr);
    case AST_STEP_INVARIANT: return ast_equal(a->inner, b->inner);
    case AST_PAREN:
    case AST_DURATION: break; /* neither is left */
    }
    return false;
}
