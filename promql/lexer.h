/*
 * lexer - the text of a query as tokens, one call each.
 *
 * Three ways of reading, as in Prometheus: outside of braces, inside braces (words are never
 * keywords there), and behind an opening bracket (a duration is expected). Brackets and parentheses
 * are counted here, so that "unclosed left parenthesis" can be said where it is noticed.
 *
 * A text that is no token becomes TOKEN_ERROR with its words in lexer.error; the parser raises it
 * only when it gets to look at it, so that the first complaint in reading order wins.
 *
 * Threads: no state beyond struct lexer.
 */
#ifndef HEARTH_PROMQL_LEXER_H
#define HEARTH_PROMQL_LEXER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "promql/ast.h"

enum token_kind {
    TOKEN_EOF,
    TOKEN_ERROR,
    TOKEN_IDENTIFIER,
    TOKEN_METRIC_IDENTIFIER, /* with a colon: no label and no function */
    TOKEN_NUMBER,
    TOKEN_DURATION,
    TOKEN_STRING,

    TOKEN_LEFT_PAREN,
    TOKEN_RIGHT_PAREN,
    TOKEN_LEFT_BRACE,
    TOKEN_RIGHT_BRACE,
    TOKEN_LEFT_BRACKET,
    TOKEN_RIGHT_BRACKET,
    TOKEN_COMMA,
    TOKEN_COLON,
    TOKEN_EQUAL,

    TOKEN_ADD, /* from here to TOKEN_TRIM_LOWER: in the order of enum ast_op */
    TOKEN_SUB,
    TOKEN_MUL,
    TOKEN_DIV,
    TOKEN_MOD,
    TOKEN_POW,
    TOKEN_ATAN2,
    TOKEN_EQL,
    TOKEN_NEQ,
    TOKEN_GTR,
    TOKEN_LSS,
    TOKEN_GTE,
    TOKEN_LTE,
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_UNLESS,
    TOKEN_TRIM_UPPER,
    TOKEN_TRIM_LOWER,
    TOKEN_EQUAL_REGEX,
    TOKEN_NOT_EQUAL_REGEX,
    TOKEN_AT,

    TOKEN_SUM, /* from here to TOKEN_LIMIT_RATIO: in the order of enum ast_aggregation */
    TOKEN_AVG,
    TOKEN_COUNT,
    TOKEN_MIN,
    TOKEN_MAX,
    TOKEN_GROUP,
    TOKEN_STDDEV,
    TOKEN_STDVAR,
    TOKEN_TOPK,
    TOKEN_BOTTOMK,
    TOKEN_QUANTILE,
    TOKEN_COUNT_VALUES,
    TOKEN_LIMITK,
    TOKEN_LIMIT_RATIO,

    TOKEN_BOOL,
    TOKEN_BY,
    TOKEN_WITHOUT,
    TOKEN_ON,
    TOKEN_IGNORING,
    TOKEN_GROUP_LEFT,
    TOKEN_GROUP_RIGHT,
    TOKEN_FILL,
    TOKEN_FILL_LEFT,
    TOKEN_FILL_RIGHT,
    TOKEN_OFFSET,
    TOKEN_ANCHORED,
    TOKEN_SMOOTHED,

    TOKEN_START,
    TOKEN_END,
    TOKEN_STEP,
    TOKEN_RANGE,
    TOKEN_MAX_OF,
    TOKEN_MIN_OF,
    TOKEN_KIND_COUNT
};

struct token {
    enum token_kind kind;
    uint32_t start; /* byte offset into the query */
    struct str text;
};

struct lexer {
    struct str input;
    uint32_t start; /* of the token being read */
    uint32_t at;
    uint32_t paren_depth;
    bool brace_open;
    bool bracket_open;
    bool in_duration; /* right behind '[', up to the first number */
    bool got_colon;   /* since '[' */
    bool got_duration;
    bool failed; /* every further token is TOKEN_ERROR */
    struct error error;
};

/* input is at most PARSE_TEXT_BYTES_MAX. */
void lexer_init(struct lexer *lx, struct str input);
struct token lexer_next(struct lexer *lx);

enum { TOKEN_WORDS_BYTES = 320 };

/* As messages name a token: identifier "x", <op:+>, <by>, end of input. Returns out. */
const char *token_describe(struct token token, char out[TOKEN_WORDS_BYTES]);

static inline uint32_t token_end(struct token token)
{
    return token.start + (uint32_t)token.text.size;
}

static inline bool token_is_aggregation(enum token_kind kind)
{
    return kind >= TOKEN_SUM && kind <= TOKEN_LIMIT_RATIO;
}

bool token_starts_expression(enum token_kind kind);
/* May the word stand for a metric, although it is a keyword? */
bool token_is_metric_name(enum token_kind kind);
/* ... for a label in by (...), on (...) and their kin? */
bool token_is_label_name(enum token_kind kind);

#endif
