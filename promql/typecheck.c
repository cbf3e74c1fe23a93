/*
 * typecheck - one walk, children before their parent, so that the innermost error is the one told.
 *
 * Recursion is bounded by AST_DEPTH_MAX, which the parser has checked.
 */
#include "promql/typecheck.h"

#include "promql/functions.h"
#include "promql/literal.h"
#include "promql/parse_error.h"
#include "promql/printer.h"

struct checker {
    struct str query;
    struct error *err;
};

#define CHECK_FAIL(c, position, ...) parse_error((c)->err, (c)->query, (position), __VA_ARGS__)

static enum status check(const struct checker *c, struct ast *node);

static bool is_number_or_vector(enum value_type type)
{
    return type == VALUE_SCALAR || type == VALUE_VECTOR;
}

static enum status expect_type(const struct checker *c, struct ast *node, enum value_type wanted,
                               const char *context)
{
    enum status st = check(c, node);
    if (st || node->type == wanted) return st;
    return CHECK_FAIL(c, node->position.start, "expected type %s in %s, got %s",
                      value_type_words(wanted), context, value_type_words(node->type));
}

static enum status check_aggregate(const struct checker *c, struct ast *node)
{
    enum value_type param = node->aggregate.op == AGG_COUNT_VALUES ? VALUE_STRING : VALUE_SCALAR;
    enum status st = expect_type(c, node->aggregate.expr, VALUE_VECTOR, "aggregation expression");

    node->type = VALUE_VECTOR;
    if (st || !node->aggregate.param) return st;
    return expect_type(c, node->aggregate.param, param, "aggregation parameter");
}

/* Where the operator of a binary expression starts: behind its left side and the spaces there. */
static size_t operator_position(const struct checker *c, const struct ast *node)
{
    size_t at = node->binary.lhs->position.end;
    while (at < c->query.size && strchr(" \t\r\n", c->query.data[at]) && c->query.data[at])
        at++;
    return at;
}

static enum status check_labels_apart(const struct checker *c, const struct ast *node)
{
    const struct vector_matching *matching = node->binary.matching;

    if (!matching->on) return OK;
    char quoted[QUOTED_TEXT_BYTES];
    for (size_t i = 0; i < matching->written.count; i++) {
        struct str label = matching->written.items[i];
        for (size_t k = 0; k < matching->include.count; k++)
            if (str_equal(label, matching->include.items[k]))
                return CHECK_FAIL(c, operator_position(c, node),
                                  "label %s must not occur in ON and GROUP clause at once",
                                  quote_text(label, quoted));
    }
    return OK;
}

/* The modifiers of an operator with a scalar on a side. */
static enum status check_scalar_matching(const struct checker *c, struct ast *node)
{
    const struct vector_matching *matching = node->binary.matching;
    size_t position = node->position.start;

    if (matching->labels.count > 0)
        return CHECK_FAIL(c, position, "vector matching only allowed between instant vectors");
    if (matching->fills_left || matching->fills_right)
        return CHECK_FAIL(c, position,
                          "filling in missing series only allowed between instant vectors");
    node->binary.matching = NULL;
    if (ast_op_is_set(node->binary.op))
        return CHECK_FAIL(c, position,
                          "set operator \"%s\" not allowed in binary scalar expression",
                          ast_op_text(node->binary.op));
    return OK;
}

static enum status check_set_matching(const struct checker *c, struct ast *node)
{
    struct vector_matching *matching = node->binary.matching;
    size_t position = node->position.start;

    if (matching->cardinality != CARD_ONE_TO_ONE)
        return CHECK_FAIL(c, position, "no grouping allowed for \"%s\" operation",
                          ast_op_text(node->binary.op));
    if (matching->fills_left || matching->fills_right)
        return CHECK_FAIL(c, position, "filling in missing series not allowed for set operators");
    matching->cardinality = CARD_MANY_TO_MANY;
    return OK;
}

static enum status check_binary(const struct checker *c, struct ast *node)
{
    static const char wrong_side[] =
        "binary expression must contain only scalar and instant vector types";
    struct ast *lhs = node->binary.lhs;
    struct ast *rhs = node->binary.rhs;
    bool comparison = ast_op_is_comparison(node->binary.op);
    enum status st = check(c, lhs);

    if (!st) st = check(c, rhs);
    if (st) return st;
    bool scalars = lhs->type == VALUE_SCALAR && rhs->type == VALUE_SCALAR;
    node->type = scalars ? VALUE_SCALAR : VALUE_VECTOR;
    if (node->binary.return_bool && !comparison)
        return CHECK_FAIL(c, operator_position(c, node),
                          "bool modifier can only be used on comparison operators");
    if (comparison && scalars && !node->binary.return_bool)
        return CHECK_FAIL(c, operator_position(c, node),
                          "comparisons between scalars must use BOOL modifier");
    st = check_labels_apart(c, node);
    if (st) return st;
    if (!is_number_or_vector(lhs->type)) return CHECK_FAIL(c, lhs->position.start, wrong_side);
    if (!is_number_or_vector(rhs->type)) return CHECK_FAIL(c, rhs->position.start, wrong_side);
    if (lhs->type != VALUE_VECTOR || rhs->type != VALUE_VECTOR)
        return check_scalar_matching(c, node);
    return ast_op_is_set(node->binary.op) ? check_set_matching(c, node) : OK;
}

static enum status check_argument_count(const struct checker *c, const struct ast *node)
{
    const struct function *function = node->call.function;
    int listed = function->arg_count;
    int given = (int)node->call.arg_count;
    int most = listed - 1 + function->variadic;
    size_t position = node->position.start;

    if (function->variadic == 0) {
        if (given == listed) return OK;
        return CHECK_FAIL(c, position, "expected %d argument(s) in call to \"%s\", got %d", listed,
                          function->name, given);
    }
    if (given < listed - 1)
        return CHECK_FAIL(c, position, "expected at least %d argument(s) in call to \"%s\", got %d",
                          listed - 1, function->name, given);
    if (function->variadic > 0 && given > most)
        return CHECK_FAIL(c, position, "expected at most %d argument(s) in call to \"%s\", got %d",
                          most, function->name, given);
    return OK;
}

/* The second argument of info(): matchers for labels, no metric. */
static enum status check_label_selector(const struct checker *c, const struct ast *call,
                                        struct ast *arg)
{
    if (arg->kind == AST_VECTOR_SELECTOR) {
        arg->selector.only_labels = true;
        if (!arg->selector.name.size) return OK;
        return CHECK_FAIL(c, arg->position.start,
                          "expected label selectors only, got vector selector instead");
    }
    enum status st = check(c, arg);
    if (st) return st;
    if (arg->type != VALUE_VECTOR)
        return CHECK_FAIL(c, call->position.start,
                          "expected type instant vector in call to function \"info\", got %s",
                          value_type_words(arg->type));
    return CHECK_FAIL(c, arg->position.start, "expected label selectors only");
}

static enum status check_call(const struct checker *c, struct ast *node)
{
    const struct function *function = node->call.function;
    enum status st = check_argument_count(c, node);

    node->type = function->returns;
    if (!st && node->call.arg_count > 1 && strcmp(function->name, "info") == 0)
        st = check_label_selector(c, node, node->call.args[1]);
    for (size_t i = 0; i < node->call.arg_count && !st; i++) {
        struct ast *arg = node->call.args[i];
        size_t listed = i < function->arg_count ? i : (size_t)function->arg_count - 1;
        enum value_type wanted = function->args[listed];
        st = check(c, arg);
        if (!st && arg->type != wanted)
            st = CHECK_FAIL(c, arg->position.start,
                            "expected type %s in call to function \"%s\", got %s",
                            value_type_words(wanted), function->name, value_type_words(arg->type));
    }
    return st;
}

static enum status check_selector(const struct checker *c, struct ast *node)
{
    const struct matcher *matchers = node->selector.matchers;
    size_t count = node->selector.matcher_count;
    char quoted[QUOTED_TEXT_BYTES];

    node->type = VALUE_VECTOR;
    if (node->selector.name.size > 0) { /* the last matcher is that name */
        for (size_t i = 0; i + 1 < count; i++)
            if (str_equal(matchers[i].name, LABEL_METRIC_NAME))
                return CHECK_FAIL(
                    c, node->position.start, "metric name must not be set twice: \"%.*s\" or %s",
                    STR_ARG(node->selector.name), quote_text(matchers[i].value, quoted));
        return OK;
    }
    for (size_t i = 0; i < count; i++)
        if (!matcher_matches_empty(&matchers[i])) return OK;
    if (node->selector.only_labels) return OK;
    return CHECK_FAIL(c, node->position.start,
                      "vector selector must contain at least one non-empty matcher");
}

static enum status check_unary(const struct checker *c, struct ast *node)
{
    enum status st = check(c, node->unary.expr);

    node->type = node->unary.expr->type;
    if (st || is_number_or_vector(node->type)) return st;
    return CHECK_FAIL(c, node->position.start,
                      "unary expression only allowed on expressions of type scalar or instant "
                      "vector, got \"%s\"",
                      value_type_words(node->type));
}

static enum status check_subquery(const struct checker *c, struct ast *node)
{
    enum status st = check(c, node->subquery.expr);

    node->type = VALUE_MATRIX;
    if (st || node->subquery.expr->type == VALUE_VECTOR) return st;
    return CHECK_FAIL(c, node->position.start,
                      "subquery is only allowed on instant vector, got %s instead",
                      value_type_name(node->subquery.expr->type));
}

static enum status check(const struct checker *c, struct ast *node)
{
    enum status st = OK;

    switch (node->kind) {
    case AST_NUMBER:
    case AST_DURATION: node->type = VALUE_SCALAR; return OK;
    case AST_STRING: node->type = VALUE_STRING; return OK;
    case AST_VECTOR_SELECTOR: return check_selector(c, node);
    case AST_MATRIX_SELECTOR: node->type = VALUE_MATRIX; return check(c, node->matrix.selector);
    case AST_SUBQUERY: return check_subquery(c, node);
    case AST_CALL: return check_call(c, node);
    case AST_AGGREGATE: return check_aggregate(c, node);
    case AST_BINARY: return check_binary(c, node);
    case AST_UNARY: return check_unary(c, node);
    case AST_PAREN:
    case AST_STEP_INVARIANT:
        st = check(c, node->inner);
        node->type = node->inner->type;
        return st;
    }
    return st;
}

enum status typecheck(struct str query, struct ast *root, struct error *err)
{
    struct checker c = {.query = query, .err = err};
    return check(&c, root);
}
