/*
 * parser - entry points, tokens, nodes: what the other files of the parser stand on.
 *
 * One token is read ahead. An error of the lexer waits in the lexer until that token is looked at
 * and refused, so errors come in the order of reading.
 */
#include "promql/parser.h"

#include "base/assert.h"
#include "promql/parse_error.h"
#include "promql/parser_state.h"
#include "promql/typecheck.h"

struct token parser_take(struct parser *p)
{
    struct token taken = p->token;
    p->consumed_end = token_end(taken);
    p->token = lexer_next(&p->lexer);
    return taken;
}

bool parser_accept(struct parser *p, enum token_kind kind)
{
    if (p->token.kind != kind) return false;
    (void)parser_take(p);
    return true;
}

enum status parser_expect(struct parser *p, enum token_kind kind, struct expectation expected)
{
    return parser_accept(p, kind) ? OK : parser_unexpected(p, expected);
}

enum status parser_unexpected(struct parser *p, struct expectation expected)
{
    char words[TOKEN_WORDS_BYTES];

    if (p->token.kind == TOKEN_ERROR)
        return error_set(p->err, p->lexer.error.status, "%s", p->lexer.error.text);
    if (!expected.where && p->aggregations > 0) expected.where = "aggregation";
    return PARSER_FAIL(p, p->token.start, "unexpected %s%s%s%s%s", token_describe(p->token, words),
                       expected.where ? " in " : "", expected.where ? expected.where : "",
                       expected.what ? ", expected " : "", expected.what ? expected.what : "");
}

enum status parser_look(struct parser *p)
{
    if (p->token.kind != TOKEN_ERROR) return OK;
    return parser_unexpected(p, (struct expectation){0});
}

enum status parser_enter(struct parser *p)
{
    if (p->depth == AST_DEPTH_MAX)
        return parse_error_too_deep(p->err, p->lexer.input, p->token.start);
    p->depth++;
    return OK;
}

void parser_leave(struct parser *p)
{
    p->depth--;
}

enum status parser_node(struct parser *p, enum ast_kind kind, uint32_t start, struct ast **out)
{
    struct ast *node = arena_calloc(p->arena, 1, sizeof(*node));

    if (!node) return arena_error(p->arena, p->err);
    node->kind = kind;
    node->depth = 1;
    node->position = (struct ast_position){.start = start, .end = p->consumed_end};
    *out = node;
    return OK;
}

enum status parser_adopt(struct parser *p, struct ast *node, const struct ast *child)
{
    if (!child || child->depth < node->depth) return OK;
    node->depth = child->depth + 1;
    if (node->depth <= AST_DEPTH_MAX) return OK;
    return parse_error_too_deep(p->err, p->lexer.input, node->position.start);
}

static enum status begin(struct parser *p, struct str text, struct arena *a, struct error *err)
{
    *p = (struct parser){.arena = a, .err = err};
    if (text.size > PARSE_TEXT_BYTES_MAX)
        return error_set(err, ERR_INVALID, "the query has %zu bytes, more than %d", text.size,
                         PARSE_TEXT_BYTES_MAX);
    lexer_init(&p->lexer, text);
    p->token = lexer_next(&p->lexer);
    return OK;
}

static enum status give_up(struct parser *p, enum status st)
{
    for (size_t i = 0; i < p->regexes.count; i++)
        regex_destroy(p->regexes.items[i]);
    return st;
}

static enum status parse_whole(struct parser *p, struct ast **out)
{
    if (p->token.kind == TOKEN_EOF) return PARSER_FAIL(p, 0, "no expression found in input");
    enum status st = parse_binary(p, PRECEDENCE_NONE, out);
    if (!st && p->token.kind != TOKEN_EOF) st = parser_unexpected(p, (struct expectation){0});
    return st ? st : typecheck(p->lexer.input, *out, p->err);
}

enum status parse_expr(struct str text, const struct parse_options *options, struct arena *a,
                       struct ast **out, struct error *err)
{
    struct parser p;
    enum status st = begin(&p, text, a, err);

    if (st) return st;
    p.options = *options;
    st = parse_whole(&p, out);
    return st ? give_up(&p, st) : OK;
}

static enum status parse_only_selector(struct parser *p, struct ast **out)
{
    struct token name = {.text = STR("")};
    enum status st;

    if (token_is_metric_name(p->token.kind))
        name = parser_take(p);
    else if (p->token.kind != TOKEN_LEFT_BRACE)
        return parser_unexpected(p, (struct expectation){0});
    st = parse_vector_selector(p, name, out);
    if (st) return st;
    if (p->token.kind != TOKEN_EOF) return parser_unexpected(p, (struct expectation){0});
    for (size_t i = 0; i < (*out)->selector.matcher_count; i++)
        if (!matcher_matches_empty(&(*out)->selector.matchers[i])) return OK;
    return error_set(p->err, ERR_INVALID, "match[] must contain at least one non-empty matcher");
}

enum status parse_selector(struct str text, struct arena *a, struct matcher **matchers,
                           size_t *count, struct error *err)
{
    struct parser p;
    struct ast *selector = NULL;
    enum status st = begin(&p, text, a, err);

    if (st) return st;
    st = parse_only_selector(&p, &selector);
    if (st) return give_up(&p, st);
    ASSERT(selector);
    *matchers = selector->selector.matchers;
    *count = selector->selector.matcher_count;
    return OK;
}
