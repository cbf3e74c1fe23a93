/* functions: the table is sorted, complete, and its rows fit their implementations. */
#include "promql/func_impl.h"
#include "tests/unit/suite.h"

#include "base/compiler.h"

static const char *const names[] = {
    "abs",
    "absent",
    "absent_over_time",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "avg_over_time",
    "ceil",
    "changes",
    "clamp",
    "clamp_max",
    "clamp_min",
    "cos",
    "cosh",
    "count_over_time",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "deg",
    "delta",
    "deriv",
    "exp",
    "first_over_time",
    "floor",
    "histogram_avg",
    "histogram_count",
    "histogram_fraction",
    "histogram_quantile",
    "histogram_stddev",
    "histogram_stdvar",
    "histogram_sum",
    "hour",
    "idelta",
    "increase",
    "irate",
    "label_join",
    "label_replace",
    "last_over_time",
    "ln",
    "log10",
    "log2",
    "max_over_time",
    "min_over_time",
    "minute",
    "month",
    "pi",
    "predict_linear",
    "present_over_time",
    "quantile_over_time",
    "rad",
    "rate",
    "resets",
    "round",
    "scalar",
    "sgn",
    "sin",
    "sinh",
    "sort",
    "sort_desc",
    "sqrt",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
    "tan",
    "tanh",
    "time",
    "timestamp",
    "vector",
    "year",
};

START_TEST(every_stable_function_is_implemented)
{
    ck_assert_uint_eq(ARRAY_COUNT(names), 73);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        const struct function *f = function_find(str_from(names[i]));
        ck_assert_msg(f != NULL, "%s", names[i]);
        ck_assert(!f->experimental);
        ck_assert_msg(f->impl != NULL, "%s", names[i]);
    }
    ck_assert_ptr_null(function_find(STR("none")));
    ck_assert_ptr_null(function_find(STR("")));
}
END_TEST

START_TEST(implementations_fit_their_types)
{
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        const struct function *f = function_find(str_from(names[i]));
        const struct function_impl *impl = f->impl;
        bool matrix = false;
        for (size_t k = 0; k < f->arg_count; k++)
            matrix = matrix || f->args[k] == VALUE_MATRIX;
        ck_assert_int_eq(impl->kind == FUNCTION_SCALAR, f->returns == VALUE_SCALAR);
        ck_assert_int_eq(impl->map != NULL, impl->kind == FUNCTION_MAP);
        ck_assert_int_eq(impl->range != NULL, impl->kind == FUNCTION_RANGE);
        ck_assert_int_eq(impl->rows != NULL, impl->kind == FUNCTION_ROWS);
        ck_assert_int_eq(impl->scalar != NULL, impl->kind == FUNCTION_SCALAR);
        if (impl->kind == FUNCTION_RANGE) ck_assert(matrix);
        if (impl->kind == FUNCTION_MAP) ck_assert(!matrix);
    }
}
END_TEST

static bool is_listed(const char *name, const char *const *list)
{
    while (*list && strcmp(name, *list) != 0)
        list++;
    return *list != NULL;
}

/* As the documentation of Prometheus says of each. */
START_TEST(functions_know_the_samples_that_they_take)
{
    static const char *const histograms[] = {"histogram_avg",    "histogram_count",
                                             "histogram_stddev", "histogram_stdvar",
                                             "histogram_sum",    NULL};
    static const char *const both[] = {"absent",
                                       "absent_over_time",
                                       "avg_over_time",
                                       "changes",
                                       "count_over_time",
                                       "delta",
                                       "first_over_time",
                                       "histogram_fraction",
                                       "histogram_quantile",
                                       "idelta",
                                       "increase",
                                       "irate",
                                       "label_join",
                                       "label_replace",
                                       "last_over_time",
                                       "present_over_time",
                                       "rate",
                                       "resets",
                                       "sum_over_time",
                                       "timestamp",
                                       NULL};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        const struct function *f = function_find(str_from(names[i]));
        enum function_takes takes = is_listed(names[i], histograms) ? TAKES_HISTOGRAMS
                                    : is_listed(names[i], both)     ? TAKES_BOTH
                                                                    : TAKES_FLOATS;
        ck_assert_msg(f->takes == takes, "%s", names[i]);
        if (f->impl->kind == FUNCTION_MAP) ck_assert_int_eq(f->takes, TAKES_FLOATS);
    }
}
END_TEST

struct native_histogram {
    int any;
};

/* A row of two steps: a histogram and a float. */
struct mixed_rows {
    struct rows base;
    struct row row;
    double v[2];
    uint64_t present[1];
    const struct native_histogram *histograms[2];
    unsigned left;
};

static enum status mixed_next(struct rows *self, struct row **out, struct error *err)
{
    static const struct native_histogram h;
    struct mixed_rows *m = (struct mixed_rows *)self;
    (void)err;
    *out = NULL;
    if (m->left == 0) return OK;
    m->left--;
    m->present[0] = m->left ? 1 : 3; /* the first one has the histogram alone */
    m->histograms[0] = &h;
    m->row = (struct row){.v = m->v, .present = m->present, .histograms = m->histograms};
    *out = &m->row;
    return OK;
}

/* The bits of all rows that the function is given. */
static uint64_t taken_by(const char *name)
{
    struct ast call = {.kind = AST_CALL, .call = {.function = function_find(str_from(name))}};
    struct mixed_rows m = {.base = {.next = mixed_next, .steps = 2}, .left = 2};
    uint64_t bits = 0;
    for (;;) {
        struct row *row;
        ck_assert_int_eq(func_next(&call, &m.base, &row, NULL), OK);
        if (!row) return bits;
        ck_assert_uint_ne(row->present[0], 0);
        bits = bits << 2 | row->present[0];
    }
}

START_TEST(functions_are_given_the_samples_that_they_take)
{
    ck_assert_uint_eq(taken_by("abs"), 2);
    ck_assert_uint_eq(taken_by("histogram_sum"), 1 << 2 | 1);
    ck_assert_uint_eq(taken_by("label_replace"), 1 << 2 | 3);
}
END_TEST

SUITE(functions, every_stable_function_is_implemented, implementations_fit_their_types,
      functions_know_the_samples_that_they_take, functions_are_given_the_samples_that_they_take)
