/* names - UTF-8 by table-free checks of each sequence (RFC 3629: no overlong forms, no surrogates,
 * nothing above U+10FFFF), with a fast path over eight ASCII bytes at a time. */
#include "model/names.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

enum { RUNE_MAX = 0x10FFFF, SURROGATE_FIRST = 0xD800, SURROGATE_LAST = 0xDFFF };

/* How long the sequence that starts here is, and which second bytes it allows; 0: not a start. */
static size_t sequence_size(uint8_t first, uint8_t *second_least, uint8_t *second_most)
{
    *second_least = 0x80;
    *second_most = 0xBF;
    if (first < 0x80) return 1;
    if (first < 0xC2) return 0;
    if (first < 0xE0) return 2;
    if (first < 0xF0) {
        if (first == 0xE0) *second_least = 0xA0;
        if (first == 0xED) *second_most = 0x9F;
        return 3;
    }
    if (first > 0xF4) return 0;
    if (first == 0xF0) *second_least = 0x90;
    if (first == 0xF4) *second_most = 0x8F;
    return 4;
}

size_t name_character_size(const char *text, size_t size)
{
    const uint8_t *at = (const uint8_t *)text;
    uint8_t least;
    uint8_t most;
    if (size == 0) return 0;
    size_t length = sequence_size(at[0], &least, &most);
    if (length == 0 || length > size) return 0;
    if (length > 1 && (at[1] < least || at[1] > most)) return 0;
    for (size_t i = 2; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) return 0;
    }
    return length;
}

size_t name_character_put(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | (code >> 6));
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | (code >> 12));
        out[1] = (char)(0x80 | ((code >> 6) & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (code >> 18));
    out[1] = (char)(0x80 | ((code >> 12) & 0x3F));
    out[2] = (char)(0x80 | ((code >> 6) & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

static uint64_t load64(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static uint32_t load32(const char *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* By words, the last of which overlaps the one before. */
static bool is_ascii(struct str text)
{
    uint64_t bits = 0;
    if (text.size >= sizeof(bits)) {
        for (size_t i = 0; i + sizeof(bits) <= text.size; i += sizeof(bits))
            bits |= load64(text.data + i);
        bits |= load64(text.data + text.size - sizeof(bits));
    } else if (text.size >= sizeof(uint32_t)) {
        bits = load32(text.data) | load32(text.data + text.size - sizeof(uint32_t));
    } else {
        for (size_t i = 0; i < text.size; i++)
            bits |= (uint8_t)text.data[i];
    }
    return (bits & HIGH_BITS) == 0;
}

bool name_is_utf8(struct str text)
{
    if (is_ascii(text)) return true;
    size_t i = 0;
    while (i < text.size) {
        if (text.size - i >= sizeof(uint64_t) && (load64(text.data + i) & HIGH_BITS) == 0) {
            i += sizeof(uint64_t);
            continue;
        }
        size_t length = name_character_size(text.data + i, text.size - i);
        if (length == 0) return false;
        i += length;
    }
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_legacy(struct str name, bool colons)
{
    if (name.size == 0 || is_digit(name.data[0])) return false;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (!is_letter(c) && !is_digit(c) && !(colons && c == ':')) return false;
    }
    return true;
}

bool name_is_legacy_metric(struct str name)
{
    return is_legacy(name, true);
}

bool name_is_legacy_label(struct str name)
{
    return is_legacy(name, false);
}

/* Read "2e_" behind the underscore that starts a code; returns the bytes read, 0 when it is none.
 */
static size_t take_code(const char *at, const char *end, uint32_t *rune)
{
    enum { CODE_DIGITS_MAX = 6 };
    uint32_t value = 0;
    for (size_t i = 0; i <= CODE_DIGITS_MAX && at + i < end; i++) {
        if (at[i] == '_') {
            if (value > RUNE_MAX || (value >= SURROGATE_FIRST && value <= SURROGATE_LAST)) return 0;
            *rune = value;
            return i + 1;
        }
        unsigned digit = str_hex_digit(at[i]);
        if (digit > 15) return 0;
        value = value * 16 + digit;
    }
    return 0;
}

size_t name_unescape(struct str text, char *out)
{
    const struct str prefix = STR("U__");
    if (!str_starts_with(text, prefix)) return 0;
    size_t size = 0;
    const char *end = text.data + text.size;
    for (const char *at = text.data + prefix.size; at < end;) {
        uint32_t rune;
        if (*at != '_') {
            out[size++] = *at++;
        } else if (at + 1 < end && at[1] == '_') {
            out[size++] = '_';
            at += 2;
        } else {
            /* A code of n digits takes n + 2 bytes and gives at most 4: never longer than it was.
             */
            size_t taken = take_code(at + 1, end, &rune);
            if (taken == 0) return 0;
            size += name_character_put(rune, out + size);
            at += taken + 1;
        }
    }
    return size;
}
