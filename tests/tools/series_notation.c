/* series_notation - a reader of one line, left to right. */
#include "tests/tools/series_notation.h"

#include <math.h>
#include <stdio.h>

#include "model/number.h"
#include "model/sample.h"
#include "promql/literal.h"

struct reader {
    struct str text;
    size_t at;
    struct arena *arena;
    struct error *err;
};

static char peek(const struct reader *r)
{
    if (r->at >= r->text.size) return 0;
    return r->text.data[r->at];
}

static bool take(struct reader *r, char c)
{
    if (peek(r) != c) return false;
    r->at++;
    return true;
}

static void skip_blanks(struct reader *r)
{
    while (peek(r) == ' ' || peek(r) == '\t')
        r->at++;
}

static enum status wrong(const struct reader *r, const char *what)
{
    return error_set(r->err, ERR_INVALID, "column %zu: %s in \"%.*s\"", r->at + 1, what,
                     STR_ARG(r->text));
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == ':';
}

static struct str take_name(struct reader *r)
{
    struct str name = {.data = r->text.data + r->at};
    while (is_name(peek(r))) {
        r->at++;
        name.size++;
    }
    return name;
}

static enum status take_quoted(struct reader *r, struct str *out)
{
    size_t start = r->at;
    char quote = peek(r);
    if (quote != '"' && quote != '\'' && quote != '`') return wrong(r, "no quoted text");
    r->at++;
    while (peek(r) && peek(r) != quote)
        r->at += peek(r) == '\\' && quote != '`' ? 2 : 1;
    if (!take(r, quote)) return wrong(r, "no end of quotes");
    struct str quoted = {.data = r->text.data + start, .size = r->at - start};
    return literal_string(quoted, r->arena, out, r->err);
}

struct label_list VEC_OF(struct label);

static enum status push(struct reader *r, struct label_list *list, struct str name,
                        struct str value)
{
    struct label *slot = VEC_PUSH(list, r->arena);
    if (!slot) return arena_error(r->arena, r->err);
    *slot = (struct label){.name = name, .value = value};
    return OK;
}

static enum status take_label(struct reader *r, struct label_list *list)
{
    struct str name;
    struct str value;
    bool quoted = peek(r) == '"' || peek(r) == '\'';
    if (quoted) {
        enum status st = take_quoted(r, &name);
        if (st) return st;
    } else {
        name = take_name(r);
    }
    skip_blanks(r);
    if (!take(r, '='))
        return quoted ? push(r, list, LABEL_METRIC_NAME, name) : wrong(r, "no = behind a label");
    skip_blanks(r);
    enum status st = take_quoted(r, &value);
    return st ? st : push(r, list, name, value);
}

static enum status take_metric(struct reader *r, struct labels *out)
{
    struct label_list list = {0};
    enum status st = OK;
    struct str name = take_name(r);
    if (name.size) st = push(r, &list, LABEL_METRIC_NAME, name);
    skip_blanks(r);
    bool histogram = peek(r) == '{' && r->at + 1 < r->text.size && r->text.data[r->at + 1] == '{';
    bool more = !st && !histogram && take(r, '{');
    if (!name.size && !more && !st) return wrong(r, "neither a name nor {");
    while (more) {
        skip_blanks(r);
        if (take(r, '}')) break;
        st = take_label(r, &list);
        if (st) return st;
        skip_blanks(r);
        if (!take(r, ',') && peek(r) != '}') return wrong(r, "neither , nor }");
    }
    return st ? st : labels_normalize(list.items, list.count, out, r->err);
}

/* The longest number here, without a sign. */
static size_t number_size(const struct reader *r)
{
    const char *p = r->text.data + r->at;
    size_t left = r->text.size - r->at;
    size_t n = 0;
    if (left >= 3 && (p[0] == 'i' || p[0] == 'I' || p[0] == 'n' || p[0] == 'N')) return 3;
    while (n < left && (is_digit(p[n]) || p[n] == '.'))
        n++;
    if (n && n < left && (p[n] == 'e' || p[n] == 'E')) {
        size_t e = n + 1;
        if (e < left && (p[e] == '+' || p[e] == '-')) e++;
        while (e < left && is_digit(p[e]))
            n = ++e;
    }
    return n;
}

static enum status take_number(struct reader *r, double *out)
{
    bool negative = peek(r) == '-';
    if (negative || peek(r) == '+') r->at++;
    struct str digits = {.data = r->text.data + r->at, .size = number_size(r)};
    if (!digits.size || !number_parse(digits, out)) return wrong(r, "no number");
    if (isnan(*out)) *out = bits_to_double(NORMAL_NAN_BITS);
    if (negative) *out = -*out;
    r->at += digits.size;
    return OK;
}

static enum status take_count(struct reader *r, size_t *out)
{
    const size_t count_max = 1000000;
    *out = 0;
    if (!is_digit(peek(r))) return wrong(r, "no count behind x");
    while (is_digit(peek(r)) && *out < count_max)
        *out = *out * 10 + (size_t)(r->text.data[r->at++] - '0');
    return OK;
}

static enum status repeat(struct reader *r, struct notation_values *values,
                          struct notation_value first, double step, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct notation_value *slot = VEC_PUSH(values, r->arena);
        if (!slot) return arena_error(r->arena, r->err);
        *slot = first;
        first.v += step;
    }
    return OK;
}

static bool take_word(struct reader *r, struct str word)
{
    struct str rest = {.data = r->text.data + r->at, .size = r->text.size - r->at};
    if (!str_starts_with(rest, word)) return false;
    r->at += word.size;
    return true;
}

/* {{...}}, {{...}}xn, {{...}}+{{...}}xn */
static enum status take_histogram(struct reader *r, struct series_notation *out)
{
    struct notation_value value = {.kind = NOTATION_HISTOGRAM};
    size_t count = 0;
    out->has_histograms = true;
    do {
        while (peek(r) && !take_word(r, STR("}}")))
            r->at++;
    } while (take(r, '+') || take(r, '-'));
    if (take(r, 'x')) {
        enum status st = take_count(r, &count);
        if (st) return st;
    }
    return repeat(r, &out->values, value, 0, count + 1);
}

static enum status take_gap(struct reader *r, struct series_notation *out)
{
    size_t count = 1;
    enum status st = take(r, 'x') ? take_count(r, &count) : OK;
    return st ? st : repeat(r, &out->values, (struct notation_value){0}, 0, count);
}

static enum status take_value(struct reader *r, struct series_notation *out)
{
    struct notation_value value = {.kind = NOTATION_FLOAT};
    double step = 0;
    size_t count = 0;
    if (take(r, '_')) return take_gap(r, out);
    if (peek(r) == '{') return take_histogram(r, out);
    enum status st = OK;
    if (take_word(r, STR("stale")))
        value.v = bits_to_double(STALE_NAN_BITS);
    else
        st = take_number(r, &value.v);
    if (!st && (peek(r) == '+' || peek(r) == '-')) {
        st = take_number(r, &step);
        if (!st && peek(r) != 'x') return wrong(r, "no x behind a step");
    }
    if (!st && take(r, 'x')) st = take_count(r, &count);
    return st ? st : repeat(r, &out->values, value, step, count + 1);
}

enum status series_notation_parse(struct str line, struct arena *a, struct series_notation *out,
                                  struct error *err)
{
    struct reader r = {.text = line, .arena = a, .err = err};
    *out = (struct series_notation){0};
    enum status st = take_metric(&r, &out->labels);
    skip_blanks(&r);
    while (!st && peek(&r)) {
        st = take_value(&r, out);
        if (!st && peek(&r) && peek(&r) != ' ' && peek(&r) != '\t')
            return wrong(&r, "no blank between values");
        skip_blanks(&r);
    }
    return st;
}
