/* literal - small readers and writers of text; the lexer has checked the shapes before. */
#include "promql/literal.h"

#include <math.h>
#include <stdio.h>

#include "model/names.h"
#include "model/number.h"

static char lower(char c)
{
    if (c >= 'A' && c <= 'Z') return (char)(c + ('a' - 'A'));
    return c;
}

static bool has_base_prefix(struct str text)
{
    return text.size >= 2 && text.data[0] == '0' && lower(text.data[1]) == 'x';
}

/* Go: an underscore stands between digits, or between the base prefix and a digit. */
static bool underscores_are_legal(struct str text)
{
    bool hexadecimal = has_base_prefix(text);
    bool after_digit = hexadecimal;
    bool after_underscore = false;

    for (size_t i = hexadecimal ? 2 : 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '_') {
            if (!after_digit) return false;
            after_digit = false;
            after_underscore = true;
            continue;
        }
        after_digit = str_hex_digit(c) < (hexadecimal ? 16 : 10);
        if (after_underscore && !after_digit) return false;
        after_underscore = false;
    }
    return !after_underscore;
}

/* An integer in base 16 (0x), 8 (leading 0) or 10; false when it is none or exceeds int64. */
static bool read_integer(struct str text, double *out)
{
    bool hexadecimal = has_base_prefix(text);
    bool octal = !hexadecimal && text.size > 1 && text.data[0] == '0';
    unsigned base = hexadecimal ? 16 : octal ? 8 : 10;
    size_t start = hexadecimal ? 2 : octal ? 1 : 0;
    uint64_t value = 0;

    if (start == text.size) return false;
    for (size_t i = start; i < text.size; i++) {
        if (text.data[i] == '_') continue;
        unsigned digit = str_hex_digit(text.data[i]);
        if (digit >= base) return false;
        if (value > ((uint64_t)INT64_MAX - digit) / base) return false;
        value = value * base + digit;
    }
    *out = (double)value;
    return true;
}

/* 12, 1.5, .5, 5., 1e-3: what a decimal looks like, whatever its size. */
static bool is_decimal(struct str text)
{
    size_t at = 0;
    size_t digits = 0;

    for (; at < text.size && str_hex_digit(text.data[at]) < 10; at++)
        digits++;
    if (at < text.size && text.data[at] == '.') at++;
    for (; at < text.size && str_hex_digit(text.data[at]) < 10; at++)
        digits++;
    if (digits == 0) return false;
    if (at == text.size) return true;
    if (lower(text.data[at++]) != 'e') return false;
    if (at < text.size && (text.data[at] == '+' || text.data[at] == '-')) at++;
    for (digits = 0; at < text.size && str_hex_digit(text.data[at]) < 10; at++)
        digits++;
    return digits > 0 && at == text.size;
}

static enum status without_underscores(struct str text, struct arena *a, struct str *out,
                                       struct error *err)
{
    char *copy = arena_alloc(a, text.size);
    size_t size = 0;

    if (!copy) return arena_error(a, err);
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] != '_') copy[size++] = text.data[i];
    *out = (struct str){.data = copy, .size = size};
    return OK;
}

enum status literal_number(struct str text, struct arena *a, double *out, struct error *err)
{
    const char *why = "invalid syntax";
    struct str digits = text;
    bool underscores = memchr(text.data, '_', text.size) != NULL;

    if (!underscores || underscores_are_legal(text)) {
        if (read_integer(text, out)) return OK;
        if (underscores) {
            enum status st = without_underscores(text, a, &digits, err);
            if (st) return st;
        }
        /* Hexadecimal floats need a p in Go, which the lexer lets nobody write. */
        bool is_word = lower(digits.data[0]) == 'i' || lower(digits.data[0]) == 'n';
        bool decimal = is_decimal(digits);
        if ((is_word || decimal) && number_parse(digits, out) && (is_word || isfinite(*out)))
            return OK;
        if (decimal) why = "value out of range";
    }
    return error_set(err, ERR_INVALID,
                     "error parsing number: strconv.ParseFloat: parsing \"%.*s\": %s",
                     (int)(text.size > 320 ? 320 : text.size), text.data, why);
}

static uint32_t read_digits(struct str text, size_t start, size_t count, unsigned base)
{
    uint32_t value = 0;
    for (size_t i = start; i < start + count && i < text.size; i++)
        value = value * base + str_hex_digit(text.data[i]);
    return value;
}

/* Unescape what stands behind a backslash; returns how many bytes it took. No escape is shorter
 * than what it stands for, so out has room. */
static size_t unescape(struct str text, char *out, size_t *out_size)
{
    static const char letters[] = "abfnrtv";
    static const char meanings[] = "\a\b\f\n\r\t\v";
    char c = text.data[0];
    const char *letter = c ? strchr(letters, c) : NULL;

    *out_size = 1;
    if (letter) {
        *out = meanings[letter - letters];
        return 1;
    }
    if (c >= '0' && c <= '7') {
        *out = (char)read_digits(text, 0, 3, 8);
        return 3;
    }
    switch (c) {
    case 'x': *out = (char)read_digits(text, 1, 2, 16); return 3;
    case 'u': *out_size = name_character_put(read_digits(text, 1, 4, 16), out); return 5;
    case 'U': *out_size = name_character_put(read_digits(text, 1, 8, 16), out); return 9;
    default: *out = c; return 1; /* a backslash or the quote */
    }
}

enum status literal_string(struct str quoted, struct arena *a, struct str *out, struct error *err)
{
    struct str inside = {.data = quoted.data + 1, .size = quoted.size - 2};
    size_t size = 0;
    char *copy;

    *out = inside;
    if (quoted.data[0] == '`' || inside.size == 0) return OK;
    if (!memchr(inside.data, '\\', inside.size)) return OK;
    copy = arena_alloc(a, inside.size);
    if (!copy) return arena_error(a, err);
    for (size_t i = 0; i < inside.size;) {
        if (inside.data[i] != '\\') {
            copy[size++] = inside.data[i++];
            continue;
        }
        size_t written;
        struct str rest = {.data = inside.data + i + 1, .size = inside.size - i - 1};
        i += 1 + unescape(rest, copy + size, &written);
        size += written;
    }
    *out = (struct str){.data = copy, .size = size};
    return OK;
}

/* Control characters and bytes that are no UTF-8. */
static size_t quote_byte(unsigned char c, char quote, char out[QUOTED_CHARACTER_BYTES])
{
    static const char letters[] = {['\a'] = 'a', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n',
                                   ['\r'] = 'r', ['\t'] = 't', ['\v'] = 'v'};
    char letter = '\0';

    if (c < sizeof(letters)) letter = letters[c];
    if (c == '\\' || c == (unsigned char)quote) letter = (char)c;
    if (letter) {
        out[0] = '\\';
        out[1] = letter;
        return 2;
    }
    if (c >= 0x20 && c < 0x7F) {
        out[0] = (char)c;
        return 1;
    }
    return (size_t)snprintf(out, QUOTED_CHARACTER_BYTES, "\\x%02x", c);
}

size_t quote_character(struct str text, char quote, char out[QUOTED_CHARACTER_BYTES],
                       size_t *out_size)
{
    unsigned char first = (unsigned char)text.data[0];
    size_t length = name_character_size(text.data, text.size);

    if (length <= 1) {
        *out_size = quote_byte(first, quote, out);
        return 1;
    }
    if (first == 0xC2 && (unsigned char)text.data[1] < 0xA0) { /* the controls U+0080 to U+009F */
        unsigned code = (unsigned char)text.data[1];
        *out_size = (size_t)snprintf(out, QUOTED_CHARACTER_BYTES, "\\u%04x", code);
        return length;
    }
    memcpy(out, text.data, length);
    *out_size = length;
    return length;
}

void quote_append(struct buf *b, struct str text)
{
    char piece[QUOTED_CHARACTER_BYTES];
    size_t size;

    buf_append_byte(b, '"');
    for (size_t i = 0; i < text.size;) {
        struct str rest = {.data = text.data + i, .size = text.size - i};
        i += quote_character(rest, '"', piece, &size);
        buf_append(b, piece, size);
    }
    buf_append_byte(b, '"');
}

const char *quote_text(struct str text, char out[QUOTED_TEXT_BYTES])
{
    size_t used = 0;
    char piece[QUOTED_CHARACTER_BYTES];
    size_t size;

    out[used++] = '"';
    for (size_t i = 0; i < text.size;) {
        struct str rest = {.data = text.data + i, .size = text.size - i};
        i += quote_character(rest, '"', piece, &size);
        if (used + size + 2 > QUOTED_TEXT_BYTES) break;
        memcpy(out + used, piece, size);
        used += size;
    }
    out[used++] = '"';
    out[used] = '\0';
    return out;
}
