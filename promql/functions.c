/*
 * functions - the table: one row per function of PromQL, in alphabetical order.
 *
 * The rows come from the list of functions of Prometheus 3.x ("Query functions"). A row without an
 * implementation is a name that this version knows of and does not offer.
 */
#include "promql/functions.h"

static const struct function rows[] = {
    // clang-format off
    { "abs", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "absent", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "absent_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "acos", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "acosh", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "asin", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "asinh", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "atan", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "atanh", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "avg_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "ceil", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "changes", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "clamp", {VALUE_VECTOR, VALUE_SCALAR, VALUE_SCALAR}, 3, 0, VALUE_VECTOR, false, NULL },
    { "clamp_max", {VALUE_VECTOR, VALUE_SCALAR}, 2, 0, VALUE_VECTOR, false, NULL },
    { "clamp_min", {VALUE_VECTOR, VALUE_SCALAR}, 2, 0, VALUE_VECTOR, false, NULL },
    { "cos", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "cosh", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "count_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "day_of_month", {VALUE_VECTOR}, 1, 1, VALUE_VECTOR, false, NULL },
    { "day_of_week", {VALUE_VECTOR}, 1, 1, VALUE_VECTOR, false, NULL },
    { "day_of_year", {VALUE_VECTOR}, 1, 1, VALUE_VECTOR, false, NULL },
    { "days_in_month", {VALUE_VECTOR}, 1, 1, VALUE_VECTOR, false, NULL },
    { "deg", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "delta", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "deriv", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "double_exponential_smoothing", {VALUE_MATRIX, VALUE_SCALAR, VALUE_SCALAR}, 3, 0, VALUE_VECTOR, true, NULL },
    { "end", {VALUE_NONE}, 0, 0, VALUE_SCALAR, true, NULL },
    { "exp", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "first_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "floor", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "histogram_avg", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "histogram_count", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "histogram_fraction", {VALUE_SCALAR, VALUE_SCALAR, VALUE_VECTOR}, 3, 0, VALUE_VECTOR, false, NULL },
    { "histogram_quantile", {VALUE_SCALAR, VALUE_VECTOR}, 2, 0, VALUE_VECTOR, false, NULL },
    { "histogram_quantiles", {VALUE_VECTOR, VALUE_STRING, VALUE_SCALAR, VALUE_SCALAR}, 4, 9, VALUE_VECTOR, true, NULL },
    { "histogram_stddev", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "histogram_stdvar", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "histogram_sum", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "hour", {VALUE_VECTOR}, 1, 1, VALUE_VECTOR, false, NULL },
    { "idelta", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "increase", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "info", {VALUE_VECTOR, VALUE_VECTOR}, 2, 1, VALUE_VECTOR, true, NULL },
    { "irate", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "label_join", {VALUE_VECTOR, VALUE_STRING, VALUE_STRING, VALUE_STRING}, 4, -1, VALUE_VECTOR, false, NULL },
    { "label_replace", {VALUE_VECTOR, VALUE_STRING, VALUE_STRING, VALUE_STRING, VALUE_STRING}, 5, 0, VALUE_VECTOR, false, NULL },
    { "last_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "ln", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "log10", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "log2", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "mad_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, true, NULL },
    { "max_of", {VALUE_SCALAR, VALUE_SCALAR}, 2, 0, VALUE_SCALAR, true, NULL },
    { "max_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "min_of", {VALUE_SCALAR, VALUE_SCALAR}, 2, 0, VALUE_SCALAR, true, NULL },
    { "min_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "minute", {VALUE_VECTOR}, 1, 1, VALUE_VECTOR, false, NULL },
    { "month", {VALUE_VECTOR}, 1, 1, VALUE_VECTOR, false, NULL },
    { "pi", {VALUE_NONE}, 0, 0, VALUE_SCALAR, false, NULL },
    { "predict_linear", {VALUE_MATRIX, VALUE_SCALAR}, 2, 0, VALUE_VECTOR, false, NULL },
    { "present_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "quantile_over_time", {VALUE_SCALAR, VALUE_MATRIX}, 2, 0, VALUE_VECTOR, false, NULL },
    { "rad", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "range", {VALUE_NONE}, 0, 0, VALUE_SCALAR, true, NULL },
    { "rate", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "resets", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "round", {VALUE_VECTOR, VALUE_SCALAR}, 2, 1, VALUE_VECTOR, false, NULL },
    { "scalar", {VALUE_VECTOR}, 1, 0, VALUE_SCALAR, false, NULL },
    { "sgn", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "sin", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "sinh", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "sort", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "sort_by_label", {VALUE_VECTOR, VALUE_STRING}, 2, -1, VALUE_VECTOR, true, NULL },
    { "sort_by_label_desc", {VALUE_VECTOR, VALUE_STRING}, 2, -1, VALUE_VECTOR, true, NULL },
    { "sort_desc", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "sqrt", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "start", {VALUE_NONE}, 0, 0, VALUE_SCALAR, true, NULL },
    { "start_timestamp", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, true, NULL },
    { "stddev_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "stdvar_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "step", {VALUE_NONE}, 0, 0, VALUE_SCALAR, true, NULL },
    { "sum_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, NULL },
    { "tan", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "tanh", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "time", {VALUE_NONE}, 0, 0, VALUE_SCALAR, false, NULL },
    { "timestamp", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "ts_of_first_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, true, NULL },
    { "ts_of_last_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, true, NULL },
    { "ts_of_max_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, true, NULL },
    { "ts_of_min_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, true, NULL },
    { "vector", {VALUE_SCALAR}, 1, 0, VALUE_VECTOR, false, NULL },
    { "year", {VALUE_VECTOR}, 1, 1, VALUE_VECTOR, false, NULL },
    // clang-format on
};

const struct function *function_find(struct str name)
{
    size_t low = 0;
    size_t high = sizeof(rows) / sizeof(rows[0]);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_compare(name, str_from(rows[middle].name));

        if (order == 0) return &rows[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
