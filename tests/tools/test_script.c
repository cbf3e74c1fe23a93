/* test_script - reading the test language line by line. */
#include "tests/tools/test_script.h"

#include <math.h>

#include "base/assert.h"
#include "model/duration.h"
#include "model/number.h"
#include "promql/literal.h"

static struct str trim(struct str s)
{
    while (s.size && strchr(" \t\r", s.data[0])) {
        s.data++;
        s.size--;
    }
    while (s.size && strchr(" \t\r", s.data[s.size - 1]))
        s.size--;
    return s;
}

/* The text up to the next blank, taken off the front. */
static struct str take_word(struct str *rest)
{
    *rest = trim(*rest);
    struct str word = {.data = rest->data};
    while (word.size < rest->size && !strchr(" \t", rest->data[word.size]))
        word.size++;
    rest->data += word.size;
    rest->size -= word.size;
    *rest = trim(*rest);
    return word;
}

static bool take_prefix(struct str *s, struct str prefix)
{
    if (!str_starts_with(*s, prefix)) return false;
    s->data += prefix.size;
    s->size -= prefix.size;
    return true;
}

static bool take_exactly(struct str *rest, struct str word)
{
    return str_equal(take_word(rest), word);
}

struct lines script_lines(struct str text, struct arena *a)
{
    struct lines lines = {0};
    while (text.size) {
        const char *end = memchr(text.data, '\n', text.size);
        size_t size = end ? (size_t)(end - text.data) : text.size;
        struct str *slot = VEC_PUSH(&lines, a);
        ASSERT(slot);
        *slot = trim((struct str){.data = text.data, .size = size});
        if (slot->size && slot->data[0] == '#') slot->size = 0;
        size += end != NULL;
        text = (struct str){.data = text.data + size, .size = text.size - size};
    }
    return lines;
}

static enum status parse_time(struct str text, int64_t *out, struct error *err)
{
    bool negative = take_prefix(&text, STR("-"));
    enum status st = duration_parse(text, out, err);
    if (!st && negative) *out = -*out;
    return st;
}

/* --- load ----------------------------------------------------------------------------------- */

static void add_series(struct notations *list, const struct series_notation *series,
                       struct arena *a)
{
    for (size_t i = 0; i < list->count; i++) {
        if (!labels_equal(list->items[i].labels, series->labels)) continue;
        list->items[i] = *series;
        return;
    }
    struct series_notation *slot = VEC_PUSH(list, a);
    ASSERT(slot);
    *slot = *series;
}

/* "metric{...}@st values": the part before the mark; empty when there is none. */
static struct str start_timestamp_series(struct str line)
{
    const char *mark = memmem(line.data, line.size, "@st ", 4);
    return mark ? (struct str){.data = line.data, .size = (size_t)(mark - line.data)} : STR("");
}

enum status script_load(const struct lines *lines, size_t *at, struct arena *a,
                        struct load_command *out, struct error *err)
{
    struct str rest = lines->items[*at];
    struct str command = take_word(&rest);
    *out = (struct load_command){.custom_buckets = str_equal(command, STR("load_with_nhcb"))};
    if (!out->custom_buckets && !str_equal(command, STR("load")))
        return error_set(err, ERR_INVALID, "unknown command \"%.*s\"", STR_ARG(command));
    enum status st = parse_time(rest, &out->gap_ms, err);
    while (!st && *at + 1 < lines->count && lines->items[*at + 1].size) {
        struct str line = lines->items[++*at];
        struct str with_start = start_timestamp_series(line);
        struct series_notation series;
        st = series_notation_parse(with_start.size ? with_start : line, a, &series, err);
        if (!st) add_series(with_start.size ? &out->start_ts : &out->series, &series, a);
    }
    return st;
}

/* --- eval ----------------------------------------------------------------------------------- */

static void expect_text(struct expectations *list, struct str text, bool is_regex, struct arena *a)
{
    struct expectation *slot = VEC_PUSH(list, a);
    ASSERT(slot);
    *slot = (struct expectation){.text = trim(text), .is_regex = is_regex, .any = !text.size};
}

/* Behind "fail", "warn" or "info": nothing, "msg: ..." or "regex: ...". */
static enum status expect_remark(struct expectations *list, struct str rest, struct arena *a,
                                 struct error *err)
{
    bool is_regex = take_prefix(&rest, STR("regex:"));
    if (!is_regex && !take_prefix(&rest, STR("msg:")) && rest.size)
        return error_set(err, ERR_INVALID, "expected msg: or regex:, got \"%.*s\"", STR_ARG(rest));
    expect_text(list, rest, is_regex, a);
    return OK;
}

/* "from 10s to 1m step 10s" */
static enum status take_range(struct str *rest, struct test_case *c, struct error *err)
{
    if (!take_exactly(rest, STR("from"))) return error_set(err, ERR_INVALID, "expected \"from\"");
    enum status st = parse_time(take_word(rest), &c->start_ms, err);
    if (!st && !take_exactly(rest, STR("to"))) st = error_set(err, ERR_INVALID, "expected \"to\"");
    if (!st) st = parse_time(take_word(rest), &c->end_ms, err);
    if (!st && !take_exactly(rest, STR("step")))
        st = error_set(err, ERR_INVALID, "expected \"step\"");
    if (!st) st = parse_time(take_word(rest), &c->step_ms, err);
    if (!st && c->end_ms < c->start_ms)
        st = error_set(err, ERR_INVALID, "the range ends before it starts");
    return st;
}

static enum status parse_expect(struct test_case *c, struct str rest, struct arena *a,
                                struct error *err)
{
    if (take_prefix(&rest, STR("range vector "))) {
        enum status st = take_range(&rest, c, err);
        c->from_range_vector = true;
        c->at_ms = c->end_ms;
        return st;
    }
    if (take_prefix(&rest, STR("string "))) {
        c->has_string = true;
        return literal_string(trim(rest), a, &c->string, err);
    }
    struct str word = take_word(&rest);
    if (str_equal(word, STR("fail"))) return expect_remark(&c->fail, rest, a, err);
    if (str_equal(word, STR("warn"))) return expect_remark(&c->warn, rest, a, err);
    if (str_equal(word, STR("info"))) return expect_remark(&c->info, rest, a, err);
    bool *flag = str_equal(word, STR("ordered"))   ? &c->ordered
                 : str_equal(word, STR("no_warn")) ? &c->no_warn
                 : str_equal(word, STR("no_info")) ? &c->no_info
                                                   : NULL;
    if (!flag) return error_set(err, ERR_INVALID, "cannot expect \"%.*s\"", STR_ARG(word));
    *flag = true;
    return OK;
}

static bool is_number_line(struct str line, double *out)
{
    bool negative = line.size && line.data[0] == '-';
    if (!number_parse(line, out)) return false;
    if (negative && isnan(*out)) *out = -*out;
    return true;
}

static enum status parse_expectation(struct test_case *c, struct str line, struct arena *a,
                                     struct error *err)
{
    struct str rest = line;
    if (take_prefix(&rest, STR("expect "))) return parse_expect(c, trim(rest), a, err);
    if (c->fail.count && (take_prefix(&rest, STR("expected_fail_message ")) ||
                          take_prefix(&rest, STR("expected_fail_regexp ")))) {
        bool is_regex = str_starts_with(line, STR("expected_fail_regexp"));
        c->fail.count = 0;
        expect_text(&c->fail, rest, is_regex, a);
        return OK;
    }
    if (is_number_line(line, &c->scalar)) {
        c->has_scalar = true;
        return OK;
    }
    struct series_notation *slot = VEC_PUSH(&c->series, a);
    ASSERT(slot);
    enum status st = series_notation_parse(line, a, slot, err);
    if (st) return st;
    c->expects_histograms = c->expects_histograms || slot->has_histograms;
    if (slot->values.count > 1 && !c->is_range && !c->from_range_vector)
        return error_set(err, ERR_INVALID, "several values of a series at one time");
    return OK;
}

static enum status parse_command(struct test_case *c, struct str line, struct arena *a,
                                 struct error *err)
{
    struct str command = take_word(&line);
    struct str kind = take_word(&line);
    if (str_equal(command, STR("eval_ordered")))
        c->ordered = true;
    else if (str_equal(command, STR("eval_fail")))
        expect_text(&c->fail, STR(""), false, a);
    else if (str_equal(command, STR("eval_warn")))
        expect_text(&c->warn, STR(""), false, a);
    else if (str_equal(command, STR("eval_info")))
        expect_text(&c->info, STR(""), false, a);
    else if (!str_equal(command, STR("eval")))
        return error_set(err, ERR_INVALID, "unknown command \"%.*s\"", STR_ARG(command));
    enum status st = OK;
    c->is_range = str_equal(kind, STR("range"));
    if (c->is_range)
        st = take_range(&line, c, err);
    else if (!str_equal(kind, STR("instant")) || !take_exactly(&line, STR("at")))
        st = error_set(err, ERR_INVALID, "expected \"instant at\" or \"range from\"");
    else
        st = parse_time(take_word(&line), &c->at_ms, err);
    c->expr = line;
    return st;
}

enum status script_eval(const struct lines *lines, size_t *at, struct arena *a,
                        struct test_case *out, struct error *err)
{
    *out = (struct test_case){.line = (unsigned)*at + 1};
    enum status st = parse_command(out, lines->items[*at], a, err);
    while (!st && *at + 1 < lines->count && lines->items[*at + 1].size)
        st = parse_expectation(out, lines->items[++*at], a, err);
    return st;
}
