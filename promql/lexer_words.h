/*
 * lexer_words - the reserved words of PromQL and the character classes of its lexer.
 */
#ifndef HEARTH_PROMQL_LEXER_WORDS_H
#define HEARTH_PROMQL_LEXER_WORDS_H

#include "promql/lexer.h"

static inline bool character_is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static inline bool character_is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* A letter or the underscore. */
static inline bool character_is_alpha(int c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool character_is_word(int c)
{
    return character_is_alpha(c) || character_is_digit(c);
}

/* The keyword a word is, in any case; TOKEN_NUMBER for inf and nan; TOKEN_IDENTIFIER for none. */
enum token_kind word_find(struct str word);
/* step, range, max_of, min_of: the words of durations. */
bool word_is_duration_function(enum token_kind kind);

#endif
