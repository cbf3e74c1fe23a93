/*
 * parser_time - everything about time that follows an expression: [5m], [1h:1m], offset, @,
 * anchored and smoothed. The durations in there are parser_duration's.
 */
#include <math.h>

#include "promql/parse_error.h"
#include "promql/parser_state.h"

static const char where_allowed[] =
    "modifier must be preceded by an instant vector selector or range vector selector or a "
    "subquery";

static const double int64_bound = 9223372036854775808.0; /* the first one too large */

/* The node whose offset and @ an expression has; NULL when it can have none. */
static struct ast *find_shifted(struct ast *expr)
{
    switch (expr->kind) {
    case AST_VECTOR_SELECTOR:
    case AST_SUBQUERY: return expr;
    case AST_MATRIX_SELECTOR: return expr->matrix.selector;
    default: return NULL;
    }
}

static struct ast_time_shift *shift_of(struct ast *shifted)
{
    return shifted->kind == AST_SUBQUERY ? &shifted->subquery.shift : &shifted->selector.shift;
}

static bool has_offset(const struct ast_time_shift *shift)
{
    return shift->offset_ms != 0 || shift->offset_expr;
}

/* A literal as Prometheus counts it: to nanoseconds first, then down to milliseconds. A NaN is the
 * least number there. */
static int64_t ms_from_seconds(double seconds)
{
    double ns = round(seconds * 1e9);
    if (ns >= int64_bound) return INT64_MAX / 1000000;
    if (!(ns >= -int64_bound)) return INT64_MIN / 1000000;
    return (int64_t)ns / 1000000;
}

/* ---- Brackets ---- */

static enum status parse_positive_duration(struct parser *p, struct expectation expected,
                                           int64_t *out_ms, struct ast **out_expr)
{
    struct ast *duration;
    enum status st = parse_duration(p, expected, &duration);

    if (!st) st = parser_look(p);
    if (st) return st;
    if (duration->kind != AST_NUMBER) {
        *out_expr = duration;
        return OK;
    }
    if (!(duration->number.value > 0))
        return PARSER_FAIL(p, duration->position.start, "duration must be greater than 0");
    *out_ms = ms_from_seconds(duration->number.value);
    return OK;
}

/* Is [range] allowed behind this? */
static enum status check_ranged(struct parser *p, const struct ast *expr, uint32_t bracket)
{
    if (expr->kind != AST_VECTOR_SELECTOR)
        return PARSER_FAIL(p, bracket, "ranges only allowed for vector selectors");
    if (has_offset(&expr->selector.shift))
        return PARSER_FAIL(p, bracket, "no offset modifiers allowed before range");
    if (expr->selector.shift.at != AT_NONE)
        return PARSER_FAIL(p, bracket, "no @ modifiers allowed before range");
    return OK;
}

static enum status parse_step(struct parser *p, struct ast *subquery)
{
    static const struct expectation at_step = {"subquery selector",
                                               "number, duration, step(), range(), or \"]\""};
    static const struct expectation at_end = {"subquery selector", "\"]\""};
    enum status st;

    if (parser_accept(p, TOKEN_RIGHT_BRACKET)) return OK;
    st = parse_positive_duration(p, at_step, &subquery->subquery.step_ms,
                                 &subquery->subquery.step_expr);
    return st ? st : parser_expect(p, TOKEN_RIGHT_BRACKET, at_end);
}

static enum status parse_subquery(struct parser *p, struct ast *node, struct ast *expr)
{
    enum status st;

    node->kind = AST_SUBQUERY;
    node->subquery.expr = expr;
    st = parse_step(p, node);
    if (!st) st = parser_adopt(p, node, expr);
    if (!st) st = parser_adopt(p, node, node->subquery.range_expr);
    return st ? st : parser_adopt(p, node, node->subquery.step_expr);
}

enum status parse_brackets(struct parser *p, struct ast **expr)
{
    static const struct expectation at_range = {"subquery or range selector",
                                                "number, duration, step(), or range()"};
    static const struct expectation behind_range = {"subquery or range", "\":\" or \"]\""};
    uint32_t bracket = parser_take(p).start;
    struct ast *range_expr = NULL;
    int64_t range_ms = 0;
    struct ast *node;
    enum status st = parse_positive_duration(p, at_range, &range_ms, &range_expr);

    if (!st) st = parser_node(p, AST_MATRIX_SELECTOR, (*expr)->position.start, &node);
    if (st) return st;
    if (parser_accept(p, TOKEN_COLON)) {
        node->subquery.range_ms = range_ms;
        node->subquery.range_expr = range_expr;
        st = parse_subquery(p, node, *expr);
    } else {
        node->matrix.selector = *expr;
        node->matrix.range_ms = range_ms;
        node->matrix.range_expr = range_expr;
        st = parser_expect(p, TOKEN_RIGHT_BRACKET, behind_range);
        if (!st) st = check_ranged(p, *expr, bracket);
        if (!st) st = parser_adopt(p, node, *expr);
        if (!st) st = parser_adopt(p, node, range_expr);
    }
    if (st) return st;
    node->position.end = p->consumed_end;
    *expr = node;
    return OK;
}

/* ---- offset ---- */

enum status parse_offset(struct parser *p, struct ast *expr)
{
    struct ast *shifted = find_shifted(expr);
    struct ast *duration;
    struct ast_time_shift *shift;
    enum status st;

    (void)parser_take(p);
    st = parse_offset_duration(p, &duration);
    if (st) return st;
    if (!shifted) return PARSER_FAIL(p, expr->position.start, "offset %s", where_allowed);
    shift = shift_of(shifted);
    if (has_offset(shift))
        return PARSER_FAIL(p, expr->position.start, "offset may not be set multiple times");
    expr->position.end = p->consumed_end;
    if (duration->kind == AST_NUMBER) {
        shift->offset_ms = ms_from_seconds(duration->number.value);
        return OK;
    }
    shift->offset_expr = duration;
    st = parser_adopt(p, shifted, duration);
    if (!st && expr != shifted) st = parser_adopt(p, expr, shifted);
    return st;
}

/* ---- @ ---- */

static enum status parse_timestamp(struct parser *p, const struct ast *expr, int64_t *out_ms)
{
    const char *special;
    struct ast *number;
    double seconds;
    bool negative = p->token.kind == TOKEN_SUB;
    enum status st;

    if (negative || p->token.kind == TOKEN_ADD) (void)parser_take(p);
    if (p->token.kind != TOKEN_NUMBER && p->token.kind != TOKEN_DURATION)
        return parser_unexpected(p, (struct expectation){"@", "timestamp"});
    st = parse_number(p, &number);
    if (st) return st;
    seconds = negative ? -number->number.value : number->number.value;
    if (fabs(seconds) < int64_bound) {
        double ms = round(seconds * 1000);
        *out_ms = ms >= int64_bound ? INT64_MAX : ms < -int64_bound ? INT64_MIN : (int64_t)ms;
        return OK;
    }
    special = isnan(seconds) ? "NaN" : !isinf(seconds) ? NULL : seconds > 0 ? "+Inf" : "-Inf";
    if (special)
        return PARSER_FAIL(p, expr->position.start, "timestamp out of bounds for @ modifier: %s",
                           special);
    return PARSER_FAIL(p, expr->position.start, "timestamp out of bounds for @ modifier: %f",
                       seconds);
}

static enum status parse_at_function(struct parser *p, enum at_kind *out)
{
    static const struct expectation expected = {"@", "timestamp"};
    enum status st;

    *out = parser_take(p).kind == TOKEN_START ? AT_START : AT_END;
    st = parser_expect(p, TOKEN_LEFT_PAREN, expected);
    return st ? st : parser_expect(p, TOKEN_RIGHT_PAREN, expected);
}

enum status parse_at(struct parser *p, struct ast *expr)
{
    struct ast *shifted = find_shifted(expr);
    enum at_kind kind = AT_TIMESTAMP;
    struct ast_time_shift *shift;
    int64_t at_ms = 0;
    enum status st;

    (void)parser_take(p);
    if (p->token.kind == TOKEN_START || p->token.kind == TOKEN_END)
        st = parse_at_function(p, &kind);
    else
        st = parse_timestamp(p, expr, &at_ms);
    if (st) return st;
    if (!shifted) return PARSER_FAIL(p, expr->position.start, "@ %s", where_allowed);
    shift = shift_of(shifted);
    if (shift->at != AT_NONE)
        return PARSER_FAIL(p, expr->position.start, "@ <timestamp> may not be set multiple times");
    shift->at = kind;
    shift->at_ms = at_ms;
    expr->position.end = p->consumed_end;
    return OK;
}

/* ---- anchored and smoothed ---- */

enum status parse_range_modifier(struct parser *p, struct ast *expr)
{
    struct token word = parser_take(p);
    const char *name = word.kind == TOKEN_ANCHORED ? "anchored" : "smoothed";
    struct ast *selector = find_shifted(expr);
    uint32_t start = expr->position.start;

    if (!p->options.extended_range_selectors)
        return PARSER_FAIL(p, start, "%s modifier is experimental and not enabled", name);
    if (!selector) return PARSER_FAIL(p, start, "%s modifier not implemented", name);
    if (selector->kind == AST_SUBQUERY)
        return PARSER_FAIL(p, start, "%s modifier is not supported for subqueries", name);
    if (word.kind == TOKEN_ANCHORED)
        selector->selector.anchored = true;
    else
        selector->selector.smoothed = true;
    if (selector->selector.anchored && selector->selector.smoothed)
        return PARSER_FAIL(p, start, "anchored and smoothed modifiers cannot be used together");
    return OK;
}
