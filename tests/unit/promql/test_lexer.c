/* lexer: kinds and places of tokens, its three ways of reading, and words for tokens. */
#include "promql/lexer.h"

#include <stdio.h>

#include "tests/unit/suite.h"

/* Lex a text and compare the kinds, up to and with the end or the error. */
static void assert_kinds(const char *text, const enum token_kind *kinds, size_t count)
{
    struct lexer lx;
    lexer_init(&lx, str_from(text));
    for (size_t i = 0; i < count; i++) {
        struct token token = lexer_next(&lx);
        ck_assert_msg(token.kind == kinds[i], "%s: token %zu is %d, not %d", text, i, token.kind,
                      kinds[i]);
    }
}

#define ASSERT_KINDS(text, ...)                                                                    \
    assert_kinds(text, (const enum token_kind[]){__VA_ARGS__},                                     \
                 sizeof((const enum token_kind[]){__VA_ARGS__}) / sizeof(enum token_kind))

START_TEST(tokens_know_their_place)
{
    struct lexer lx;
    struct token token;

    lexer_init(&lx, STR("  foo\n>= 1.5"));
    token = lexer_next(&lx);
    ck_assert_int_eq(token.kind, TOKEN_IDENTIFIER);
    ck_assert_uint_eq(token.start, 2);
    ck_assert_uint_eq(token_end(token), 5);
    token = lexer_next(&lx);
    ck_assert_int_eq(token.kind, TOKEN_GTE);
    ck_assert_uint_eq(token.start, 6);
    token = lexer_next(&lx);
    ck_assert_int_eq(token.kind, TOKEN_NUMBER);
    ck_assert(str_equal(token.text, STR("1.5")));
    token = lexer_next(&lx);
    ck_assert_int_eq(token.kind, TOKEN_EOF);
    ck_assert_uint_eq(token.start, 12);
    ck_assert_int_eq(lexer_next(&lx).kind, TOKEN_EOF);
}
END_TEST

START_TEST(words_are_keywords_in_any_case)
{
    ASSERT_KINDS("Sum BY wiThout aTan2 INF nan", TOKEN_SUM, TOKEN_BY, TOKEN_WITHOUT, TOKEN_ATAN2,
                 TOKEN_NUMBER, TOKEN_NUMBER, TOKEN_EOF);
    ASSERT_KINDS("summ a:sum sum_ _", TOKEN_IDENTIFIER, TOKEN_METRIC_IDENTIFIER, TOKEN_IDENTIFIER,
                 TOKEN_IDENTIFIER, TOKEN_EOF);
}
END_TEST

START_TEST(fill_is_a_keyword_only_before_a_parenthesis)
{
    ASSERT_KINDS("fill fill_left  (", TOKEN_IDENTIFIER, TOKEN_FILL_LEFT, TOKEN_LEFT_PAREN,
                 TOKEN_ERROR);
}
END_TEST

START_TEST(inside_braces_there_are_no_keywords)
{
    ASSERT_KINDS("{sum=\"a\",by!~'b',on!=`c`} sum", TOKEN_LEFT_BRACE, TOKEN_IDENTIFIER, TOKEN_EQUAL,
                 TOKEN_STRING, TOKEN_COMMA, TOKEN_IDENTIFIER, TOKEN_NOT_EQUAL_REGEX, TOKEN_STRING,
                 TOKEN_COMMA, TOKEN_IDENTIFIER, TOKEN_NEQ, TOKEN_STRING, TOKEN_RIGHT_BRACE,
                 TOKEN_SUM, TOKEN_EOF);
    ASSERT_KINDS("{a + b}", TOKEN_LEFT_BRACE, TOKEN_IDENTIFIER, TOKEN_ERROR);
}
END_TEST

START_TEST(brackets_hold_durations)
{
    ASSERT_KINDS("[5m:1m]", TOKEN_LEFT_BRACKET, TOKEN_DURATION, TOKEN_COLON, TOKEN_DURATION,
                 TOKEN_RIGHT_BRACKET, TOKEN_EOF);
    ASSERT_KINDS("[ step ( ) * 2:]", TOKEN_LEFT_BRACKET, TOKEN_STEP, TOKEN_LEFT_PAREN,
                 TOKEN_RIGHT_PAREN, TOKEN_MUL, TOKEN_NUMBER, TOKEN_COLON, TOKEN_RIGHT_BRACKET,
                 TOKEN_EOF);
    ASSERT_KINDS("[foo]", TOKEN_LEFT_BRACKET, TOKEN_ERROR, TOKEN_ERROR);
}
END_TEST

START_TEST(comments_end_with_their_line)
{
    ASSERT_KINDS("a # b c\nd{#x}\n}", TOKEN_IDENTIFIER, TOKEN_IDENTIFIER, TOKEN_LEFT_BRACE,
                 TOKEN_RIGHT_BRACE, TOKEN_EOF);
}
END_TEST

START_TEST(an_error_waits_with_its_words)
{
    struct lexer lx;
    lexer_init(&lx, STR("a +\n \"x"));
    (void)lexer_next(&lx);
    (void)lexer_next(&lx);
    ck_assert_int_eq(lexer_next(&lx).kind, TOKEN_ERROR);
    ck_assert_str_eq(lx.error.text, "2:2: parse error: unterminated quoted string");
    ck_assert_int_eq(lexer_next(&lx).kind, TOKEN_ERROR);
}
END_TEST

static void assert_described(const char *text, const char *words)
{
    struct lexer lx;
    char out[TOKEN_WORDS_BYTES];
    lexer_init(&lx, str_from(text));
    ck_assert_str_eq(token_describe(lexer_next(&lx), out), words);
}

START_TEST(messages_name_tokens_as_prometheus_does)
{
    assert_described("", "end of input");
    assert_described("foo", "identifier \"foo\"");
    assert_described("a:b", "metric identifier \"a:b\"");
    assert_described("'it'", "string \"'it'\"");
    assert_described("\"a long text\"", "string \"\\\"a long te\"...");
    assert_described("Offset", "<Offset>");
    assert_described("unless", "<op:unless>");
    assert_described("@", "<op:@>");
    assert_described("topk", "<aggr:topk>");
    assert_described("start", "\"start\"");
    assert_described("(", "\"(\"");
}
END_TEST

/* Any bytes end in the end or an error, never later than there are bytes. */
START_TEST(random_bytes_come_to_an_end)
{
    static const char alphabet[] = "a0.9eE_xm s\"'`\\u{}[]()=!~<>+-*/%^@#:,\n\xC3\xA9\xFF";
    unsigned seed = 20261121;

    printf("seed %u\n", seed);
    for (int round = 0; round < 20000; round++) {
        char text[24];
        size_t size = (size_t)rand_r(&seed) % sizeof(text);
        size_t tokens = 0;
        struct lexer lx;
        struct token token;
        for (size_t i = 0; i < size; i++)
            text[i] = alphabet[(size_t)rand_r(&seed) % (sizeof(alphabet) - 1)];
        lexer_init(&lx, (struct str){.data = text, .size = size});
        do {
            token = lexer_next(&lx);
            ck_assert_uint_le(token_end(token), size);
            ck_assert_uint_le(tokens++, size);
        } while (token.kind != TOKEN_EOF && token.kind != TOKEN_ERROR);
    }
}
END_TEST

SUITE(lexer, tokens_know_their_place, words_are_keywords_in_any_case,
      fill_is_a_keyword_only_before_a_parenthesis, inside_braces_there_are_no_keywords,
      brackets_hold_durations, comments_end_with_their_line, an_error_waits_with_its_words,
      messages_name_tokens_as_prometheus_does, random_bytes_come_to_an_end)
