/*
 * lexer_words - one table of all tokens with a fixed text, read in both directions: from a word to
 * its token, and from a token to the words of a message.
 */
#include "promql/lexer_words.h"

#include <stdio.h>

#include "model/names.h"
#include "promql/literal.h"

_Static_assert(TOKEN_UNLESS - TOKEN_ADD == OP_UNLESS - OP_ADD, "tokens follow enum ast_op");
_Static_assert(TOKEN_LIMIT_RATIO - TOKEN_SUM == AGG_LIMIT_RATIO - AGG_SUM,
               "tokens follow enum ast_aggregation");

static const char *const token_texts[TOKEN_KIND_COUNT] = {
    [TOKEN_LEFT_PAREN] = "(",
    [TOKEN_RIGHT_PAREN] = ")",
    [TOKEN_LEFT_BRACE] = "{",
    [TOKEN_RIGHT_BRACE] = "}",
    [TOKEN_LEFT_BRACKET] = "[",
    [TOKEN_RIGHT_BRACKET] = "]",
    [TOKEN_COMMA] = ",",
    [TOKEN_COLON] = ":",
    [TOKEN_EQUAL] = "=",
    [TOKEN_ADD] = "+",
    [TOKEN_SUB] = "-",
    [TOKEN_MUL] = "*",
    [TOKEN_DIV] = "/",
    [TOKEN_MOD] = "%",
    [TOKEN_POW] = "^",
    [TOKEN_ATAN2] = "atan2",
    [TOKEN_EQL] = "==",
    [TOKEN_NEQ] = "!=",
    [TOKEN_GTR] = ">",
    [TOKEN_LSS] = "<",
    [TOKEN_GTE] = ">=",
    [TOKEN_LTE] = "<=",
    [TOKEN_AND] = "and",
    [TOKEN_OR] = "or",
    [TOKEN_UNLESS] = "unless",
    [TOKEN_TRIM_UPPER] = "</",
    [TOKEN_TRIM_LOWER] = ">/",
    [TOKEN_EQUAL_REGEX] = "=~",
    [TOKEN_NOT_EQUAL_REGEX] = "!~",
    [TOKEN_AT] = "@",
    [TOKEN_SUM] = "sum",
    [TOKEN_AVG] = "avg",
    [TOKEN_COUNT] = "count",
    [TOKEN_MIN] = "min",
    [TOKEN_MAX] = "max",
    [TOKEN_GROUP] = "group",
    [TOKEN_STDDEV] = "stddev",
    [TOKEN_STDVAR] = "stdvar",
    [TOKEN_TOPK] = "topk",
    [TOKEN_BOTTOMK] = "bottomk",
    [TOKEN_QUANTILE] = "quantile",
    [TOKEN_COUNT_VALUES] = "count_values",
    [TOKEN_LIMITK] = "limitk",
    [TOKEN_LIMIT_RATIO] = "limit_ratio",
    [TOKEN_BOOL] = "bool",
    [TOKEN_BY] = "by",
    [TOKEN_WITHOUT] = "without",
    [TOKEN_ON] = "on",
    [TOKEN_IGNORING] = "ignoring",
    [TOKEN_GROUP_LEFT] = "group_left",
    [TOKEN_GROUP_RIGHT] = "group_right",
    [TOKEN_FILL] = "fill",
    [TOKEN_FILL_LEFT] = "fill_left",
    [TOKEN_FILL_RIGHT] = "fill_right",
    [TOKEN_OFFSET] = "offset",
    [TOKEN_ANCHORED] = "anchored",
    [TOKEN_SMOOTHED] = "smoothed",
    [TOKEN_START] = "start",
    [TOKEN_END] = "end",
    [TOKEN_STEP] = "step",
    [TOKEN_RANGE] = "range",
    [TOKEN_MAX_OF] = "max_of",
    [TOKEN_MIN_OF] = "min_of",
};

static bool equal_in_any_case(struct str word, const char *lower_case)
{
    for (size_t i = 0; i < word.size; i++) {
        char c = word.data[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c + ('a' - 'A'));
        if (lower_case[i] == '\0' || c != lower_case[i]) return false;
    }
    return lower_case[word.size] == '\0';
}

enum token_kind word_find(struct str word)
{
    for (int kind = TOKEN_ATAN2; kind < TOKEN_KIND_COUNT; kind++)
        if (equal_in_any_case(word, token_texts[kind])) return (enum token_kind)kind;
    if (equal_in_any_case(word, "inf") || equal_in_any_case(word, "nan")) return TOKEN_NUMBER;
    return TOKEN_IDENTIFIER;
}

bool word_is_duration_function(enum token_kind kind)
{
    return kind >= TOKEN_STEP && kind <= TOKEN_MIN_OF;
}

bool token_is_metric_name(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_IDENTIFIER:
    case TOKEN_METRIC_IDENTIFIER:
    case TOKEN_AND:
    case TOKEN_OR:
    case TOKEN_UNLESS:
    case TOKEN_BY:
    case TOKEN_WITHOUT:
    case TOKEN_FILL:
    case TOKEN_FILL_LEFT:
    case TOKEN_FILL_RIGHT:
    case TOKEN_OFFSET:
    case TOKEN_ANCHORED:
    case TOKEN_SMOOTHED: return true;
    default: return token_is_aggregation(kind) || kind >= TOKEN_START;
    }
}

bool token_is_label_name(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_WITHOUT: return false; /* as in Prometheus' grammar */
    case TOKEN_ATAN2:
    case TOKEN_BOOL:
    case TOKEN_ON:
    case TOKEN_IGNORING:
    case TOKEN_GROUP_LEFT:
    case TOKEN_GROUP_RIGHT: return true;
    default: return token_is_metric_name(kind);
    }
}

bool token_starts_expression(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_NUMBER:
    case TOKEN_DURATION:
    case TOKEN_STRING:
    case TOKEN_LEFT_PAREN:
    case TOKEN_LEFT_BRACE:
    case TOKEN_ADD:
    case TOKEN_SUB: return true;
    default: return token_is_metric_name(kind);
    }
}

/* Quoted, cut behind ten characters: what a message needs of a long literal. */
static void describe_text(const char *what, struct str text, char out[TOKEN_WORDS_BYTES])
{
    char quoted[QUOTED_TEXT_BYTES];
    bool is_word = what[0] == 'i' || what[0] == 'm';
    bool cut = !is_word && text.size > 10;
    size_t end = 0;

    if (cut) {
        for (int i = 0; i < 10 && end < text.size; i++) {
            size_t size = name_character_size(text.data + end, text.size - end);
            end += size ? size : 1;
        }
        text.size = end;
    }
    (void)snprintf(out, TOKEN_WORDS_BYTES, "%s %s%s", what, quote_text(text, quoted),
                   cut ? "..." : "");
}

const char *token_describe(struct token token, char out[TOKEN_WORDS_BYTES])
{
    const char *format = "\"%.*s\"";

    switch (token.kind) {
    case TOKEN_EOF: return "end of input";
    case TOKEN_ERROR: return "error";
    case TOKEN_IDENTIFIER: describe_text("identifier", token.text, out); return out;
    case TOKEN_METRIC_IDENTIFIER: describe_text("metric identifier", token.text, out); return out;
    case TOKEN_STRING: describe_text("string", token.text, out); return out;
    case TOKEN_NUMBER: describe_text("number", token.text, out); return out;
    case TOKEN_DURATION: describe_text("duration", token.text, out); return out;
    default: break;
    }
    if (token.kind >= TOKEN_ADD && token.kind <= TOKEN_AT) format = "<op:%.*s>";
    if (token_is_aggregation(token.kind)) format = "<aggr:%.*s>";
    if (token.kind >= TOKEN_BOOL && token.kind <= TOKEN_SMOOTHED) format = "<%.*s>";
    (void)snprintf(out, TOKEN_WORDS_BYTES, format, STR_ARG(token.text));
    return out;
}
