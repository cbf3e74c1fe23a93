/*
 * parser_duration - numbers, and the arithmetic of durations: 5m, (1h / 2), -step(), min_of(a, b).
 *
 * A lone literal stays an AST_NUMBER, all else becomes AST_DURATION. Behind offset an expression
 * with operators needs parentheses, otherwise the operator would be PromQL's:
 * foo offset 5m - 1 is (foo offset 5m) - 1.
 */
#include <math.h>

#include "model/duration.h"
#include "promql/duration_expr.h"
#include "promql/literal.h"
#include "promql/parse_error.h"
#include "promql/parser_state.h"

static enum status parse_operators(struct parser *p, struct expectation expected,
                                   enum precedence weakest, struct ast **lhs);
static enum status parse_operation(struct parser *p, struct expectation expected,
                                   enum precedence weakest, struct ast **out);

enum status parse_number(struct parser *p, struct ast **out)
{
    struct token token = parser_take(p);
    struct error why = {0};
    int64_t ms = 0;
    struct ast *node;
    enum status st = parser_node(p, AST_NUMBER, token.start, &node);

    if (st) return st;
    node->number.is_duration = token.kind == TOKEN_DURATION;
    if (node->number.is_duration) {
        st = duration_parse(token.text, &ms, &why);
        node->number.value = seconds_from_ms(ms);
    } else {
        st = literal_number(token.text, p->arena, &node->number.value, &why);
    }
    *out = node;
    if (st == ERR_INVALID) return PARSER_FAIL(p, token.start, "%s", why.text);
    return st ? error_set(p->err, st, "%s", why.text) : OK;
}

static enum precedence precedence_of(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_ADD:
    case TOKEN_SUB: return PRECEDENCE_SUM;
    case TOKEN_MUL:
    case TOKEN_DIV:
    case TOKEN_MOD: return PRECEDENCE_PRODUCT;
    case TOKEN_POW: return PRECEDENCE_POWER;
    default: return PRECEDENCE_NONE;
    }
}

static enum duration_op op_of(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_SUB: return DURATION_SUB;
    case TOKEN_MUL: return DURATION_MUL;
    case TOKEN_DIV: return DURATION_DIV;
    case TOKEN_MOD: return DURATION_MOD;
    case TOKEN_POW: return DURATION_POW;
    case TOKEN_STEP: return DURATION_STEP;
    case TOKEN_RANGE: return DURATION_RANGE;
    case TOKEN_MIN_OF: return DURATION_MIN_OF;
    case TOKEN_MAX_OF: return DURATION_MAX_OF;
    default: return DURATION_ADD;
    }
}

/* Go's time.Duration holds 292 years. A NaN is found later, with the other operands. */
static enum status check_literal(struct parser *p, const struct ast *number, uint32_t position)
{
    double seconds = number->number.value;
    if (!(fabs(seconds) > 0x1p63 / 1e9)) return OK;
    return PARSER_FAIL(p, position, "duration out of range");
}

/* lhs is NULL for a sign. */
static enum status make_duration(struct parser *p, enum duration_op op, struct ast *lhs,
                                 struct ast *rhs, struct ast **out)
{
    uint32_t start = lhs ? lhs->position.start : rhs->position.start;
    struct ast *node;
    enum status st = parser_node(p, AST_DURATION, start, &node);

    if (st) return st;
    node->duration.op = op;
    node->duration.lhs = lhs;
    node->duration.rhs = rhs;
    node->position.end = rhs->position.end;
    st = parser_adopt(p, node, lhs);
    if (!st) st = parser_adopt(p, node, rhs);
    *out = node;
    return st;
}

/* Put a sign before a duration: literals swallow it, a plus vanishes. */
static enum status apply_sign(struct parser *p, struct token sign, struct ast **duration)
{
    enum status st;

    if ((*duration)->kind == AST_NUMBER) {
        if (sign.kind == TOKEN_SUB) (*duration)->number.value = -(*duration)->number.value;
        (*duration)->position.start = sign.start;
        return check_literal(p, *duration, sign.start);
    }
    if (sign.kind == TOKEN_ADD) return OK;
    st = make_duration(p, DURATION_SUB, NULL, *duration, duration);
    (*duration)->position.start = sign.start;
    return st;
}

/* ( duration ): a literal gets a node of its own to carry the parentheses. */
static enum status parse_wrapped(struct parser *p, struct expectation expected, struct ast **out)
{
    uint32_t start = parser_take(p).start;
    enum status st = parse_operation(p, expected, PRECEDENCE_NONE, out);

    if (!st) st = parser_expect(p, TOKEN_RIGHT_PAREN, expected);
    if (st) return st;
    if ((*out)->kind == AST_NUMBER) {
        st = make_duration(p, DURATION_ADD, NULL, *out, out);
        if (st) return st;
        (*out)->position = (struct ast_position){.start = start, .end = p->consumed_end};
    }
    (*out)->duration.wrapped = true;
    return OK;
}

/* step(), range(), min_of(a, b), max_of(a, b) */
static enum status parse_function(struct parser *p, struct expectation expected, struct ast **out)
{
    struct token name = parser_take(p);
    bool has_arguments = name.kind == TOKEN_MIN_OF || name.kind == TOKEN_MAX_OF;
    struct ast *node;
    enum status st = parser_node(p, AST_DURATION, name.start, &node);

    if (!st) st = parser_expect(p, TOKEN_LEFT_PAREN, expected);
    if (st) return st;
    node->duration.op = op_of(name.kind);
    if (has_arguments) {
        st = parse_operation(p, expected, PRECEDENCE_NONE, &node->duration.lhs);
        if (!st) st = parser_expect(p, TOKEN_COMMA, expected);
        if (!st) st = parse_operation(p, expected, PRECEDENCE_NONE, &node->duration.rhs);
        if (!st) st = parser_adopt(p, node, node->duration.lhs);
        if (!st) st = parser_adopt(p, node, node->duration.rhs);
    }
    if (!st) st = parser_expect(p, TOKEN_RIGHT_PAREN, expected);
    if (st) return st;
    node->position.end = p->consumed_end;
    if (has_arguments) /* as Prometheus, which takes these two for an operator's */
        node->position = (struct ast_position){.start = node->duration.lhs->position.start,
                                               .end = node->duration.rhs->position.end};
    *out = node;
    return OK;
}

static enum status parse_operand(struct parser *p, struct expectation expected, struct ast **out)
{
    struct token first = p->token;
    enum status st;

    switch (first.kind) {
    case TOKEN_NUMBER:
    case TOKEN_DURATION:
        st = parse_number(p, out);
        return st ? st : check_literal(p, *out, first.start);
    case TOKEN_STEP:
    case TOKEN_RANGE:
    case TOKEN_MIN_OF:
    case TOKEN_MAX_OF: return parse_function(p, expected, out);
    case TOKEN_LEFT_PAREN: return parse_wrapped(p, expected, out);
    case TOKEN_ADD:
    case TOKEN_SUB:
        (void)parser_take(p);
        st = parse_operation(p, expected, PRECEDENCE_POWER, out);
        return st ? st : apply_sign(p, first, out);
    default: return parser_unexpected(p, expected);
    }
}

static enum status parse_operators(struct parser *p, struct expectation expected,
                                   enum precedence weakest, struct ast **lhs)
{
    for (;;) {
        enum precedence precedence = precedence_of(p->token.kind);
        struct token op;
        struct ast *rhs;
        enum status st;
        if (precedence == PRECEDENCE_NONE || precedence < weakest) return OK;
        op = parser_take(p);
        st = parse_operation(p, expected,
                             precedence == PRECEDENCE_POWER ? precedence : precedence + 1, &rhs);
        if (!st) st = parser_look(p);
        if (st) return st;
        bool zero = rhs->kind == AST_NUMBER && rhs->number.value == 0;
        if (zero && op.kind == TOKEN_DIV) return PARSER_FAIL(p, op.start, "division by zero");
        if (zero && op.kind == TOKEN_MOD) return PARSER_FAIL(p, op.start, "modulo by zero");
        st = make_duration(p, op_of(op.kind), *lhs, rhs, lhs);
        if (st) return st;
    }
}

/* Recursion: parser_enter bounds it. */
static enum status parse_operation(struct parser *p, struct expectation expected,
                                   enum precedence weakest, struct ast **out)
{
    enum status st = parser_enter(p);

    if (st) return st;
    st = parse_operand(p, expected, out);
    if (!st) st = parse_operators(p, expected, weakest, out);
    parser_leave(p);
    return st;
}

enum status parse_duration(struct parser *p, struct expectation expected, struct ast **out)
{
    return parse_operation(p, expected, PRECEDENCE_NONE, out);
}

/* Without a sign only parentheses go on with operators; with one, only a second sign does. */
enum status parse_offset_duration(struct parser *p, struct ast **out)
{
    static const struct expectation expected = {"offset", "number, duration, step(), or range()"};
    struct token first = p->token;
    bool has_sign = first.kind == TOKEN_ADD || first.kind == TOKEN_SUB;
    bool goes_on = first.kind == TOKEN_LEFT_PAREN;
    enum status st;

    if (has_sign) {
        (void)parser_take(p);
        goes_on = p->token.kind == TOKEN_ADD || p->token.kind == TOKEN_SUB;
    }
    if (has_sign && (p->token.kind == TOKEN_NUMBER || p->token.kind == TOKEN_DURATION))
        st = parse_number(p, out); /* its range is checked with the sign */
    else
        st = parse_operand(p, expected, out);
    if (!st && has_sign) st = apply_sign(p, first, out);
    if (!st && goes_on) st = parse_operators(p, expected, PRECEDENCE_NONE, out);
    return st;
}
