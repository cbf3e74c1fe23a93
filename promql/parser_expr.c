/*
 * parser_expr - operators by precedence climbing (Pratt), and the things between them.
 *
 * Operators that group to the left are folded in a loop: a long chain costs no recursion here, only
 * depth of the tree.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "promql/literal.h"
#include "promql/parse_error.h"
#include "promql/parser_state.h"

static enum precedence precedence_of(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_OR: return PRECEDENCE_OR;
    case TOKEN_AND:
    case TOKEN_UNLESS: return PRECEDENCE_AND;
    case TOKEN_EQL:
    case TOKEN_NEQ:
    case TOKEN_GTR:
    case TOKEN_LSS:
    case TOKEN_GTE:
    case TOKEN_LTE:
    case TOKEN_TRIM_UPPER:
    case TOKEN_TRIM_LOWER: return PRECEDENCE_COMPARISON;
    case TOKEN_ADD:
    case TOKEN_SUB: return PRECEDENCE_SUM;
    case TOKEN_MUL:
    case TOKEN_DIV:
    case TOKEN_MOD:
    case TOKEN_ATAN2: return PRECEDENCE_PRODUCT;
    case TOKEN_POW: return PRECEDENCE_POWER;
    default: return PRECEDENCE_NONE;
    }
}

static enum ast_op op_of(enum token_kind kind)
{
    return (enum ast_op)(OP_ADD + (kind - TOKEN_ADD));
}

static int compare_names(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

/* labels = written, sorted, each once. */
static enum status sort_labels(struct parser *p, struct vector_matching *matching)
{
    size_t count = matching->written.count;
    size_t kept = 0;
    struct str *names = arena_alloc_array(p->arena, count, sizeof(*names));

    if (!names) return arena_error(p->arena, p->err);
    if (count > 0) {
        memcpy(names, matching->written.items, count * sizeof(*names));
        qsort(names, count, sizeof(*names), compare_names);
    }
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !str_equal(names[kept - 1], names[i])) names[kept++] = names[i];
    matching->labels = (struct str_array){.items = names, .count = kept};
    return OK;
}

static enum status parse_group(struct parser *p, struct vector_matching *matching)
{
    if (parser_accept(p, TOKEN_GROUP_LEFT))
        matching->cardinality = CARD_MANY_TO_ONE;
    else if (parser_accept(p, TOKEN_GROUP_RIGHT))
        matching->cardinality = CARD_ONE_TO_MANY;
    else
        return OK;
    if (p->token.kind != TOKEN_LEFT_PAREN && token_starts_expression(p->token.kind)) return OK;
    return parse_label_names(p, &matching->include);
}

/* The number of fill(-1), in its parentheses. */
static enum status parse_fill_value(struct parser *p, double *out)
{
    const struct expectation nothing = {0};
    struct ast *number;
    bool negative;
    enum status st = parser_expect(p, TOKEN_LEFT_PAREN, nothing);

    if (st) return st;
    negative = p->token.kind == TOKEN_SUB;
    if (negative || p->token.kind == TOKEN_ADD) (void)parser_take(p);
    if (p->token.kind != TOKEN_NUMBER && p->token.kind != TOKEN_DURATION)
        return parser_unexpected(p, nothing);
    st = parse_number(p, &number);
    if (st) return st;
    *out = negative ? -number->number.value : number->number.value;
    return parser_expect(p, TOKEN_RIGHT_PAREN, nothing);
}

/* fill(v), or fill_left(v) and fill_right(v) in either order. */
static enum status parse_fills(struct parser *p, struct vector_matching *matching)
{
    enum status st = OK;

    if (parser_accept(p, TOKEN_FILL)) {
        st = parse_fill_value(p, &matching->fill_left);
        matching->fill_right = matching->fill_left;
        matching->fills_left = matching->fills_right = true;
        return st;
    }
    while (!st) {
        if (!matching->fills_left && parser_accept(p, TOKEN_FILL_LEFT)) {
            matching->fills_left = true;
            st = parse_fill_value(p, &matching->fill_left);
        } else if (!matching->fills_right && parser_accept(p, TOKEN_FILL_RIGHT)) {
            matching->fills_right = true;
            st = parse_fill_value(p, &matching->fill_right);
        } else {
            break;
        }
    }
    return st;
}

/* bool, on or ignoring, group_left or group_right, fill: between an operator and its right side. */
static enum status parse_modifiers(struct parser *p, struct ast *binary)
{
    struct vector_matching *matching = arena_calloc(p->arena, 1, sizeof(*matching));
    enum status st = OK;

    if (!matching) return arena_error(p->arena, p->err);
    binary->binary.matching = matching;
    binary->binary.return_bool = parser_accept(p, TOKEN_BOOL);
    if (p->token.kind == TOKEN_ON || p->token.kind == TOKEN_IGNORING) {
        matching->on = parser_take(p).kind == TOKEN_ON;
        st = parse_label_names(p, &matching->written);
        if (!st) st = sort_labels(p, matching);
        if (!st) st = parse_group(p, matching);
    }
    return st ? st : parse_fills(p, matching);
}

/* One operator with what follows it: *lhs becomes the left side of a new node. */
static enum status parse_operation(struct parser *p, struct ast **lhs)
{
    struct token op = parser_take(p);
    enum precedence precedence = precedence_of(op.kind);
    struct ast *node;
    enum status st;

    st = parser_node(p, AST_BINARY, (*lhs)->position.start, &node);
    if (st) return st;
    node->binary.op = op_of(op.kind);
    node->binary.lhs = *lhs;
    st = parse_modifiers(p, node);
    if (st) return st;
    /* What binds as strongly belongs to us, except to the right of ^. */
    st = parse_binary(p, precedence == PRECEDENCE_POWER ? precedence : precedence + 1,
                      &node->binary.rhs);
    if (!st) st = parser_look(p);
    if (st) return st;
    node->position.end = node->binary.rhs->position.end;
    if ((node->binary.matching->fills_left || node->binary.matching->fills_right) &&
        !p->options.fill_modifiers)
        return PARSER_FAIL(p, node->position.start,
                           "binop fill modifiers are experimental and not enabled");
    st = parser_adopt(p, node, node->binary.lhs);
    if (!st) st = parser_adopt(p, node, node->binary.rhs);
    *lhs = node;
    return st;
}

static enum status parse_paren(struct parser *p, struct ast **out)
{
    struct token open = parser_take(p);
    enum status st = parser_node(p, AST_PAREN, open.start, out);

    if (!st) st = parse_binary(p, PRECEDENCE_NONE, &(*out)->inner);
    if (!st) st = parser_expect(p, TOKEN_RIGHT_PAREN, (struct expectation){0});
    if (st) return st;
    (*out)->position.end = p->consumed_end;
    return parser_adopt(p, *out, (*out)->inner);
}

static enum status parse_string(struct parser *p, struct ast **out)
{
    struct token token = parser_take(p);
    enum status st = parser_node(p, AST_STRING, token.start, out);
    return st ? st : literal_string(token.text, p->arena, &(*out)->string, p->err);
}

/* A word: a call, an aggregation, or a metric. */
static enum status parse_word(struct parser *p, struct ast **out)
{
    struct token word = parser_take(p);
    enum token_kind next = p->token.kind;
    bool callable = word.kind == TOKEN_IDENTIFIER || word.kind >= TOKEN_START;

    if (next == TOKEN_LEFT_PAREN && callable) return parse_call(p, word, out);
    if (token_is_aggregation(word.kind) &&
        (next == TOKEN_LEFT_PAREN || next == TOKEN_BY || next == TOKEN_WITHOUT))
        return parse_aggregate(p, word, out);
    return parse_vector_selector(p, word, out);
}

static enum status parse_primary(struct parser *p, struct ast **out)
{
    switch (p->token.kind) {
    case TOKEN_NUMBER:
    case TOKEN_DURATION: return parse_number(p, out);
    case TOKEN_STRING: return parse_string(p, out);
    case TOKEN_LEFT_PAREN: return parse_paren(p, out);
    case TOKEN_LEFT_BRACE: {
        struct token no_name = {.start = p->token.start, .text = STR("")};
        return parse_vector_selector(p, no_name, out);
    }
    default:
        if (token_is_metric_name(p->token.kind)) return parse_word(p, out);
        return parser_unexpected(p, (struct expectation){0});
    }
}

/* Ranges, offset, @, anchored and smoothed bind more strongly than any operator. */
static enum status parse_postfixes(struct parser *p, struct ast **expr)
{
    enum status st = OK;

    while (!st) {
        switch (p->token.kind) {
        case TOKEN_LEFT_BRACKET: st = parse_brackets(p, expr); break;
        case TOKEN_OFFSET: st = parse_offset(p, *expr); break;
        case TOKEN_AT: st = parse_at(p, *expr); break;
        case TOKEN_ANCHORED:
        case TOKEN_SMOOTHED: st = parse_range_modifier(p, *expr); break;
        default: return OK;
        }
    }
    return st;
}

static enum status parse_unary(struct parser *p, struct ast **out)
{
    struct token sign = parser_take(p);
    struct ast *operand;
    enum status st = parse_binary(p, PRECEDENCE_POWER, &operand);

    if (st) return st;
    if (operand->kind == AST_NUMBER) { /* -5 is a number, not an operation */
        if (sign.kind == TOKEN_SUB) operand->number.value = -operand->number.value;
        operand->position.start = sign.start;
        *out = operand;
        return OK;
    }
    st = parser_node(p, AST_UNARY, sign.start, out);
    if (st) return st;
    (*out)->unary.op = op_of(sign.kind);
    (*out)->unary.expr = operand;
    (*out)->position.end = operand->position.end;
    return parser_adopt(p, *out, operand);
}

/* An expression of operators that bind at least as strongly as weakest. Recursion: parser_enter
 * bounds it. */
enum status parse_binary(struct parser *p, enum precedence weakest, struct ast **out)
{
    struct ast *expr = NULL;
    enum status st = parser_enter(p);

    if (st) return st;
    if (p->token.kind == TOKEN_ADD || p->token.kind == TOKEN_SUB) {
        st = parse_unary(p, &expr);
    } else {
        st = parse_primary(p, &expr);
        if (!st) st = parse_postfixes(p, &expr);
    }
    ASSERT(st || expr);
    while (!st) {
        enum precedence precedence = precedence_of(p->token.kind);
        if (precedence == PRECEDENCE_NONE || precedence < weakest) break;
        st = parse_operation(p, &expr);
    }
    parser_leave(p);
    ASSERT(st || expr);
    *out = expr;
    return st;
}
