/*
 * parser_call - functions and aggregations: a name, arguments in parentheses, and for aggregations
 * by or without, before or behind them.
 */
#include "promql/functions.h"
#include "promql/parse_error.h"
#include "promql/parser_state.h"

struct ast_list VEC_OF(struct ast *);

/* (a, b, c) */
static enum status parse_arguments(struct parser *p, struct ast_list *args)
{
    enum status st = parser_expect(p, TOKEN_LEFT_PAREN, (struct expectation){0});

    if (st || parser_accept(p, TOKEN_RIGHT_PAREN)) return st;
    for (;;) {
        struct ast **slot = VEC_PUSH(args, p->arena);
        if (!slot) return arena_error(p->arena, p->err);
        st = parse_binary(p, PRECEDENCE_NONE, slot);
        if (st) return st;
        if (p->token.kind != TOKEN_COMMA) break;
        struct token comma = parser_take(p);
        st = parser_look(p);
        if (st) return st;
        if (!token_starts_expression(p->token.kind))
            return PARSER_FAIL(p, comma.start, "trailing commas not allowed in function call args");
    }
    return parser_expect(p, TOKEN_RIGHT_PAREN, (struct expectation){0});
}

enum status parse_call(struct parser *p, struct token name, struct ast **out)
{
    struct ast_list args = {0};
    const struct function *function;
    struct ast *node;
    enum status st = parser_node(p, AST_CALL, name.start, &node);

    if (!st) st = parse_arguments(p, &args);
    if (st) return st;
    function = function_find(name.text);
    if (!function)
        return PARSER_FAIL(p, name.start, "unknown function with name \"%.*s\"",
                           STR_ARG(name.text));
    if (function->experimental && !p->options.experimental_functions)
        return PARSER_FAIL(p, name.start, "function \"%.*s\" is not enabled", STR_ARG(name.text));
    node->position.end = p->consumed_end;
    node->call.function = function;
    node->call.args = args.items;
    node->call.arg_count = args.count;
    for (size_t i = 0; i < args.count && !st; i++)
        st = parser_adopt(p, node, args.items[i]);
    *out = node;
    return st;
}

static enum status parse_grouping(struct parser *p, struct ast *node)
{
    node->aggregate.without = parser_take(p).kind == TOKEN_WITHOUT;
    return parse_label_names(p, &node->aggregate.grouping);
}

static bool at_grouping(const struct parser *p)
{
    return p->token.kind == TOKEN_BY || p->token.kind == TOKEN_WITHOUT;
}

static enum status check_arguments(struct parser *p, struct ast *node, const struct ast_list *args)
{
    enum ast_aggregation op = node->aggregate.op;
    bool has_param = ast_aggregation_has_param(op);
    size_t wanted = has_param ? 2 : 1;
    enum status st = OK;

    if (args->count == 0)
        return PARSER_FAIL(p, node->position.start,
                           "no arguments for aggregate expression provided");
    if ((op == AGG_LIMITK || op == AGG_LIMIT_RATIO) && !p->options.experimental_functions)
        return PARSER_FAIL(p, node->position.start,
                           "%s() is experimental and must be enabled with "
                           "--enable-feature=promql-experimental-functions",
                           ast_aggregation_text(op));
    if (args->count != wanted)
        return PARSER_FAIL(p, node->position.start,
                           "wrong number of arguments for aggregate expression provided, "
                           "expected %zu, got %zu",
                           wanted, args->count);
    if (has_param) {
        node->aggregate.param = args->items[0];
        st = parser_adopt(p, node, args->items[0]);
    }
    node->aggregate.expr = args->items[wanted - 1];
    return st ? st : parser_adopt(p, node, node->aggregate.expr);
}

enum status parse_aggregate(struct parser *p, struct token op, struct ast **out)
{
    struct ast_list args = {0};
    struct ast *node;
    bool grouped = at_grouping(p);
    enum status st = parser_node(p, AST_AGGREGATE, op.start, &node);

    if (st) return st;
    node->aggregate.op = (enum ast_aggregation)(AGG_SUM + (op.kind - TOKEN_SUM));
    p->aggregations++;
    if (grouped) st = parse_grouping(p, node);
    if (!st) st = parse_arguments(p, &args);
    if (!st && !grouped) st = at_grouping(p) ? parse_grouping(p, node) : parser_look(p);
    if (st) return st;
    p->aggregations--;
    node->position.end = p->consumed_end;
    *out = node;
    return check_arguments(p, node, &args);
}
