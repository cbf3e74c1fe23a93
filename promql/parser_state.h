/*
 * parser_state - what the files of the parser share: parser.c (entry and helpers), parser_expr.c
 * (operators and primaries), parser_call.c (functions and aggregations), parser_selector.c (labels
 * and matchers), parser_duration.c (numbers and durations), parser_time.c (ranges, offset, @).
 *
 * Every parse_* function returns a status; after anything but OK, p->err has been filled in and the
 * parse is over: there is no recovery, the first error is the answer.
 */
#ifndef HEARTH_PROMQL_PARSER_STATE_H
#define HEARTH_PROMQL_PARSER_STATE_H

#include "alloc/arena.h"
#include "alloc/vec.h"
#include "model/regex.h"
#include "promql/lexer.h"
#include "promql/parser.h"

/* How strongly operators bind, weakest first. */
enum precedence {
    PRECEDENCE_NONE,
    PRECEDENCE_OR,
    PRECEDENCE_AND,
    PRECEDENCE_COMPARISON,
    PRECEDENCE_SUM,
    PRECEDENCE_PRODUCT, /* unary signs, too */
    PRECEDENCE_POWER    /* the one that groups to the right */
};

/* Where a token is unexpected, and what was expected: the end of the message. NULL: not said. */
struct expectation {
    const char *where;
    const char *what;
};

struct str_list VEC_OF(struct str);
struct matcher_list VEC_OF(struct matcher);
struct regex_list VEC_OF(struct regex *);

struct parser {
    struct lexer lexer;
    struct token token;    /* the next one, not consumed */
    uint32_t consumed_end; /* end of the last consumed one */
    uint32_t depth;        /* of our own recursion */
    uint32_t aggregations; /* we are inside of: named in messages */
    struct parse_options options;
    struct regex_list regexes; /* all compiled so far: given back when the parse fails */
    struct arena *arena;
    struct error *err;
};

/* ---- parser.c ---- */

/* Take the next token and look at the one behind it. */
struct token parser_take(struct parser *p);
/* Take it if it is of this kind. */
bool parser_accept(struct parser *p, enum token_kind kind);
/* Take it, or fail with unexpected. */
MUST_USE enum status parser_expect(struct parser *p, enum token_kind kind,
                                   struct expectation expected);
/* The next token does not belong here (or is an error of the lexer). */
MUST_USE enum status parser_unexpected(struct parser *p, struct expectation expected);
/* Raise an error of the lexer that waits in the next token: before an error that Prometheus, too,
 * finds only after it has looked there. */
MUST_USE enum status parser_look(struct parser *p);
/* Fail at a byte of the query. */
#define PARSER_FAIL(p, position, ...)                                                              \
    parse_error((p)->err, (p)->lexer.input, (position), __VA_ARGS__)

/* Count one level of recursion; parser_leave takes it back. */
MUST_USE enum status parser_enter(struct parser *p);
void parser_leave(struct parser *p);

/* A zeroed node of depth 1; *out stays untouched on failure. */
MUST_USE enum status parser_node(struct parser *p, enum ast_kind kind, uint32_t start,
                                 struct ast **out);
/* node got a child (NULL is ignored): its depth follows, and may be too much. */
MUST_USE enum status parser_adopt(struct parser *p, struct ast *node, const struct ast *child);

/* ---- parser_expr.c ---- */

MUST_USE enum status parse_binary(struct parser *p, enum precedence weakest, struct ast **out);

/* ---- parser_call.c ---- */

/* At a name with a parenthesis behind it. */
MUST_USE enum status parse_call(struct parser *p, struct token name, struct ast **out);
/* Behind the name of an aggregation, at '(', by or without. */
MUST_USE enum status parse_aggregate(struct parser *p, struct token op, struct ast **out);

/* ---- parser_selector.c ---- */

/* Behind the metric name (whose text is empty when there was none), at '{' perhaps. */
MUST_USE enum status parse_vector_selector(struct parser *p, struct token name, struct ast **out);
/* (a, "b", c) of by, without, on, ignoring, group_left and group_right. */
MUST_USE enum status parse_label_names(struct parser *p, struct str_array *out);

/* ---- parser_duration.c ---- */

/* 5, 1e3, 5m: at a number or duration. */
MUST_USE enum status parse_number(struct parser *p, struct ast **out);
/* AST_NUMBER for a literal, else AST_DURATION. expected: what to say when there is none. */
MUST_USE enum status parse_duration(struct parser *p, struct expectation expected,
                                    struct ast **out);
MUST_USE enum status parse_offset_duration(struct parser *p, struct ast **out);

/* ---- parser_time.c ---- */

/* Each stands behind *expr, at its first token, and changes it or puts a node above it. */
MUST_USE enum status parse_brackets(struct parser *p, struct ast **expr);
MUST_USE enum status parse_offset(struct parser *p, struct ast *expr);
MUST_USE enum status parse_at(struct parser *p, struct ast *expr);
MUST_USE enum status parse_range_modifier(struct parser *p, struct ast *expr);

#endif
