/* json - two bit masks keep the state of every open container; nothing is ever looked back at. */
#include "wire/json.h"

#include <math.h>

#include "base/assert.h"
#include "model/names.h"
#include "model/number.h"

static uint64_t bit_at(unsigned depth)
{
    return UINT64_C(1) << depth;
}

static bool in_object(const struct json *j)
{
    return j->depth > 0 && (j->objects & bit_at(j->depth)) != 0;
}

void json_init(struct json *j, struct buf *out)
{
    *j = (struct json){.out = out};
}

bool json_is_complete(const struct json *j)
{
    return j->depth == 0 && (j->filled & 1) != 0;
}

/* A comma, unless this is the first of its container. One value stands at the top. */
static void separate(struct json *j)
{
    uint64_t bit = bit_at(j->depth);
    if (j->filled & bit) {
        ASSERT(j->depth > 0);
        buf_append_byte(j->out, ',');
    }
    j->filled |= bit;
}

/* Before every value: a comma in arrays, the key's turn in objects. */
static void value_begin(struct json *j)
{
    if (in_object(j)) {
        ASSERT(j->keyed);
        j->keyed = false;
    } else {
        separate(j);
    }
}

static void container_begin(struct json *j, bool object)
{
    value_begin(j);
    ASSERT(j->depth < JSON_DEPTH_MAX);
    j->depth++;
    j->filled &= ~bit_at(j->depth);
    j->objects &= ~bit_at(j->depth);
    if (object) j->objects |= bit_at(j->depth);
    buf_append_byte(j->out, object ? '{' : '[');
}

void json_object_begin(struct json *j)
{
    container_begin(j, true);
}

void json_object_end(struct json *j)
{
    ASSERT(in_object(j) && !j->keyed);
    j->depth--;
    buf_append_byte(j->out, '}');
}

void json_array_begin(struct json *j)
{
    container_begin(j, false);
}

void json_array_end(struct json *j)
{
    ASSERT(j->depth > 0 && !in_object(j));
    j->depth--;
    buf_append_byte(j->out, ']');
}

/* Characters that stand for themselves inside quotes. */
static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

/* Which of eight bytes are this one: 0 when none is. */
static uint64_t bytes_that_are(uint64_t bytes, uint8_t c)
{
    uint64_t zeros = bytes ^ c * UINT64_C(0x0101010101010101);
    return (zeros - UINT64_C(0x0101010101010101)) & ~zeros & UINT64_C(0x8080808080808080);
}

static bool eight_are_plain(const char *text)
{
    uint64_t bytes;
    memcpy(&bytes, text, sizeof(bytes));
    uint64_t low = (bytes - UINT64_C(0x2020202020202020)) & ~bytes;
    uint64_t special = (low | bytes) & UINT64_C(0x8080808080808080);
    special |= bytes_that_are(bytes, '"') | bytes_that_are(bytes, '\\');
    special |= bytes_that_are(bytes, '&');
    special |= bytes_that_are(bytes | UINT64_C(0x0202020202020202), '>'); /* and '<' */
    return !special;
}

/* All of them? */
static bool are_plain(struct str text)
{
    enum { AT_ONCE = 8 };
    size_t i = 0;
    for (; i + AT_ONCE <= text.size; i += AT_ONCE)
        if (!eight_are_plain(text.data + i)) return false;
    if (text.size >= AT_ONCE) return eight_are_plain(text.data + text.size - AT_ONCE);
    while (i < text.size && is_plain((uint8_t)text.data[i]))
        i++;
    return i == text.size;
}

static uint8_t *put_quoted(uint8_t *at, struct str text)
{
    *at++ = '"';
    if (text.size) memcpy(at, text.data, text.size);
    at[text.size] = '"';
    return at + text.size + 1;
}

static void put_ascii_escape(struct buf *out, uint8_t c)
{
    switch (c) {
    case '"': buf_append_str(out, STR("\\\"")); return;
    case '\\': buf_append_str(out, STR("\\\\")); return;
    case '\n': buf_append_str(out, STR("\\n")); return;
    case '\r': buf_append_str(out, STR("\\r")); return;
    case '\t': buf_append_str(out, STR("\\t")); return;
    default: {
        static const char digits[] = "0123456789abcdef";
        const char escape[] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 0xF]};
        buf_append(out, escape, sizeof(escape));
    }
    }
}

/* Write the character at text that is not plain; returns how many bytes of text it took. */
static size_t put_special(struct buf *out, const char *text, size_t size)
{
    uint8_t first = (uint8_t)text[0];
    if (first < 0x80) {
        put_ascii_escape(out, first);
        return 1;
    }
    size_t length = name_character_size(text, size);
    if (length == 0) {
        buf_append_str(out, STR("\\ufffd"));
        return 1;
    }
    /* U+2028 and U+2029 end lines in JavaScript. */
    if (length == 3 && memcmp(text, "\xE2\x80", 2) == 0 && ((uint8_t)text[2] & 0xFE) == 0xA8)
        buf_append_str(out, (uint8_t)text[2] == 0xA8 ? STR("\\u2028") : STR("\\u2029"));
    else
        buf_append(out, text, length);
    return length;
}

static void put_string(struct buf *out, struct str text)
{
    if (LIKELY(are_plain(text))) {
        uint8_t *at = buf_reserve(out, text.size + 2);
        if (at) out->size += (size_t)(put_quoted(at, text) - at);
        return;
    }
    buf_append_byte(out, '"');
    for (size_t i = 0; i < text.size;) {
        size_t start = i;
        while (i < text.size && is_plain((uint8_t)text.data[i]))
            i++;
        if (i > start) buf_append(out, text.data + start, i - start);
        if (i < text.size) i += put_special(out, text.data + i, text.size - i);
    }
    buf_append_byte(out, '"');
}

void json_key(struct json *j, struct str key)
{
    ASSERT(in_object(j) && !j->keyed);
    separate(j);
    put_string(j->out, key);
    buf_append_byte(j->out, ':');
    j->keyed = true;
}

void json_string(struct json *j, struct str text)
{
    value_begin(j);
    put_string(j->out, text);
}

void json_text(struct json *j, const char *key, struct str text)
{
    json_key(j, str_from(key));
    json_string(j, text);
}

void json_count(struct json *j, const char *key, uint64_t v)
{
    json_key(j, str_from(key));
    json_uint(j, v);
}

void json_integer(struct json *j, const char *key, int64_t v)
{
    json_key(j, str_from(key));
    json_int(j, v);
}

void json_int(struct json *j, int64_t v)
{
    value_begin(j);
    buf_printf(j->out, "%lld", (long long)v);
}

void json_uint(struct json *j, uint64_t v)
{
    value_begin(j);
    buf_printf(j->out, "%llu", (unsigned long long)v);
}

void json_bool(struct json *j, bool v)
{
    value_begin(j);
    buf_append_str(j->out, v ? STR("true") : STR("false"));
}

void json_null(struct json *j)
{
    value_begin(j);
    buf_append_str(j->out, STR("null"));
}

void json_number(struct json *j, double v)
{
    char text[NUMBER_TEXT_BYTES];
    if (!isfinite(v)) {
        json_null(j);
        return;
    }
    value_begin(j);
    buf_append(j->out, text, number_format_json(text, v));
}

/* One reservation for the whole pair: matrices are made of millions of these. */
void json_point(struct json *j, int64_t t_ms, double v)
{
    value_begin(j);
    uint8_t *start = buf_reserve(j->out, 2 * (size_t)NUMBER_TEXT_BYTES + 5);
    if (!start) return;
    char *at = (char *)start;
    *at++ = '[';
    at += number_format_seconds(at, t_ms);
    *at++ = ',';
    *at++ = '"';
    at += number_format_json(at, v);
    *at++ = '"';
    *at++ = ']';
    j->out->size += (size_t)(at - (char *)start);
}

/* One reservation for the whole pair. false: there is something to escape, and nothing written. */
static bool put_plain_pair(struct buf *out, bool first, const struct label *label)
{
    enum { COMMA_QUOTES_COLON = 6 };
    if (!are_plain(label->name) || !are_plain(label->value)) return false;
    uint8_t *start = buf_reserve(out, label->name.size + label->value.size + COMMA_QUOTES_COLON);
    if (!start) return true;
    uint8_t *at = start;
    *at = ',';
    at = put_quoted(at + !first, label->name);
    *at++ = ':';
    at = put_quoted(at, label->value);
    out->size += (size_t)(at - start);
    return true;
}

void json_labels(struct json *j, struct labels set)
{
    json_object_begin(j);
    for (size_t i = 0; i < set.count; i++) {
        if (put_plain_pair(j->out, i == 0, &set.items[i])) {
            j->filled |= bit_at(j->depth);
            continue;
        }
        json_key(j, set.items[i].name);
        json_string(j, set.items[i].value);
    }
    json_object_end(j);
}
