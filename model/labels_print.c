/*
 * labels_print - label sets as text for people: up{job="node"}.
 *
 * Two passes over the same code: the first only counts, the second writes into one exact
 * allocation. Quoting follows Go's strconv.Quote; characters from U+00A0 on are taken as printable.
 */
#include <stdio.h>

#include "model/labels.h"
#include "model/names.h"

/* Where text goes: nowhere while data is NULL, then only the size counts. */
struct sink {
    char *data;
    size_t size;
};

static void put(struct sink *s, const char *data, size_t size)
{
    if (s->data && size > 0) memcpy(s->data + s->size, data, size);
    s->size += size;
}

static void put_str(struct sink *s, struct str text)
{
    put(s, text.data, text.size);
}

static void put_escaped_byte(struct sink *s, unsigned char c)
{
    static const char letters[] = {['\a'] = 'a', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n',
                                   ['\r'] = 'r', ['\t'] = 't', ['\v'] = 'v'};
    char text[8];
    if (c == '"' || c == '\\')
        put(s, (char[]){'\\', (char)c}, 2);
    else if (c < sizeof(letters) && letters[c])
        put(s, (char[]){'\\', letters[c]}, 2);
    else
        put(s, text, (size_t)snprintf(text, sizeof(text), "\\x%02x", c));
}

static void put_quoted(struct sink *s, struct str text)
{
    put(s, "\"", 1);
    for (size_t i = 0; i < text.size;) {
        unsigned char c = (unsigned char)text.data[i];
        size_t length = name_character_size(text.data + i, text.size - i);
        if (length <= 1) {
            bool plain = length == 1 && c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
            if (plain)
                put(s, text.data + i, 1);
            else
                put_escaped_byte(s, c);
            i++;
            continue;
        }
        if (c == 0xC2 && (unsigned char)text.data[i + 1] < 0xA0) {
            char code[8];
            unsigned rune = (unsigned char)text.data[i + 1];
            put(s, code, (size_t)snprintf(code, sizeof(code), "\\u%04x", rune));
        } else {
            put(s, text.data + i, length);
        }
        i += length;
    }
    put(s, "\"", 1);
}

static void put_labels(struct sink *s, struct labels set)
{
    struct str metric = labels_get(set, LABEL_METRIC_NAME);
    bool bare_metric = name_is_legacy_metric(metric);
    bool first = true;
    if (bare_metric) put_str(s, metric);
    if (bare_metric && set.count == 1) return;
    put(s, "{", 1);
    if (metric.size > 0 && !bare_metric) {
        put_quoted(s, metric);
        first = false;
    }
    for (size_t i = 0; i < set.count; i++) {
        const struct label *l = &set.items[i];
        if (str_equal(l->name, LABEL_METRIC_NAME)) continue;
        if (!first) put(s, ", ", 2);
        first = false;
        if (name_is_legacy_label(l->name))
            put_str(s, l->name);
        else
            put_quoted(s, l->name);
        put(s, "=", 1);
        put_quoted(s, l->value);
    }
    put(s, "}", 1);
}

enum status labels_print(struct labels set, struct arena *a, struct str *out, struct error *err)
{
    struct sink s = {.data = NULL, .size = 0};
    put_labels(&s, set);
    s.data = arena_alloc(a, s.size);
    if (!s.data) return arena_error(a, err);
    s.size = 0;
    put_labels(&s, set);
    *out = (struct str){.data = s.data, .size = s.size};
    return OK;
}
