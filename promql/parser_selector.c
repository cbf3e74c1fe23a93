/*
 * parser_selector - {job="a", "quoted.label"=~"b.*"} and lists of label names.
 *
 * A quoted text alone in braces is the metric name. The matcher of a name before the braces comes
 * last in the array, as in Prometheus.
 */
#include "model/names.h"
#include "promql/literal.h"
#include "promql/parse_error.h"
#include "promql/parser_state.h"

static const struct expectation expect_separator = {"label matching", "\",\" or \"}\""};

static bool is_match_operator(enum token_kind kind)
{
    return kind == TOKEN_EQUAL || kind == TOKEN_NEQ || kind == TOKEN_EQUAL_REGEX ||
           kind == TOKEN_NOT_EQUAL_REGEX;
}

static enum matcher_type matcher_type_of(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_NEQ: return MATCH_NOT_EQUAL;
    case TOKEN_EQUAL_REGEX: return MATCH_REGEX;
    case TOKEN_NOT_EQUAL_REGEX: return MATCH_NOT_REGEX;
    default: return MATCH_EQUAL;
    }
}

/* Add a matcher; position is where a bad pattern is reported. */
static enum status add_matcher(struct parser *p, struct matcher_list *list, struct matcher wanted,
                               uint32_t position)
{
    struct error why = {0};
    struct regex **kept;
    enum status st;

    if (list->count == PARSE_MATCHERS_MAX)
        return PARSER_FAIL(p, position, "more than %d label matchers in one selector",
                           PARSE_MATCHERS_MAX);
    struct matcher *m = VEC_PUSH(list, p->arena);
    if (!m) return arena_error(p->arena, p->err);
    kept = VEC_PUSH(&p->regexes, p->arena);
    if (!kept) return arena_error(p->arena, p->err);
    *kept = NULL;
    st = matcher_init(m, wanted.type, wanted.name, wanted.value, &why);
    if (st == ERR_INVALID) return PARSER_FAIL(p, position, "%s", why.text);
    if (st) return error_set(p->err, st, "%s", why.text);
    *kept = m->regex;
    return OK;
}

static enum status parse_matcher(struct parser *p, struct matcher_list *list)
{
    struct token label = p->token;
    struct matcher wanted = {.type = MATCH_EQUAL, .name = label.text};
    enum status st = OK;

    if (label.kind != TOKEN_IDENTIFIER && label.kind != TOKEN_STRING)
        return parser_unexpected(p, (struct expectation){"label matching", "identifier or \"}\""});
    (void)parser_take(p);
    if (label.kind == TOKEN_STRING) {
        st = literal_string(label.text, p->arena, &wanted.name, p->err);
        if (st) return st;
    }
    if (!is_match_operator(p->token.kind)) {
        if (label.kind == TOKEN_IDENTIFIER)
            return parser_unexpected(
                p, (struct expectation){"label matching", "label matching operator"});
        wanted.value = wanted.name;
        wanted.name = LABEL_METRIC_NAME;
        return add_matcher(p, list, wanted, label.start);
    }
    wanted.type = matcher_type_of(parser_take(p).kind);
    if (p->token.kind != TOKEN_STRING)
        return parser_unexpected(p, (struct expectation){"label matching", "string"});
    st = literal_string(parser_take(p).text, p->arena, &wanted.value, p->err);
    return st ? st : add_matcher(p, list, wanted, label.start);
}

static enum status parse_matchers(struct parser *p, struct matcher_list *list)
{
    (void)parser_take(p);
    if (parser_accept(p, TOKEN_RIGHT_BRACE)) return OK;
    for (;;) {
        enum status st = parse_matcher(p, list);
        if (st) return st;
        if (parser_accept(p, TOKEN_RIGHT_BRACE)) return OK;
        st = parser_expect(p, TOKEN_COMMA, expect_separator);
        if (st) return st;
        if (parser_accept(p, TOKEN_RIGHT_BRACE)) return OK;
    }
}

enum status parse_vector_selector(struct parser *p, struct token name, struct ast **out)
{
    struct matcher_list list = {0};
    struct matcher by_name = {.type = MATCH_EQUAL, .name = LABEL_METRIC_NAME, .value = name.text};
    enum status st = OK;

    if (p->token.kind == TOKEN_LEFT_BRACE) st = parse_matchers(p, &list);
    if (!st && name.text.size > 0) st = add_matcher(p, &list, by_name, name.start);
    if (!st) st = parser_node(p, AST_VECTOR_SELECTOR, name.start, out);
    if (st) return st;
    (*out)->selector.name = name.text;
    (*out)->selector.matchers = list.items;
    (*out)->selector.matcher_count = list.count;
    return OK;
}

static enum status parse_label_name(struct parser *p, struct str *out)
{
    struct token token = p->token;
    char quoted[QUOTED_TEXT_BYTES];
    enum status st = OK;

    if (token.kind != TOKEN_STRING && !token_is_label_name(token.kind))
        return parser_unexpected(p, (struct expectation){"grouping opts", "label"});
    (void)parser_take(p);
    *out = token.text;
    if (token.kind != TOKEN_STRING) return OK;
    st = literal_string(token.text, p->arena, out, p->err);
    if (st) return st;
    if (out->size > 0 && name_is_utf8(*out)) return OK;
    return PARSER_FAIL(p, token.start, "invalid label name for grouping: %s",
                       quote_text(*out, quoted));
}

enum status parse_label_names(struct parser *p, struct str_array *out)
{
    struct str_list names = {0};
    enum status st =
        parser_expect(p, TOKEN_LEFT_PAREN, (struct expectation){"grouping opts", "\"(\""});

    if (st) return st;
    while (!parser_accept(p, TOKEN_RIGHT_PAREN)) {
        if (names.count == PARSE_NAMES_MAX)
            return PARSER_FAIL(p, p->token.start, "more than %d label names in one list",
                               PARSE_NAMES_MAX);
        struct str *name = VEC_PUSH(&names, p->arena);
        if (!name) return arena_error(p->arena, p->err);
        st = parse_label_name(p, name);
        if (st) return st;
        if (p->token.kind == TOKEN_RIGHT_PAREN) continue;
        st = parser_expect(p, TOKEN_COMMA, (struct expectation){"grouping opts", "\",\" or \")\""});
        if (st) return st;
    }
    *out = (struct str_array){.items = names.items, .count = names.count};
    return OK;
}
