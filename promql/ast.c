/*
 * ast - words for the enums of the tree, and giving back what a tree holds outside its arena.
 */
#include "promql/ast.h"

#include "promql/parser.h"

static const char *const op_texts[] = {
    [OP_NONE] = "",         [OP_ADD] = "+",         [OP_SUB] = "-",         [OP_MUL] = "*",
    [OP_DIV] = "/",         [OP_MOD] = "%",         [OP_POW] = "^",         [OP_ATAN2] = "atan2",
    [OP_EQL] = "==",        [OP_NEQ] = "!=",        [OP_GTR] = ">",         [OP_LSS] = "<",
    [OP_GTE] = ">=",        [OP_LTE] = "<=",        [OP_AND] = "and",       [OP_OR] = "or",
    [OP_UNLESS] = "unless", [OP_TRIM_UPPER] = "</", [OP_TRIM_LOWER] = ">/",
};

static const char *const aggregation_texts[] = {
    [AGG_SUM] = "sum",           [AGG_AVG] = "avg",
    [AGG_COUNT] = "count",       [AGG_MIN] = "min",
    [AGG_MAX] = "max",           [AGG_GROUP] = "group",
    [AGG_STDDEV] = "stddev",     [AGG_STDVAR] = "stdvar",
    [AGG_TOPK] = "topk",         [AGG_BOTTOMK] = "bottomk",
    [AGG_QUANTILE] = "quantile", [AGG_COUNT_VALUES] = "count_values",
    [AGG_LIMITK] = "limitk",     [AGG_LIMIT_RATIO] = "limit_ratio",
};

const char *ast_op_text(enum ast_op op)
{
    return op_texts[op];
}

bool ast_op_is_comparison(enum ast_op op)
{
    return op >= OP_EQL && op <= OP_LTE;
}

bool ast_op_is_set(enum ast_op op)
{
    return op == OP_AND || op == OP_OR || op == OP_UNLESS;
}

bool ast_op_is_trim(enum ast_op op)
{
    return op == OP_TRIM_UPPER || op == OP_TRIM_LOWER;
}

const char *ast_aggregation_text(enum ast_aggregation op)
{
    return aggregation_texts[op];
}

bool ast_aggregation_has_param(enum ast_aggregation op)
{
    return op >= AGG_TOPK;
}

const struct ast *ast_unwrap_parens(const struct ast *node)
{
    while (node->kind == AST_PAREN)
        node = node->inner;
    return node;
}

/* Recursion: AST_DEPTH_MAX bounds it. */
void ast_release(struct ast *root)
{
    if (!root) return;
    switch (root->kind) {
    case AST_VECTOR_SELECTOR:
        for (size_t i = 0; i < root->selector.matcher_count; i++)
            matcher_release(&root->selector.matchers[i]);
        root->selector.matcher_count = 0;
        break;
    case AST_MATRIX_SELECTOR: ast_release(root->matrix.selector); break;
    case AST_SUBQUERY: ast_release(root->subquery.expr); break;
    case AST_CALL:
        for (size_t i = 0; i < root->call.arg_count; i++)
            ast_release(root->call.args[i]);
        break;
    case AST_AGGREGATE:
        ast_release(root->aggregate.param);
        ast_release(root->aggregate.expr);
        break;
    case AST_BINARY:
        ast_release(root->binary.lhs);
        ast_release(root->binary.rhs);
        break;
    case AST_UNARY: ast_release(root->unary.expr); break;
    case AST_PAREN:
    case AST_STEP_INVARIANT: ast_release(root->inner); break;
    case AST_NUMBER:
    case AST_STRING:
    case AST_DURATION: break;
    }
}
