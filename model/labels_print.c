/*
 * labels_print - label sets as text for people: up{job="node"}.
 *
 * Two passes over the same code: the first only counts, the second writes into one exact
 * allocation; the short form has its room given and drops what does not fit. Quoting follows Go's
 * strconv.Quote; characters from U+00A0 on are taken as printable.
 */
#include <stdio.h>

#include "model/labels.h"
#include "model/names.h"

/* Where text goes: pieces that do not fit are dropped with everything behind them, but counted. */
struct sink {
    char *data;
    size_t room;
    size_t kept; /* bytes written */
    size_t size; /* bytes asked for */
};

static void put(struct sink *s, const char *data, size_t size)
{
    if (s->kept == s->size && size > 0 && size <= s->room - s->kept) {
        memcpy(s->data + s->kept, data, size);
        s->kept += size;
    }
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

static struct str find_metric(struct labels set)
{
    for (size_t i = 0; i < set.count; i++) {
        if (str_equal(set.items[i].name, LABEL_METRIC_NAME)) return set.items[i].value;
    }
    return STR("");
}

static void put_labels(struct sink *s, struct labels set)
{
    struct str metric = find_metric(set);
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
    struct sink s = {.data = NULL, .room = 0};
    put_labels(&s, set);
    char *data = arena_alloc(a, s.size);
    if (!data) return arena_error(a, err);
    s = (struct sink){.data = data, .room = s.size};
    put_labels(&s, set);
    *out = (struct str){.data = data, .size = s.size};
    return OK;
}

const char *labels_print_short(struct labels set, char *out, size_t room)
{
    const struct str dots = STR("...");
    struct sink s = {.data = out, .room = room - dots.size - 1};
    put_labels(&s, set);
    if (s.kept < s.size) {
        memcpy(out + s.kept, dots.data, dots.size);
        s.kept += dots.size;
    }
    out[s.kept] = '\0';
    return out;
}
