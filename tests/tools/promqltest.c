/*
 * promqltest - runs scripts of Prometheus' test language against the real storage and engine.
 *
 *     load 5m
 *       requests{job="a"} 0+10x10
 *     eval instant at 50m rate(requests[5m])
 *       {job="a"} 0.0333
 *
 *     promqltest [--optional] [-v] FILE...
 *
 * Prints one line per file: passed, failed, and skipped by reason. What needs native histograms or
 * features that are off is skipped, never passed. Instant queries are asked a second time as the
 * middle step of a range query. Exit status: 0, 1 when a case failed, 77 when --optional is given
 * and no file is there.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "model/duration.h"
#include "model/number.h"
#include "promql/engine.h"
#include "promql/functions.h"
#include "promql/literal.h"
#include "promql/parser.h"
#include "storage/appender.h"
#include "tests/tools/series_notation.h"

enum { EXIT_SKIPPED = 77, LOOKBACK_MS = 300000, MINUTE_MS = 60000, SAMPLES_MAX = 10000 };

enum skip_reason {
    SKIP_NONE,
    SKIP_HISTOGRAM,
    SKIP_START_TIMESTAMP,
    SKIP_EXPERIMENTAL,
    SKIP_UNSUPPORTED,
    SKIP_DELAYED_NAME,
    SKIP_REASON_COUNT
};

static const char *const skip_words[] = {
    "",
    "native histograms",
    "start timestamps",
    "experimental syntax",
    "unsupported function",
    "delayed name removal",
};

/* Cases that only hold with Prometheus' promql-delayed-name-removal, which is off by default. */
static const struct {
    const char *file;
    const char *expr;
} delayed_name_cases[] = {
    {"name_label_dropping.test",
     "label_join(rate({env=\"1\"}[10m]), \"my_name\", \"_\", \"__name__\")"},
    {"name_label_dropping.test",
     "label_join(rate({env=\"1\"}[10m]), \"__name__\", \"_\", \"__name__\", \"env\")"},
    {"name_label_dropping.test", "sum(rate({env=\"1\"}[10m])) by (env)"},
    {"name_label_dropping.test",
     "sum by (__name__) (rate(metric_total{env=\"2\"}[5m]) or metric_total{env=\"1\"})"},
    {"type_and_unit.test",
     "(http_requests_total{group=\"canary\"} + 1) and http_requests_total{instance=\"0\"}"},
    {"type_and_unit.test",
     "(http_requests_total{group=\"canary\"} + 1) or http_requests_total{instance=\"1\"}"},
};

struct expectation {
    struct str text;
    bool is_regex;
    bool any;
};
struct expectations VEC_OF(struct expectation);
struct expected_series VEC_OF(struct series_notation);

struct test_case {
    struct str expr;
    unsigned line;
    bool is_range;
    bool from_range_vector; /* expect range vector ...: start, end and step are of the answer */
    int64_t at_ms;
    int64_t start_ms, end_ms, step_ms;
    bool ordered, no_warn, no_info;
    struct expectations fail, warn, info;
    bool has_string, has_scalar;
    struct str string;
    double scalar;
    struct expected_series series;
    bool expects_histograms;
};

struct label_sets VEC_OF(struct labels);

struct runner {
    const char *path;
    bool verbose;
    struct storage *db;
    struct arena script; /* lines, cases: as long as the file */
    struct arena loaded; /* what is in the storage: until clear */
    struct label_sets histograms;
    struct label_sets start_timestamps;
    unsigned passed, failed;
    unsigned skipped[SKIP_REASON_COUNT];
};

static void die(const struct runner *r, unsigned line, const struct error *err)
{
    fprintf(stderr, "%s:%u: %s\n", r->path, line, err->text);
    exit(2);
}

static void storage_renew(struct runner *r)
{
    struct error err;
    struct storage_options options = storage_options_default();
    options.chunk_ms = INT64_C(365) * 24 * 60 * MINUTE_MS;
    options.shards = 4;
    if (r->db) storage_close(r->db);
    clock_freeze(options.chunk_ms / 2); /* all times of a script are in the current window */
    if (storage_open(&options, &r->db, &err)) die(r, 0, &err);
    arena_reset(&r->loaded);
    r->histograms = (struct label_sets){0};
    r->start_timestamps = (struct label_sets){0};
}

/* --- lines ---------------------------------------------------------------------------------- */

struct lines VEC_OF(struct str);

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

static struct lines split(struct str text, struct arena *a)
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

static int64_t parse_time(const struct runner *r, unsigned line, struct str text)
{
    int64_t ms;
    struct error err;
    bool negative = take_prefix(&text, STR("-"));
    if (duration_parse(text, &ms, &err)) die(r, line, &err);
    return negative ? -ms : ms;
}

/* --- load ----------------------------------------------------------------------------------- */

static void remember(struct label_sets *sets, struct labels labels, struct arena *a)
{
    struct labels *slot = VEC_PUSH(sets, a);
    ASSERT(slot);
    if (labels_copy(labels, a, slot, NULL)) abort();
}

/* A classic histogram's series stand for a native one with load_with_nhcb: the base name, no le. */
static void remember_custom_buckets(struct runner *r, struct labels labels)
{
    static const char *const suffixes[] = {"_bucket", "_count", "_sum"};
    struct str name = labels_get(labels, LABEL_METRIC_NAME);
    struct labels base = labels;
    for (size_t i = 0; i < ARRAY_COUNT(suffixes); i++) {
        size_t size = strlen(suffixes[i]);
        if (name.size < size || memcmp(name.data + name.size - size, suffixes[i], size) != 0)
            continue;
        name.size -= size;
        if (labels_set(base, LABEL_METRIC_NAME, name, &r->loaded, &base, NULL) ||
            labels_set(base, STR("le"), STR(""), &r->loaded, &base, NULL))
            abort();
        remember(&r->histograms, base, &r->loaded);
        return;
    }
}

static void load_series(struct runner *r, unsigned line, const struct series_notation *series,
                        int64_t gap_ms)
{
    struct error err = {0};
    struct arena batch;
    struct appender *app;
    struct append_result result;
    arena_init(&batch, HEAP_QUERY, UINT64_MAX);
    struct sample *samples = arena_alloc_array(&batch, series->values.count, sizeof(*samples));
    ASSERT(samples);
    size_t count = 0;
    for (size_t i = 0; i < series->values.count; i++)
        if (series->values.items[i].kind == NOTATION_FLOAT)
            samples[count++] =
                (struct sample){.t_ms = (int64_t)i * gap_ms, .v = series->values.items[i].v};
    if (appender_begin(r->db, &batch, &app, &err) ||
        appender_add(app, series->labels, samples, count, &err) ||
        appender_commit(app, &result, &err))
        die(r, line, &err);
    arena_release(&batch);
}

struct load VEC_OF(struct series_notation);

/* A series given twice: the last time counts. */
static void add_to_load(struct runner *r, struct load *load, const struct series_notation *series)
{
    for (size_t i = 0; i < load->count; i++) {
        if (!labels_equal(load->items[i].labels, series->labels)) continue;
        load->items[i] = *series;
        return;
    }
    struct series_notation *slot = VEC_PUSH(load, &r->loaded);
    ASSERT(slot);
    *slot = *series;
}

/* Returns the index of the last line that belongs to the load. */
static size_t run_load(struct runner *r, const struct lines *lines, size_t at)
{
    struct str rest = lines->items[at];
    struct str command = take_word(&rest);
    bool custom_buckets = str_equal(command, STR("load_with_nhcb"));
    int64_t gap_ms = parse_time(r, (unsigned)at + 1, rest);
    struct load load = {0};
    while (at + 1 < lines->count && lines->items[at + 1].size) {
        struct str line = lines->items[++at];
        struct series_notation series;
        struct error err;
        const char *st_mark = memmem(line.data, line.size, "@st", 3);
        if (st_mark) line.size = (size_t)(st_mark - line.data);
        if (series_notation_parse(line, &r->loaded, &series, &err)) die(r, (unsigned)at + 1, &err);
        if (st_mark) {
            remember(&r->start_timestamps, series.labels, &r->loaded);
            continue;
        }
        if (series.has_histograms) remember(&r->histograms, series.labels, &r->loaded);
        if (custom_buckets) remember_custom_buckets(r, series.labels);
        add_to_load(r, &load, &series);
    }
    for (size_t i = 0; i < load.count; i++)
        load_series(r, (unsigned)at + 1, &load.items[i], gap_ms);
    return at;
}

/* --- expectations --------------------------------------------------------------------------- */

static void add_expectation(struct runner *r, struct expectations *list, struct str rest)
{
    struct expectation *slot = VEC_PUSH(list, &r->script);
    ASSERT(slot);
    *slot = (struct expectation){.any = true};
    bool regex = take_prefix(&rest, STR("regex:"));
    if (!regex && !take_prefix(&rest, STR("msg:"))) return;
    *slot = (struct expectation){.text = trim(rest), .is_regex = regex};
}

static void parse_range_vector(struct runner *r, struct test_case *c, unsigned line,
                               struct str rest)
{
    (void)take_word(&rest); /* from */
    c->start_ms = parse_time(r, line, take_word(&rest));
    (void)take_word(&rest); /* to */
    c->end_ms = parse_time(r, line, take_word(&rest));
    (void)take_word(&rest); /* step */
    c->step_ms = parse_time(r, line, take_word(&rest));
    c->from_range_vector = true;
}

static void parse_expect(struct runner *r, struct test_case *c, unsigned line, struct str rest)
{
    struct error err;
    if (take_prefix(&rest, STR("range vector "))) {
        parse_range_vector(r, c, line, rest);
        return;
    }
    if (take_prefix(&rest, STR("string "))) {
        c->has_string = true;
        if (literal_string(trim(rest), &r->script, &c->string, &err)) die(r, line, &err);
        return;
    }
    struct str word = take_word(&rest);
    if (str_equal(word, STR("ordered"))) c->ordered = true;
    if (str_equal(word, STR("no_warn"))) c->no_warn = true;
    if (str_equal(word, STR("no_info"))) c->no_info = true;
    if (str_equal(word, STR("fail"))) add_expectation(r, &c->fail, rest);
    if (str_equal(word, STR("warn"))) add_expectation(r, &c->warn, rest);
    if (str_equal(word, STR("info"))) add_expectation(r, &c->info, rest);
}

static bool is_number_line(struct str line, double *out)
{
    bool negative = line.size && line.data[0] == '-';
    if (!number_parse(line, out)) return false;
    if (negative && isnan(*out)) *out = -*out;
    return true;
}

static size_t parse_expectations(struct runner *r, struct test_case *c, const struct lines *lines,
                                 size_t at)
{
    while (at + 1 < lines->count && lines->items[at + 1].size) {
        struct str line = lines->items[++at];
        struct str rest = line;
        struct error err;
        if (take_prefix(&rest, STR("expect "))) {
            parse_expect(r, c, (unsigned)at + 1, trim(rest));
        } else if (is_number_line(line, &c->scalar)) {
            c->has_scalar = true;
        } else {
            struct series_notation *slot = VEC_PUSH(&c->series, &r->script);
            ASSERT(slot);
            if (series_notation_parse(line, &r->script, slot, &err)) die(r, (unsigned)at + 1, &err);
            c->expects_histograms = c->expects_histograms || slot->has_histograms;
        }
    }
    return at;
}

static void parse_command(struct runner *r, struct test_case *c, struct str line)
{
    struct str command = take_word(&line);
    if (str_equal(command, STR("eval_ordered"))) c->ordered = true;
    if (str_equal(command, STR("eval_fail"))) add_expectation(r, &c->fail, STR(""));
    if (str_equal(command, STR("eval_warn"))) add_expectation(r, &c->warn, STR(""));
    if (str_equal(command, STR("eval_info"))) add_expectation(r, &c->info, STR(""));
    struct str kind = take_word(&line);
    c->is_range = str_equal(kind, STR("range"));
    (void)take_word(&line); /* at, or from */
    c->at_ms = parse_time(r, c->line, take_word(&line));
    if (c->is_range) {
        c->start_ms = c->at_ms;
        (void)take_word(&line); /* to */
        c->end_ms = parse_time(r, c->line, take_word(&line));
        (void)take_word(&line); /* step */
        c->step_ms = parse_time(r, c->line, take_word(&line));
    }
    c->expr = line;
}

/* --- what to skip --------------------------------------------------------------------------- */

/* Only info() can be parsed and not be run, and it is called first. */
static bool calls_unsupported(const struct ast *tree)
{
    return tree->kind == AST_CALL && strcmp(tree->call.function->name, "info") == 0;
}

static bool selects_any(const struct ast *selector, const struct label_sets *sets)
{
    for (size_t i = 0; i < sets->count; i++) {
        bool all = true;
        for (size_t k = 0; all && k < selector->selector.matcher_count; k++) {
            const struct matcher *m = &selector->selector.matchers[k];
            all = matcher_matches(m, labels_get(sets->items[i], m->name));
        }
        if (all) return true;
    }
    return false;
}

/* Does any selector of the tree match one of the sets? Recursion: AST_DEPTH_MAX. */
static bool tree_selects(const struct ast *node, const struct label_sets *sets)
{
    if (!node) return false;
    switch (node->kind) {
    case AST_VECTOR_SELECTOR: return selects_any(node, sets);
    case AST_MATRIX_SELECTOR: return selects_any(node->matrix.selector, sets);
    case AST_SUBQUERY: return tree_selects(node->subquery.expr, sets);
    case AST_CALL:
        for (size_t i = 0; i < node->call.arg_count; i++)
            if (tree_selects(node->call.args[i], sets)) return true;
        return false;
    case AST_AGGREGATE:
        return tree_selects(node->aggregate.expr, sets) ||
               tree_selects(node->aggregate.param, sets);
    case AST_BINARY:
        return tree_selects(node->binary.lhs, sets) || tree_selects(node->binary.rhs, sets);
    case AST_UNARY: return tree_selects(node->unary.expr, sets);
    case AST_PAREN:
    case AST_STEP_INVARIANT: return tree_selects(node->inner, sets);
    case AST_NUMBER:
    case AST_STRING:
    case AST_DURATION: return false;
    }
    return false;
}

static bool contains(struct str text, const char *part)
{
    return text.size && memmem(text.data, text.size, part, strlen(part)) != NULL;
}

static enum skip_reason skip_unparsed(const struct test_case *c, const struct error *err)
{
    struct str words = str_from(err->text);
    if (contains(words, "not enabled") || contains(words, "must be enabled"))
        return SKIP_EXPERIMENTAL;
    /* The trimming operators exist for histograms only. */
    if (contains(c->expr, "</") || contains(c->expr, ">/")) return SKIP_HISTOGRAM;
    return SKIP_NONE;
}

/* Remarks on bucket labels name the metric only when its name is still there at the end. */
static bool is_delayed_name_case(const struct runner *r, const struct test_case *c)
{
    for (size_t i = 0; i < ARRAY_COUNT(delayed_name_cases); i++)
        if (contains(str_from(r->path), delayed_name_cases[i].file) &&
            str_equal(c->expr, str_from(delayed_name_cases[i].expr)))
            return true;
    for (size_t i = 0; i < c->warn.count; i++)
        if (contains(c->warn.items[i].text, "malformed value") &&
            contains(c->warn.items[i].text, "for metric name"))
            return true;
    return false;
}

static enum skip_reason skip_of(const struct runner *r, const struct test_case *c)
{
    struct error err;
    struct arena a;
    struct ast *tree;
    enum skip_reason reason = SKIP_NONE;
    struct parse_options options = {.experimental_functions = true};
    if (c->expects_histograms) return SKIP_HISTOGRAM;
    if (is_delayed_name_case(r, c)) return SKIP_DELAYED_NAME;
    arena_init(&a, HEAP_QUERY, UINT64_MAX);
    if (parse_expr(c->expr, &options, &a, &tree, &err)) {
        reason = skip_unparsed(c, &err);
    } else {
        if (calls_unsupported(tree)) reason = SKIP_UNSUPPORTED;
        if (tree_selects(tree, &r->start_timestamps)) reason = SKIP_START_TIMESTAMP;
        if (tree_selects(tree, &r->histograms)) reason = SKIP_HISTOGRAM;
        ast_release(tree);
    }
    arena_release(&a);
    return reason;
}

/* --- comparing ------------------------------------------------------------------------------ */

struct verdict {
    bool failed;
    char why[512];
};

PRINTF_LIKE(2, 3) static void fail_with(struct verdict *v, const char *format, ...)
{
    va_list args;
    if (v->failed) return;
    v->failed = true;
    va_start(args, format);
    vsnprintf(v->why, sizeof(v->why), format, args);
    va_end(args);
}

/* Equal to a millionth of the sum, as Prometheus' own runner compares. */
static bool is_almost_equal(double a, double b)
{
    const double epsilon = 1e-6;
    const double least_normal = 0x1p-1022;
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    if (a == b) return true;
    double sum = fabs(a) + fabs(b);
    if (a == 0 || b == 0 || sum < least_normal) return fabs(a - b) < epsilon * least_normal;
    return fabs(a - b) / fmin(sum, 0x1.fffffffffffffp1023) < epsilon;
}

static bool is_met(const struct expectation *e, struct str text)
{
    if (e->any) return true;
    if (!e->is_regex) return str_equal(e->text, text);
    struct regex *re;
    struct error err;
    struct arena a;
    arena_init(&a, HEAP_QUERY, UINT64_MAX);
    struct str pattern = arena_printf(&a, ".*(?:%.*s).*", (int)e->text.size, e->text.data);
    bool met = !regex_create(pattern, &re, &err);
    if (met) {
        met = regex_matches(re, text);
        regex_destroy(re);
    }
    arena_release(&a);
    return met;
}

static void check_remarks(const struct expectations *expected, const struct str *texts,
                          size_t count, bool none, const char *kind, struct verdict *v)
{
    if (none && count) fail_with(v, "unexpected %s: %.*s", kind, STR_ARG(texts[0]));
    if (!expected->count) return;
    if (!count) fail_with(v, "no %s", kind);
    for (size_t i = 0; i < expected->count; i++) {
        bool met = false;
        for (size_t k = 0; k < count && !met; k++)
            met = is_met(&expected->items[i], texts[k]);
        if (!met)
            fail_with(v, "no %s like \"%.*s\" but \"%.*s\"", kind, STR_ARG(expected->items[i].text),
                      STR_ARG(count ? texts[0] : STR("")));
    }
    for (size_t k = 0; k < count; k++) {
        bool met = false;
        for (size_t i = 0; i < expected->count && !met; i++)
            met = is_met(&expected->items[i], texts[k]);
        if (!met) fail_with(v, "unexpected %s: %.*s", kind, STR_ARG(texts[k]));
    }
}

static struct str name_of(struct labels labels, struct arena *a)
{
    struct str text;
    return labels_print(labels, a, &text, NULL) ? STR("?") : text;
}

static const struct series_points *find_series(const struct value *value, struct labels labels)
{
    for (size_t i = 0; i < value->series_count; i++)
        if (labels_equal(value->series[i].labels, labels)) return &value->series[i];
    return NULL;
}

static bool is_expected(const struct test_case *c, struct labels labels)
{
    for (size_t i = 0; i < c->series.count; i++)
        if (labels_equal(c->series.items[i].labels, labels)) return true;
    return false;
}

static const struct sample *point_at(const struct series_points *series, int64_t t_ms)
{
    for (size_t i = 0; series && i < series->count; i++)
        if (series->points[i].t_ms == t_ms) return &series->points[i];
    return NULL;
}

/* One series of a range: as many points, at the same times, with the same values. */
static void compare_points(const struct test_case *c, const struct series_notation *expected,
                           const struct series_points *got, struct arena *a, struct verdict *v)
{
    struct str name = name_of(expected->labels, a);
    size_t count = 0;
    for (size_t i = 0; i < expected->values.count; i++) {
        if (expected->values.items[i].kind == NOTATION_GAP) continue;
        int64_t t_ms = c->start_ms + (int64_t)i * c->step_ms;
        const struct sample *point = point_at(got, t_ms);
        count++;
        if (!point)
            fail_with(v, "no point of %.*s at %lld", STR_ARG(name), (long long)t_ms);
        else if (!is_almost_equal(point->v, expected->values.items[i].v))
            fail_with(v, "%.*s at %lld: expected %.17g, got %.17g", STR_ARG(name), (long long)t_ms,
                      expected->values.items[i].v, point->v);
    }
    size_t found = got ? got->count : 0;
    if (found != count)
        fail_with(v, "%.*s: expected %zu points, got %zu", STR_ARG(name), count, found);
}

static void compare_matrix(const struct test_case *c, const struct value *value, struct arena *a,
                           struct verdict *v)
{
    for (size_t i = 0; i < value->series_count; i++)
        if (!is_expected(c, value->series[i].labels))
            fail_with(v, "unexpected series %.*s", STR_ARG(name_of(value->series[i].labels, a)));
    for (size_t i = 1; i < value->series_count; i++)
        if (labels_compare(value->series[i - 1].labels, value->series[i].labels) >= 0)
            fail_with(v, "series are not in order");
    for (size_t i = 0; i < c->series.count; i++) {
        const struct series_notation *expected = &c->series.items[i];
        compare_points(c, expected, find_series(value, expected->labels), a, v);
    }
}

/* The values at one time, of a vector or of a matrix that has more. */
static void compare_at(const struct test_case *c, const struct value *value, struct arena *a,
                       struct verdict *v)
{
    size_t at = 0;
    for (size_t i = 0; i < value->series_count; i++) {
        const struct series_points *series = &value->series[i];
        if (!point_at(series, c->at_ms)) continue;
        if (!is_expected(c, series->labels))
            fail_with(v, "unexpected series %.*s", STR_ARG(name_of(series->labels, a)));
        else if (c->ordered && value->type == VALUE_VECTOR &&
                 !labels_equal(c->series.items[at].labels, series->labels))
            fail_with(v, "%.*s at place %zu", STR_ARG(name_of(series->labels, a)), at);
        at++;
    }
    for (size_t i = 0; i < c->series.count; i++) {
        const struct series_notation *expected = &c->series.items[i];
        const struct sample *point = point_at(find_series(value, expected->labels), c->at_ms);
        struct str name = name_of(expected->labels, a);
        if (!point)
            fail_with(v, "no series %.*s", STR_ARG(name));
        else if (!is_almost_equal(point->v, expected->values.items[0].v))
            fail_with(v, "%.*s: expected %.17g, got %.17g", STR_ARG(name),
                      expected->values.items[0].v, point->v);
    }
}

static void compare_scalar(const struct test_case *c, const struct value *value, struct verdict *v)
{
    double got = value->scalar;
    if (value->type == VALUE_MATRIX) {
        const struct sample *point =
            value->series_count ? point_at(&value->series[0], c->at_ms) : NULL;
        if (!point) fail_with(v, "no scalar");
        got = point ? point->v : 0;
    } else if (value->type != VALUE_SCALAR) {
        fail_with(v, "not a scalar");
    }
    if (!is_almost_equal(got, c->scalar))
        fail_with(v, "expected scalar %.17g, got %.17g", c->scalar, got);
}

static void compare_value(const struct test_case *c, const struct value *value, struct arena *a,
                          struct verdict *v)
{
    if (c->has_string || value->type == VALUE_STRING) {
        if (value->type != VALUE_STRING || !str_equal(value->string, c->string))
            fail_with(v, "expected string \"%.*s\"", STR_ARG(c->string));
    } else if (c->has_scalar || value->type == VALUE_SCALAR) {
        compare_scalar(c, value, v);
    } else if (c->is_range || c->from_range_vector) {
        compare_matrix(c, value, a, v);
    } else {
        compare_at(c, value, a, v);
    }
}

/* --- eval ----------------------------------------------------------------------------------- */

static struct str without_prefix(const char *text)
{
    struct str s = str_from(text);
    (void)take_prefix(&s, STR("invalid parameter \"query\": "));
    return s;
}

static void ask(const struct runner *r, const struct test_case *c, struct query *q,
                struct verdict *v, bool remarks)
{
    struct error err = {0};
    struct engine engine = {.db = r->db, .options = engine_options_default()};
    engine.options.lookback_ms = LOOKBACK_MS;
    engine.options.samples_max = SAMPLES_MAX;
    engine.options.experimental_functions = true;
    enum status st = query_run(&engine, q, &err);
    if (c->fail.count) {
        struct str words = without_prefix(err.text);
        if (!st)
            fail_with(v, "expected an error");
        else if (!is_met(&c->fail.items[0], words))
            fail_with(v, "expected error \"%.*s\", got \"%.*s\"", STR_ARG(c->fail.items[0].text),
                      STR_ARG(words));
    } else if (st) {
        fail_with(v, "%s: %s", status_name(st), err.text);
    } else {
        compare_value(c, &q->value, q->arena, v);
        if (remarks) {
            const struct annotations *notes = &q->annotations;
            check_remarks(&c->warn, notes->warnings, notes->warning_count, c->no_warn, "warning",
                          v);
            check_remarks(&c->info, notes->infos, notes->info_count, c->no_info, "info", v);
        }
    }
    query_finish(q);
}

/* The times of the query itself change with the range, and an order is of instant queries only. */
static bool may_repeat_as_range(const struct test_case *c)
{
    return !c->is_range && !c->from_range_vector && !c->has_string && !c->ordered &&
           !c->fail.count && !contains(c->expr, "start()") && !contains(c->expr, "end()") &&
           !contains(c->expr, "step()") && !contains(c->expr, "range()");
}

static void run_case(struct runner *r, const struct test_case *c)
{
    struct arena a;
    struct verdict v = {0};
    enum skip_reason reason = skip_of(r, c);
    if (reason) {
        r->skipped[reason]++;
        return;
    }
    arena_init(&a, HEAP_QUERY, UINT64_C(1) << 30);
    struct query q = {.text = c->expr, .arena = &a, .start_ms = c->at_ms, .end_ms = c->at_ms};
    if (c->is_range) {
        q.end_ms = c->end_ms;
        q.step_ms = c->step_ms;
    }
    ask(r, c, &q, &v, true);
    arena_reset(&a);
    if (!v.failed && may_repeat_as_range(c)) {
        struct query again = {.text = c->expr,
                              .arena = &a,
                              .start_ms = c->at_ms - MINUTE_MS,
                              .end_ms = c->at_ms + MINUTE_MS,
                              .step_ms = MINUTE_MS};
        ask(r, c, &again, &v, false);
        if (v.failed) fprintf(stderr, "(as a range query) ");
    }
    arena_release(&a);
    r->failed += v.failed;
    r->passed += !v.failed;
    if (v.failed)
        fprintf(stderr, "%s:%u: %.*s\n    %s\n", r->path, c->line, (int)c->expr.size, c->expr.data,
                v.why);
    else if (r->verbose)
        printf("%s:%u: ok\n", r->path, c->line);
}

static void run_script(struct runner *r, struct str text)
{
    struct lines lines = split(text, &r->script);
    storage_renew(r);
    for (size_t i = 0; i < lines.count; i++) {
        struct str line = lines.items[i];
        if (!line.size) continue;
        if (str_starts_with(line, STR("clear"))) {
            storage_renew(r);
        } else if (str_starts_with(line, STR("load"))) {
            i = run_load(r, &lines, i);
        } else if (str_starts_with(line, STR("eval"))) {
            struct test_case c = {.line = (unsigned)i + 1};
            parse_command(r, &c, line);
            i = parse_expectations(r, &c, &lines, i);
            run_case(r, &c);
        } else {
            struct error err;
            error_set(&err, ERR_INVALID, "unknown command \"%.*s\"", STR_ARG(line));
            die(r, (unsigned)i + 1, &err);
        }
    }
}

static void print_summary(const struct runner *r)
{
    unsigned skipped = 0;
    for (size_t i = 0; i < SKIP_REASON_COUNT; i++)
        skipped += r->skipped[i];
    printf("%s: %u passed, %u failed, %u skipped", r->path, r->passed, r->failed, skipped);
    for (size_t i = 1; i < SKIP_REASON_COUNT; i++)
        if (r->skipped[i]) printf(" (%s: %u)", skip_words[i], r->skipped[i]);
    printf("\n");
}

static struct str read_file(FILE *file, struct arena *a)
{
    enum { FILE_BYTES_MAX = 4 << 20 };
    char *data = arena_alloc(a, FILE_BYTES_MAX);
    ASSERT(data);
    return (struct str){.data = data, .size = fread(data, 1, FILE_BYTES_MAX, file)};
}

/* Returns how many cases failed. */
static unsigned run_file(const char *path, FILE *file, bool verbose)
{
    struct runner r = {.path = path, .verbose = verbose};
    arena_init(&r.script, HEAP_QUERY, UINT64_MAX);
    arena_init(&r.loaded, HEAP_QUERY, UINT64_MAX);
    run_script(&r, read_file(file, &r.script));
    print_summary(&r);
    storage_close(r.db);
    arena_release(&r.loaded);
    arena_release(&r.script);
    return r.failed;
}

int main(int argc, char **argv)
{
    bool optional = false;
    bool verbose = false;
    unsigned failed = 0;
    unsigned ran = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--optional") == 0) {
            optional = true;
            continue;
        }
        if (strcmp(argv[i], "-v") == 0) {
            verbose = true;
            continue;
        }
        FILE *file = fopen(argv[i], "rb");
        if (!file) {
            printf("%s: skipped: not present\n", argv[i]);
            if (!optional) return EXIT_FAILURE;
            continue;
        }
        failed += run_file(argv[i], file, verbose);
        ran++;
        fclose(file);
    }
    if (failed) return EXIT_FAILURE;
    return ran || !optional ? EXIT_SUCCESS : EXIT_SKIPPED;
}
