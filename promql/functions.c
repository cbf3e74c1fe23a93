/*
 * functions - the table: one row per function of PromQL, in alphabetical order.
 *
 * The rows come from the list of functions of Prometheus 3.x ("Query functions"). Those without an
 * implementation are numbers by the time a tree is evaluated (promql/prepare.h).
 */
#include "promql/functions.h"

#include "promql/func_impl.h"

static const struct function rows[] = {
    // clang-format off
    { "abs", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_abs },
    { "absent", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_absent },
    { "absent_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_absent_over_time },
    { "acos", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_acos },
    { "acosh", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_acosh },
    { "asin", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_asin },
    { "asinh", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_asinh },
    { "atan", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_atan },
    { "atanh", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_atanh },
    { "avg_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_avg_over_time },
    { "ceil", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_ceil },
    { "changes", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_changes },
    { "clamp", {VALUE_VECTOR, VALUE_SCALAR, VALUE_SCALAR}, 3, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_clamp },
    { "clamp_max", {VALUE_VECTOR, VALUE_SCALAR}, 2, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_clamp_max },
    { "clamp_min", {VALUE_VECTOR, VALUE_SCALAR}, 2, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_clamp_min },
    { "cos", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_cos },
    { "cosh", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_cosh },
    { "count_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_count_over_time },
    { "day_of_month", {VALUE_VECTOR}, 1, 1, VALUE_VECTOR, false, TAKES_FLOATS, &func_day_of_month },
    { "day_of_week", {VALUE_VECTOR}, 1, 1, VALUE_VECTOR, false, TAKES_FLOATS, &func_day_of_week },
    { "day_of_year", {VALUE_VECTOR}, 1, 1, VALUE_VECTOR, false, TAKES_FLOATS, &func_day_of_year },
    { "days_in_month", {VALUE_VECTOR}, 1, 1, VALUE_VECTOR, false, TAKES_FLOATS, &func_days_in_month },
    { "deg", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_deg },
    { "delta", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_delta },
    { "deriv", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_deriv },
    { "double_exponential_smoothing", {VALUE_MATRIX, VALUE_SCALAR, VALUE_SCALAR}, 3, 0, VALUE_VECTOR, true, TAKES_FLOATS, &func_double_exponential_smoothing },
    { "end", {VALUE_NONE}, 0, 0, VALUE_SCALAR, true, TAKES_FLOATS, NULL },
    { "exp", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_exp },
    { "first_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_first_over_time },
    { "floor", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_floor },
    { "histogram_avg", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_HISTOGRAMS, &func_nothing },
    { "histogram_count", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_HISTOGRAMS, &func_nothing },
    { "histogram_fraction", {VALUE_SCALAR, VALUE_SCALAR, VALUE_VECTOR}, 3, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_histogram_fraction },
    { "histogram_quantile", {VALUE_SCALAR, VALUE_VECTOR}, 2, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_histogram_quantile },
    { "histogram_quantiles", {VALUE_VECTOR, VALUE_STRING, VALUE_SCALAR, VALUE_SCALAR}, 4, 9, VALUE_VECTOR, true, TAKES_BOTH, &func_histogram_quantiles },
    { "histogram_stddev", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_HISTOGRAMS, &func_nothing },
    { "histogram_stdvar", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_HISTOGRAMS, &func_nothing },
    { "histogram_sum", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_HISTOGRAMS, &func_nothing },
    { "hour", {VALUE_VECTOR}, 1, 1, VALUE_VECTOR, false, TAKES_FLOATS, &func_hour },
    { "idelta", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_idelta },
    { "increase", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_increase },
    { "info", {VALUE_VECTOR, VALUE_VECTOR}, 2, 1, VALUE_VECTOR, true, TAKES_BOTH, &func_info },
    { "irate", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_irate },
    { "label_join", {VALUE_VECTOR, VALUE_STRING, VALUE_STRING, VALUE_STRING}, 4, -1, VALUE_VECTOR, false, TAKES_BOTH, &func_label_join },
    { "label_replace", {VALUE_VECTOR, VALUE_STRING, VALUE_STRING, VALUE_STRING, VALUE_STRING}, 5, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_label_replace },
    { "last_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_last_over_time },
    { "ln", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_ln },
    { "log10", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_log10 },
    { "log2", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_log2 },
    { "mad_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, true, TAKES_FLOATS, &func_mad_over_time },
    { "max_of", {VALUE_SCALAR, VALUE_SCALAR}, 2, 0, VALUE_SCALAR, true, TAKES_FLOATS, &func_max_of },
    { "max_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_max_over_time },
    { "min_of", {VALUE_SCALAR, VALUE_SCALAR}, 2, 0, VALUE_SCALAR, true, TAKES_FLOATS, &func_min_of },
    { "min_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_min_over_time },
    { "minute", {VALUE_VECTOR}, 1, 1, VALUE_VECTOR, false, TAKES_FLOATS, &func_minute },
    { "month", {VALUE_VECTOR}, 1, 1, VALUE_VECTOR, false, TAKES_FLOATS, &func_month },
    { "pi", {VALUE_NONE}, 0, 0, VALUE_SCALAR, false, TAKES_FLOATS, &func_pi },
    { "predict_linear", {VALUE_MATRIX, VALUE_SCALAR}, 2, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_predict_linear },
    { "present_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_present_over_time },
    { "quantile_over_time", {VALUE_SCALAR, VALUE_MATRIX}, 2, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_quantile_over_time },
    { "rad", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_rad },
    { "range", {VALUE_NONE}, 0, 0, VALUE_SCALAR, true, TAKES_FLOATS, NULL },
    { "rate", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_rate },
    { "resets", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_resets },
    { "round", {VALUE_VECTOR, VALUE_SCALAR}, 2, 1, VALUE_VECTOR, false, TAKES_FLOATS, &func_round },
    { "scalar", {VALUE_VECTOR}, 1, 0, VALUE_SCALAR, false, TAKES_FLOATS, &func_scalar },
    { "sgn", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_sgn },
    { "sin", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_sin },
    { "sinh", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_sinh },
    { "sort", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_sort },
    { "sort_by_label", {VALUE_VECTOR, VALUE_STRING}, 2, -1, VALUE_VECTOR, true, TAKES_BOTH, &func_sort_by_label },
    { "sort_by_label_desc", {VALUE_VECTOR, VALUE_STRING}, 2, -1, VALUE_VECTOR, true, TAKES_BOTH, &func_sort_by_label_desc },
    { "sort_desc", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_sort_desc },
    { "sqrt", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_sqrt },
    { "start", {VALUE_NONE}, 0, 0, VALUE_SCALAR, true, TAKES_FLOATS, NULL },
    { "start_timestamp", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, true, TAKES_BOTH, &func_nothing },
    { "stddev_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_stddev_over_time },
    { "stdvar_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_stdvar_over_time },
    { "step", {VALUE_NONE}, 0, 0, VALUE_SCALAR, true, TAKES_FLOATS, NULL },
    { "sum_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_sum_over_time },
    { "tan", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_tan },
    { "tanh", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_tanh },
    { "time", {VALUE_NONE}, 0, 0, VALUE_SCALAR, false, TAKES_FLOATS, &func_time },
    { "timestamp", {VALUE_VECTOR}, 1, 0, VALUE_VECTOR, false, TAKES_BOTH, &func_timestamp },
    { "ts_of_first_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, true, TAKES_BOTH, &func_ts_of_first_over_time },
    { "ts_of_last_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, true, TAKES_BOTH, &func_ts_of_last_over_time },
    { "ts_of_max_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, true, TAKES_FLOATS, &func_ts_of_max_over_time },
    { "ts_of_min_over_time", {VALUE_MATRIX}, 1, 0, VALUE_VECTOR, true, TAKES_FLOATS, &func_ts_of_min_over_time },
    { "vector", {VALUE_SCALAR}, 1, 0, VALUE_VECTOR, false, TAKES_FLOATS, &func_vector },
    { "year", {VALUE_VECTOR}, 1, 1, VALUE_VECTOR, false, TAKES_FLOATS, &func_year },
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
