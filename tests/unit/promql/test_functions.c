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

SUITE(functions, every_stable_function_is_implemented, implementations_fit_their_types)
