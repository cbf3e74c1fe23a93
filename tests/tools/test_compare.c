/* test_compare - tolerance, order, remarks and errors. */
#include "tests/tools/test_compare.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "model/number.h"
#include "model/regex.h"

void verdict_fail(struct verdict *v, const char *format, ...)
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
    struct str pattern = arena_printf(&a, ".*(?:%.*s).*", TEXT_ARG(e->text));
    bool met = !regex_create(pattern, &re, &err);
    if (met) {
        met = regex_matches(re, text);
        regex_destroy(re);
    }
    arena_release(&a);
    return met;
}

static bool is_any_met(const struct expectations *list, struct str text)
{
    for (size_t i = 0; i < list->count; i++)
        if (is_met(&list->items[i], text)) return true;
    return false;
}

static void check_remarks(const struct expectations *expected, const struct str *texts,
                          size_t count, bool none, const char *kind, struct verdict *v)
{
    if (none && count) verdict_fail(v, "unexpected %s: %.*s", kind, TEXT_ARG(texts[0]));
    if (!expected->count) return;
    if (!count) verdict_fail(v, "no %s", kind);
    for (size_t i = 0; i < expected->count; i++) {
        bool met = false;
        for (size_t k = 0; k < count && !met; k++)
            met = is_met(&expected->items[i], texts[k]);
        if (!met)
            verdict_fail(v, "no %s like \"%.*s\" but \"%.*s\"", kind,
                         TEXT_ARG(expected->items[i].text), TEXT_ARG(count ? texts[0] : STR("")));
    }
    for (size_t k = 0; k < count; k++)
        if (!is_any_met(expected, texts[k]))
            verdict_fail(v, "unexpected %s: %.*s", kind, TEXT_ARG(texts[k]));
}

void compare_remarks(const struct test_case *c, const struct annotations *got, struct verdict *v)
{
    check_remarks(&c->warn, got->warnings, got->warning_count, c->no_warn, "warning", v);
    check_remarks(&c->info, got->infos, got->info_count, c->no_info, "info", v);
}

void compare_error(const struct test_case *c, struct str words, struct verdict *v)
{
    if (!is_met(&c->fail.items[0], words))
        verdict_fail(v, "expected error \"%.*s\", got \"%.*s\"", TEXT_ARG(c->fail.items[0].text),
                     TEXT_ARG(words));
}

static struct str name_of(struct labels labels, struct arena *a)
{
    struct str text;
    return labels_print(labels, a, &text, NULL) ? STR("?") : text;
}

static const struct series_notation *find_expected(const struct test_case *c, struct labels labels)
{
    for (size_t i = 0; i < c->series.count; i++)
        if (labels_equal(c->series.items[i].labels, labels)) return &c->series.items[i];
    return NULL;
}

static const struct series_points *find_series(const struct value *value, struct labels labels)
{
    for (size_t i = 0; i < value->series_count; i++)
        if (labels_equal(value->series[i].labels, labels)) return &value->series[i];
    return NULL;
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
        if (t_ms > c->end_ms)
            verdict_fail(v, "%.*s: more values are expected than the range has steps",
                         TEXT_ARG(name));
        else if (!point)
            verdict_fail(v, "no point of %.*s at %lld", TEXT_ARG(name), (long long)t_ms);
        else if (!is_almost_equal(point->v, expected->values.items[i].v))
            verdict_fail(v, "%.*s at %lld: expected %.17g, got %.17g", TEXT_ARG(name),
                         (long long)t_ms, expected->values.items[i].v, point->v);
    }
    size_t found = got ? got->count : 0;
    if (!got) verdict_fail(v, "no series %.*s", TEXT_ARG(name));
    if (found != count)
        verdict_fail(v, "%.*s: expected %zu points, got %zu", TEXT_ARG(name), count, found);
}

static void check_sorted(const struct value *value, struct verdict *v)
{
    for (size_t i = 1; i < value->series_count; i++)
        if (labels_compare(value->series[i - 1].labels, value->series[i].labels) >= 0)
            verdict_fail(v, "series are not in order");
}

static void compare_matrix(const struct test_case *c, const struct value *value, struct arena *a,
                           struct verdict *v)
{
    if (c->ordered) verdict_fail(v, "a range vector has no order to expect");
    for (size_t i = 0; i < value->series_count; i++)
        if (!find_expected(c, value->series[i].labels))
            verdict_fail(v, "unexpected series %.*s",
                         TEXT_ARG(name_of(value->series[i].labels, a)));
    check_sorted(value, v);
    for (size_t i = 0; i < c->series.count; i++) {
        const struct series_notation *expected = &c->series.items[i];
        compare_points(c, expected, find_series(value, expected->labels), a, v);
    }
}

static void compare_element(const struct series_notation *expected, const struct sample *point,
                            struct str name, struct verdict *v)
{
    if (!point)
        verdict_fail(v, "no series %.*s", TEXT_ARG(name));
    else if (!is_almost_equal(point->v, expected->values.items[0].v))
        verdict_fail(v, "%.*s: expected %.17g, got %.17g", TEXT_ARG(name),
                     expected->values.items[0].v, point->v);
}

/* The values at one time, of a vector or of a matrix that has more. */
static void compare_at(const struct test_case *c, const struct value *value, struct arena *a,
                       struct verdict *v)
{
    size_t at = 0;
    for (size_t i = 0; i < value->series_count; i++) {
        const struct series_points *series = &value->series[i];
        if (!point_at(series, c->at_ms)) continue;
        const struct series_notation *expected = find_expected(c, series->labels);
        if (!expected)
            verdict_fail(v, "unexpected series %.*s", TEXT_ARG(name_of(series->labels, a)));
        else if (c->ordered && value->type == VALUE_VECTOR && expected != &c->series.items[at])
            verdict_fail(v, "%.*s at place %zu", TEXT_ARG(name_of(series->labels, a)), at);
        at++;
    }
    for (size_t i = 0; i < c->series.count; i++) {
        const struct series_notation *expected = &c->series.items[i];
        const struct series_points *series = find_series(value, expected->labels);
        compare_element(expected, point_at(series, c->at_ms), name_of(expected->labels, a), v);
    }
}

static void compare_scalar(const struct test_case *c, double got, struct verdict *v)
{
    if (!c->has_scalar) verdict_fail(v, "expected series, got scalar %.17g", got);
    if (!is_almost_equal(got, c->scalar))
        verdict_fail(v, "expected scalar %.17g, got %.17g", c->scalar, got);
}

void compare_value(const struct test_case *c, const struct value *value, struct arena *a,
                   struct verdict *v)
{
    switch (value->type) {
    case VALUE_STRING:
        if (!c->has_string || !str_equal(value->string, c->string))
            verdict_fail(v, "expected string \"%.*s\"", TEXT_ARG(c->string));
        return;
    case VALUE_SCALAR: compare_scalar(c, value->scalar, v); return;
    case VALUE_VECTOR:
    case VALUE_MATRIX:
        if (c->has_scalar || c->has_string) verdict_fail(v, "expected no series");
        if (value->type == VALUE_MATRIX)
            compare_matrix(c, value, a, v);
        else
            compare_at(c, value, a, v);
        return;
    case VALUE_NONE: break;
    }
    UNREACHABLE();
}

void compare_middle(const struct test_case *c, const struct value *value, bool was_scalar,
                    struct arena *a, struct verdict *v)
{
    check_sorted(value, v);
    if (!was_scalar) {
        compare_at(c, value, a, v);
        return;
    }
    const struct sample *point = value->series_count ? point_at(&value->series[0], c->at_ms) : NULL;
    if (point)
        compare_scalar(c, point->v, v);
    else
        verdict_fail(v, "no scalar");
}

void print_value(const struct value *value, struct arena *a)
{
    char text[NUMBER_TEXT_BYTES];
    if (value->type == VALUE_SCALAR)
        printf("      %.*s\n", (int)number_format_general(text, value->scalar), text);
    if (value->type == VALUE_STRING) printf("      \"%.*s\"\n", TEXT_ARG(value->string));
    for (size_t i = 0; i < value->series_count; i++) {
        const struct series_points *series = &value->series[i];
        printf("      %.*s", TEXT_ARG(name_of(series->labels, a)));
        for (size_t k = 0; k < series->count; k++) {
            int size = (int)number_format_general(text, series->points[k].v);
            printf(" %.*s@%lld", size, text, (long long)series->points[k].t_ms);
        }
        printf("\n");
    }
}
