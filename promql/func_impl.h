/*
 * func_impl - how the engine calls a function: the last column of the table in functions.c.
 *
 * Threads: implementations are constant; calls belong to one query.
 */
#ifndef HEARTH_PROMQL_FUNC_IMPL_H
#define HEARTH_PROMQL_FUNC_IMPL_H

#include <math.h>

#include "promql/eval.h"
#include "promql/functions.h"
#include "promql/slide.h"

/* The samples of one series in the range of one step: start_ms < t <= end_ms, stale markers left
 * out, at least one. */
struct window {
    const int64_t *t_ms;
    const double *v;
    size_t count;
    int64_t start_ms;
    int64_t end_ms;
    int64_t eval_ms;    /* the step; with offset or @ it differs from end_ms */
    const double *args; /* scalar arguments at this step, in their order */
};

/* What stays the same over the steps of one call; `failed` stops the query. */
struct range_call {
    struct eval *ev;
    const struct ast *node;
    double range_s;
    bool anchored;
    bool smoothed;
    double *scratch; /* room for the samples of any window */
    /* For wants_falls: where values of the series fall, as indices of the lower ones, and which of
     * those lie between two samples of the present window: falls[fall_low] .. falls[fall_high - 1].
     */
    const double *series;
    uint32_t *falls;
    size_t fall_count;
    size_t fall_low, fall_high;
    enum status failed;
    struct error *err;
};

enum function_kind {
    FUNCTION_MAP,    /* value by value */
    FUNCTION_RANGE,  /* window by window */
    FUNCTION_ROWS,   /* a source of its own */
    FUNCTION_SCALAR, /* a scalar of its own */
};

enum slides_when {
    SLIDES_OVER_OVERLAPS, /* windows that overlap much, of values that are all moderate */
    SLIDES_ALWAYS,
};

struct function_impl {
    enum function_kind kind;
    /* The answer depends on the time of evaluation even when no argument does. */
    bool uses_time;
    bool keeps_name;     /* FUNCTION_RANGE: last_over_time */
    bool wants_counter;  /* FUNCTION_RANGE: remark on names that do not look like one */
    bool wants_falls;    /* FUNCTION_RANGE: see struct range_call */
    bool takes_anchored; /* FUNCTION_RANGE: what selectors it may have */
    bool takes_smoothed;
    /* FUNCTION_MAP. args: the scalar arguments at the step, arg_count of them. False: no value. */
    bool (*map)(double v, const double *args, size_t arg_count, double *out);
    /* FUNCTION_RANGE. False: no value. */
    bool (*range)(struct range_call *call, const struct window *w, double *out);
    /* The same for all windows of a series at once; may be NULL. */
    slide_function *slide;
    slide_times_function *slide_times;
    enum slides_when slides_when;
    enum status (*rows)(struct eval *ev, const struct ast *call, const struct eval_range *range,
                        struct rows **out, struct error *err);
    /* out has room for range->steps values. */
    enum status (*scalar)(struct eval *ev, const struct ast *call, const struct eval_range *range,
                          double *out, struct error *err);
};

/* Go's math.Min and math.Max: a NaN on either side is a NaN. */
static inline double math_min(double a, double b)
{
    if (isnan(a) || isnan(b)) return isinf(a) && a < 0 ? a : isinf(b) && b < 0 ? b : (double)NAN;
    return fmin(a, b);
}

static inline double math_max(double a, double b)
{
    if (isnan(a) || isnan(b)) return isinf(a) && a > 0 ? a : isinf(b) && b > 0 ? b : (double)NAN;
    return fmax(a, b);
}

/* The sources behind the kinds. */
MUST_USE enum status func_map_open(struct eval *ev, const struct ast *call,
                                   const struct eval_range *range, struct rows **out,
                                   struct error *err);
MUST_USE enum status func_range_open(struct eval *ev, const struct ast *call,
                                     const struct eval_range *range, struct rows **out,
                                     struct error *err);
/* ERR_CONFLICT: the function does not take the anchored or smoothed selector that it is given. */
MUST_USE enum status func_check_selector(const struct ast *call, const struct ast *matrix,
                                         struct error *err);
/* The next row of a vector argument, with those samples alone that the function takes and at least
 * one of them; NULL at the end. */
MUST_USE enum status func_next(const struct ast *call, struct rows *arg, struct row **out,
                               struct error *err);
/* Keep all of them, as rows_collect does. */
MUST_USE enum status func_collect(const struct ast *call, struct rows *arg, struct row_table *table,
                                  struct error *err);
/* All scalar arguments of a call in their order: (*out)[i] has range->steps values; *count. */
MUST_USE enum status func_scalar_args(struct eval *ev, const struct ast *call,
                                      const struct eval_range *range, double ***out, size_t *count,
                                      struct error *err);

/* func_math.c */
extern const struct function_impl func_abs, func_ceil, func_floor, func_exp, func_sqrt, func_ln,
    func_log2, func_log10, func_sgn, func_sin, func_cos, func_tan, func_asin, func_acos, func_atan,
    func_sinh, func_cosh, func_tanh, func_asinh, func_acosh, func_atanh, func_rad, func_deg,
    func_clamp, func_clamp_min, func_clamp_max, func_round, func_pi, func_max_of, func_min_of;
/* func_date.c */
extern const struct function_impl func_minute, func_hour, func_day_of_week, func_day_of_month,
    func_day_of_year, func_days_in_month, func_month, func_year, func_time;
/* func_rate.c */
extern const struct function_impl func_rate, func_increase, func_delta, func_irate, func_idelta,
    func_deriv, func_predict_linear, func_changes, func_resets, func_double_exponential_smoothing;
/* func_over_time.c */
extern const struct function_impl func_avg_over_time, func_sum_over_time, func_count_over_time,
    func_min_over_time, func_max_over_time, func_last_over_time, func_first_over_time,
    func_stddev_over_time, func_stdvar_over_time, func_quantile_over_time, func_mad_over_time,
    func_present_over_time, func_ts_of_first_over_time, func_ts_of_last_over_time,
    func_ts_of_min_over_time, func_ts_of_max_over_time;
/* func_vector.c */
extern const struct function_impl func_absent, func_absent_over_time, func_scalar, func_vector,
    func_timestamp, func_nothing;
/* func_sort.c */
extern const struct function_impl func_sort, func_sort_desc, func_sort_by_label,
    func_sort_by_label_desc;
/* func_info.c */
extern const struct function_impl func_info;
/* func_label.c */
extern const struct function_impl func_label_replace, func_label_join;
/* func_histogram.c */
extern const struct function_impl func_histogram_quantile, func_histogram_fraction,
    func_histogram_quantiles;

#endif
