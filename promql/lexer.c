/*
 * lexer - reads characters, not bytes, where a message shows one; everything it knows is ASCII.
 *
 * The peculiarities of Prometheus' lexer are kept, because its messages and positions come from
 * them: behind the first number in brackets the ordinary reading resumes, and a number that turns
 * out to be none is quoted as far as it was read.
 */
#include "promql/lexer.h"

#include <stdio.h>

#include "model/names.h"
#include "promql/lexer_words.h"
#include "promql/literal.h"
#include "promql/parse_error.h"

enum { CHARACTER_NONE = -1 };

void lexer_init(struct lexer *lx, struct str input)
{
    *lx = (struct lexer){.input = input};
}

static int peek(const struct lexer *lx)
{
    return lx->at < lx->input.size ? (unsigned char)lx->input.data[lx->at] : CHARACTER_NONE;
}

static int peek_second(const struct lexer *lx)
{
    return lx->at + 1 < lx->input.size ? (unsigned char)lx->input.data[lx->at + 1] : CHARACTER_NONE;
}

static bool is_one_of(int c, const char *set)
{
    return c > 0 && strchr(set, c) != NULL;
}

static bool accept(struct lexer *lx, const char *set)
{
    if (!is_one_of(peek(lx), set)) return false;
    lx->at++;
    return true;
}

static void accept_run(struct lexer *lx, const char *set)
{
    while (accept(lx, set)) {
    }
}

static struct token emit(struct lexer *lx, enum token_kind kind)
{
    struct token token = {
        .kind = kind,
        .start = lx->start,
        .text = {.data = lx->input.data + lx->start, .size = lx->at - lx->start},
    };
    lx->start = lx->at;
    return token;
}

static struct token emit_next(struct lexer *lx, uint32_t bytes, enum token_kind kind)
{
    lx->at += bytes;
    return emit(lx, kind);
}

/* A token of no text, after which there are no others; the words are set by the caller. */
static struct token fail(struct lexer *lx)
{
    lx->failed = true;
    return (struct token){
        .kind = TOKEN_ERROR, .start = lx->start, .text = {.data = lx->input.data, .size = 0}};
}

#define FAIL(lx, ...)                                                                              \
    ((void)parse_error(&(lx)->error, (lx)->input, (lx)->start, __VA_ARGS__), fail(lx))

struct character {
    char quoted[QUOTED_CHARACTER_BYTES + 3]; /* with both quotes and NUL */
};

/* Skip the next character, and write it as Go's %q: 'x'. */
static struct character take_character(struct lexer *lx)
{
    struct character c;
    char piece[QUOTED_CHARACTER_BYTES];
    size_t size;
    struct str rest = {.data = lx->input.data + lx->at, .size = lx->input.size - lx->at};

    if (rest.size == 0) {
        rest = STR("\xEF\xBF\xBD"); /* U+FFFD: what Go shows for the end */
        (void)quote_character(rest, '\'', piece, &size);
    } else {
        lx->at += (uint32_t)quote_character(rest, '\'', piece, &size);
    }
    c.quoted[0] = '\'';
    memcpy(c.quoted + 1, piece, size);
    c.quoted[size + 1] = '\'';
    c.quoted[size + 2] = '\0';
    return c;
}

static void skip_spaces(struct lexer *lx)
{
    while (character_is_space(peek(lx)))
        lx->at++;
    lx->start = lx->at;
}

static void skip_comment(struct lexer *lx)
{
    int c = peek(lx);
    while (c != CHARACTER_NONE && c != '\n' && c != '\r') {
        lx->at++;
        c = peek(lx);
    }
    lx->start = lx->at;
}

/* ---- Numbers and durations ---- */

static bool read_exponent(struct lexer *lx)
{
    (void)accept(lx, "+-");
    return !accept(lx, "._eE") && peek(lx) != CHARACTER_NONE;
}

/* Read as far as it looks like a number; is it one? The parser has the last word on its digits. */
static bool read_number(struct lexer *lx)
{
    const char *digits = "0123456789";
    bool hexadecimal = false;
    bool dot = false;
    bool exponent = false;

    if (accept(lx, "0") && accept(lx, "xX")) {
        (void)accept(lx, "_");
        digits = "0123456789abcdefABCDEF";
        hexadecimal = true;
    }
    (void)accept(lx, ".");
    (void)accept(lx, digits);
    for (;;) {
        int c = peek(lx);
        if (is_one_of(c, "eE") && exponent) {
            lx->at++;
            return false;
        }
        if (accept(lx, ".")) {
            if (dot || accept(lx, "_.") || hexadecimal) return false;
            dot = true;
        } else if (accept(lx, "eE")) {
            exponent = true;
            if (!read_exponent(lx)) return false;
        } else if (accept(lx, "_")) {
            if (accept(lx, "._eE") || peek(lx) == CHARACTER_NONE) return false;
        } else if (is_one_of(c, digits)) {
            accept_run(lx, digits);
        } else {
            break;
        }
    }
    return !character_is_word(peek(lx));
}

/* The units behind a number, and further numbers with units. */
static bool read_rest_of_duration(struct lexer *lx)
{
    if (!accept(lx, "smhdwy")) return false;
    (void)accept(lx, "s");
    while (accept(lx, "0123456789")) {
        accept_run(lx, "0123456789");
        if (!accept(lx, "smhdw")) return false;
        (void)accept(lx, "s");
    }
    if (!character_is_word(peek(lx))) return true;
    lx->at++;
    return false;
}

static struct token lex_number_or_duration(struct lexer *lx)
{
    char quoted[QUOTED_TEXT_BYTES];
    struct str read;

    lx->in_duration = false;
    if (read_number(lx)) return emit(lx, TOKEN_NUMBER);
    if (read_rest_of_duration(lx)) return emit(lx, TOKEN_DURATION);
    read = (struct str){.data = lx->input.data + lx->start, .size = lx->at - lx->start};
    return FAIL(lx, "bad number or duration syntax: %s", quote_text(read, quoted));
}

/* ---- Strings ---- */

/* The next character as Go's %#U: U+0063 'c'. */
static const char *describe_next(const struct lexer *lx, char out[32])
{
    const unsigned char *bytes = (const unsigned char *)lx->input.data + lx->at;
    size_t size = name_character_size(lx->input.data + lx->at, lx->input.size - lx->at);
    unsigned code = size == 0 ? 0xFFFD : bytes[0];

    if (size > 1) code &= 0x7FU >> size;
    for (size_t i = 1; i < size; i++)
        code = code << 6 | (bytes[i] & 0x3FU);
    if (code >= 0x20 && code < 0x7F)
        (void)snprintf(out, 32, "U+%04X '%c'", code, (char)code);
    else if (size > 1 && code >= 0xA0)
        (void)snprintf(out, 32, "U+%04X '%.*s'", code, (int)size, (const char *)bytes);
    else
        (void)snprintf(out, 32, "U+%04X", code);
    return out;
}

/* Check the digits of \123, \xFF, \u1234 or \U00012345; false after a failure, put into *out. */
static bool read_escape_digits(struct lexer *lx, unsigned count, unsigned base, struct token *out)
{
    uint32_t code = 0;
    uint32_t code_max = base == 8 || count == 2 ? 255 : 0x10FFFF;
    char words[32];

    for (unsigned i = 0; i < count; i++) {
        int c = peek(lx);
        if (c == CHARACTER_NONE) {
            *out = FAIL(lx, "escape sequence not terminated");
            return false;
        }
        unsigned digit = str_hex_digit((char)c);
        if (digit >= base) {
            *out = FAIL(lx, "illegal character %s in escape sequence", describe_next(lx, words));
            return false;
        }
        code = code * base + digit;
        lx->at++;
    }
    if (code <= code_max && !(code >= 0xD800 && code < 0xE000)) return true;
    *out = FAIL(lx, "escape sequence is an invalid Unicode code point");
    return false;
}

/* Check what stands behind a backslash; false after a failure, which is put into *out. */
static bool read_escape(struct lexer *lx, int quote, struct token *out)
{
    int c = peek(lx);
    char words[32];

    if (c == CHARACTER_NONE) {
        *out = FAIL(lx, "escape sequence not terminated");
        return false;
    }
    if (c >= '0' && c <= '7') return read_escape_digits(lx, 3, 8, out);
    if (c == quote || is_one_of(c, "abfnrtv\\")) {
        lx->at++;
        return true;
    }
    if (!is_one_of(c, "xuU")) {
        *out = FAIL(lx, "unknown escape sequence %s", describe_next(lx, words));
        return false;
    }
    lx->at++;
    return read_escape_digits(lx, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16, out);
}

static struct token lex_string(struct lexer *lx)
{
    int quote = peek(lx);
    bool raw = quote == '`';

    lx->at++;
    for (;;) {
        int c = peek(lx);
        struct token failure;
        if (c == CHARACTER_NONE || (c == '\n' && !raw))
            return FAIL(lx, raw ? "unterminated raw string" : "unterminated quoted string");
        size_t size = name_character_size(lx->input.data + lx->at, lx->input.size - lx->at);
        if (size == 0) return FAIL(lx, "invalid UTF-8 rune");
        lx->at += (uint32_t)size;
        if (c == quote) return emit(lx, TOKEN_STRING);
        if (c == '\\' && !raw && !read_escape(lx, quote, &failure)) return failure;
    }
}

/* ---- Words ---- */

static struct str read_word(struct lexer *lx, bool with_colons)
{
    while (character_is_word(peek(lx)) || (with_colons && peek(lx) == ':'))
        lx->at++;
    return (struct str){.data = lx->input.data + lx->start, .size = lx->at - lx->start};
}

static bool parenthesis_follows(const struct lexer *lx)
{
    uint32_t at = lx->at;
    while (at < lx->input.size && character_is_space(lx->input.data[at]))
        at++;
    return at < lx->input.size && lx->input.data[at] == '(';
}

static struct token lex_keyword_or_identifier(struct lexer *lx)
{
    struct str word = read_word(lx, true);
    enum token_kind kind = word_find(word);
    bool is_fill = kind >= TOKEN_FILL && kind <= TOKEN_FILL_RIGHT;

    /* fill and its kin are words only before a parenthesis: they came late to the language. */
    if (is_fill && !parenthesis_follows(lx)) kind = TOKEN_IDENTIFIER;
    if (kind == TOKEN_IDENTIFIER && memchr(word.data, ':', word.size))
        kind = TOKEN_METRIC_IDENTIFIER;
    return emit(lx, kind);
}

/* step, range, min_of or max_of in brackets; TOKEN_IDENTIFIER when it is another word. */
static enum token_kind read_duration_word(struct lexer *lx)
{
    uint32_t start = lx->at;
    while (character_is_alpha(peek(lx)))
        lx->at++;
    struct str word = {.data = lx->input.data + start, .size = lx->at - start};
    enum token_kind kind = word_find(word);
    if (word_is_duration_function(kind)) return kind;
    lx->at = start;
    return TOKEN_IDENTIFIER;
}

/* A word or colon between brackets, behind the first number. */
static struct token lex_word_in_brackets(struct lexer *lx)
{
    enum token_kind kind;

    if (peek(lx) == ':') {
        lx->at++;
        if (lx->got_colon) return FAIL(lx, "unexpected colon ':'");
        lx->got_colon = true;
        return emit(lx, TOKEN_COLON);
    }
    kind = read_duration_word(lx);
    if (kind != TOKEN_IDENTIFIER) return emit(lx, kind);
    return FAIL(lx, "unexpected character: '%c', expected ':'", peek(lx));
}

/* ---- Parentheses and brackets ---- */

static struct token lex_right_paren(struct lexer *lx)
{
    struct token token = emit_next(lx, 1, TOKEN_RIGHT_PAREN);
    if (lx->paren_depth == 0) return FAIL(lx, "unexpected right parenthesis ')'");
    lx->paren_depth--;
    return token;
}

static struct token lex_left_paren(struct lexer *lx)
{
    lx->paren_depth++;
    return emit_next(lx, 1, TOKEN_LEFT_PAREN);
}

static struct token lex_left_bracket(struct lexer *lx)
{
    if (lx->bracket_open) return FAIL(lx, "unexpected left bracket '['");
    lx->bracket_open = true;
    lx->in_duration = true;
    lx->got_colon = false;
    lx->got_duration = false;
    return emit_next(lx, 1, TOKEN_LEFT_BRACKET);
}

static struct token lex_right_bracket(struct lexer *lx)
{
    if (!lx->bracket_open) return FAIL(lx, "unexpected right bracket ']'");
    lx->bracket_open = false;
    lx->in_duration = false;
    return emit_next(lx, 1, TOKEN_RIGHT_BRACKET);
}

/* ---- The three ways of reading ---- */

static struct token lex_end(struct lexer *lx)
{
    if (lx->brace_open) return FAIL(lx, "unexpected end of input inside braces");
    if (lx->in_duration) return FAIL(lx, "unexpected end of input in duration expression");
    if (lx->paren_depth > 0) return FAIL(lx, "unclosed left parenthesis");
    if (lx->bracket_open) return FAIL(lx, "unclosed left bracket");
    return emit(lx, TOKEN_EOF);
}

static struct token lex_inside_braces(struct lexer *lx)
{
    int c = peek(lx);
    int second = peek_second(lx);

    if (character_is_alpha(c)) {
        (void)read_word(lx, false);
        return emit(lx, TOKEN_IDENTIFIER);
    }
    switch (c) {
    case ',': return emit_next(lx, 1, TOKEN_COMMA);
    case '"':
    case '\'':
    case '`': return lex_string(lx);
    case '=':
        if (second == '~') return emit_next(lx, 2, TOKEN_EQUAL_REGEX);
        return emit_next(lx, 1, TOKEN_EQUAL);
    case '!':
        if (second == '~') return emit_next(lx, 2, TOKEN_NOT_EQUAL_REGEX);
        if (second == '=') return emit_next(lx, 2, TOKEN_NEQ);
        lx->at++;
        return FAIL(lx, "unexpected character after '!' inside braces: %s",
                    take_character(lx).quoted);
    case '{': return FAIL(lx, "unexpected left brace '{'");
    case '}': lx->brace_open = false; return emit_next(lx, 1, TOKEN_RIGHT_BRACE);
    default: return FAIL(lx, "unexpected character inside braces: %s", take_character(lx).quoted);
    }
}

static struct token lex_duration_colon(struct lexer *lx)
{
    struct token token = emit_next(lx, 1, TOKEN_COLON);
    if (!lx->got_duration)
        return FAIL(lx, "unexpected colon before duration in duration expression");
    if (lx->got_colon) return FAIL(lx, "unexpected repeated colon in duration expression");
    lx->got_colon = true;
    return token;
}

/* Behind an opening bracket, up to the first number. */
static struct token lex_duration(struct lexer *lx)
{
    static const char signs[] = "+-*/%^,";
    static const enum token_kind kinds[] = {TOKEN_ADD, TOKEN_SUB, TOKEN_MUL,  TOKEN_DIV,
                                            TOKEN_MOD, TOKEN_POW, TOKEN_COMMA};
    int c = peek(lx);
    enum token_kind word;

    if (is_one_of(c, signs)) return emit_next(lx, 1, kinds[strchr(signs, c) - signs]);
    if (c == ']') return lex_right_bracket(lx);
    if (c == ':') return lex_duration_colon(lx);
    if (c == '(') return lex_left_paren(lx);
    if (c == ')') return lex_right_paren(lx);
    if (character_is_digit(c) || (c == '.' && character_is_digit(peek_second(lx)))) {
        lx->got_duration = true;
        return lex_number_or_duration(lx);
    }
    word = read_duration_word(lx);
    if (word != TOKEN_IDENTIFIER) {
        lx->got_duration = true;
        return emit(lx, word);
    }
    return FAIL(lx, "unexpected character in duration expression: %s", take_character(lx).quoted);
}

static struct token lex_comparison(struct lexer *lx)
{
    int c = peek(lx);
    int second = peek_second(lx);

    switch (c) {
    case '=':
        if (second == '=') return emit_next(lx, 2, TOKEN_EQL);
        if (second == '~') return FAIL(lx, "unexpected character after '=': '~'");
        return emit_next(lx, 1, TOKEN_EQUAL);
    case '!':
        if (second == '=') return emit_next(lx, 2, TOKEN_NEQ);
        lx->at++;
        return FAIL(lx, "unexpected character after '!': %s", take_character(lx).quoted);
    case '<':
        if (second == '=') return emit_next(lx, 2, TOKEN_LTE);
        if (second == '/') return emit_next(lx, 2, TOKEN_TRIM_UPPER);
        return emit_next(lx, 1, TOKEN_LSS);
    default:
        if (second == '=') return emit_next(lx, 2, TOKEN_GTE);
        if (second == '/') return emit_next(lx, 2, TOKEN_TRIM_LOWER);
        return emit_next(lx, 1, TOKEN_GTR);
    }
}

static struct token lex_ordinary(struct lexer *lx)
{
    static const char signs[] = ",*/%+-^@";
    static const enum token_kind kinds[] = {TOKEN_COMMA, TOKEN_MUL, TOKEN_DIV, TOKEN_MOD,
                                            TOKEN_ADD,   TOKEN_SUB, TOKEN_POW, TOKEN_AT};
    int c = peek(lx);

    if (is_one_of(c, signs)) return emit_next(lx, 1, kinds[strchr(signs, c) - signs]);
    if (is_one_of(c, "=!<>")) return lex_comparison(lx);
    if (is_one_of(c, "\"'`")) return lex_string(lx);
    if (character_is_digit(c) || (c == '.' && character_is_digit(peek_second(lx))))
        return lex_number_or_duration(lx);
    if (character_is_alpha(c) || c == ':')
        return lx->bracket_open ? lex_word_in_brackets(lx) : lex_keyword_or_identifier(lx);
    switch (c) {
    case '(': return lex_left_paren(lx);
    case ')': return lex_right_paren(lx);
    case '{': lx->brace_open = true; return emit_next(lx, 1, TOKEN_LEFT_BRACE);
    case '[': return lex_left_bracket(lx);
    case ']': return lex_right_bracket(lx);
    default: return FAIL(lx, "unexpected character: %s", take_character(lx).quoted);
    }
}

struct token lexer_next(struct lexer *lx)
{
    if (lx->failed) return fail(lx);
    for (;;) {
        skip_spaces(lx);
        if (peek(lx) != '#' || lx->in_duration) break;
        skip_comment(lx);
    }
    if (peek(lx) == CHARACTER_NONE) return lex_end(lx);
    if (lx->brace_open) return lex_inside_braces(lx);
    return lx->in_duration ? lex_duration(lx) : lex_ordinary(lx);
}
