/*
 * func_rate - how fast a range changes: rate and its kin, regression, smoothing.
 *
 * rate, increase and delta extrapolate from the first and last sample to the ends of the range, as
 * Prometheus does: all the way when the gap is at most 1.1 average intervals, else by half an
 * interval; a counter not beyond the point where it would have been zero. With anchored or smoothed
 * selectors nothing is extrapolated (promql/extended.h).
 */
#include <math.h>

#include "promql/extended.h"
#include "promql/func_impl.h"
#include "promql/kahan.h"

enum rate_kind { RATE_PER_SECOND, RATE_INCREASE, RATE_DELTA };

/* The increase over the samples; each reset starts from zero. */
static double counter_increase(const struct range_call *call, const struct window *w)
{
    double total = w->v[w->count - 1] - w->v[0];
    for (size_t i = call->fall_low; i < call->fall_high; i++)
        total += call->series[call->falls[i] - 1];
    return total;
}

static bool extrapolated(const struct range_call *call, const struct window *w, enum rate_kind kind,
                         double *out)
{
    bool counter = kind != RATE_DELTA;
    if (call->anchored || call->smoothed) {
        if (!window_extended_increase(w, call->smoothed, counter, out)) return false;
        if (kind == RATE_PER_SECOND) *out /= call->range_s;
        return true;
    }
    if (w->count < 2) return false;
    double result = counter ? counter_increase(call, w) : w->v[w->count - 1] - w->v[0];
    double to_start = (double)(w->t_ms[0] - w->start_ms) / 1000;
    double to_end = (double)(w->end_ms - w->t_ms[w->count - 1]) / 1000;
    double sampled = (double)(w->t_ms[w->count - 1] - w->t_ms[0]) / 1000;
    double interval = sampled / (double)(w->count - 1);
    double threshold = interval * 1.1;

    if (to_start >= threshold) to_start = interval / 2;
    if (counter && result > 0 && w->v[0] >= 0) {
        double to_zero = sampled * (w->v[0] / result);
        if (to_zero < to_start) to_start = to_zero;
    }
    if (to_end >= threshold) to_end = interval / 2;

    double factor = (sampled + to_start + to_end) / sampled;
    if (kind == RATE_PER_SECOND) factor /= call->range_s;
    *out = result * factor;
    return true;
}

static bool range_rate(struct range_call *call, const struct window *w, double *out)
{
    return extrapolated(call, w, RATE_PER_SECOND, out);
}

static bool range_increase(struct range_call *call, const struct window *w, double *out)
{
    return extrapolated(call, w, RATE_INCREASE, out);
}

static bool range_delta(struct range_call *call, const struct window *w, double *out)
{
    return extrapolated(call, w, RATE_DELTA, out);
}

static bool range_irate(struct range_call *call, const struct window *w, double *out)
{
    (void)call;
    if (w->count < 2) return false;
    double last = w->v[w->count - 1];
    double before = w->v[w->count - 2];
    double seconds = (double)(w->t_ms[w->count - 1] - w->t_ms[w->count - 2]) / 1000;
    *out = (last < before ? last : last - before) / seconds;
    return true;
}

static bool range_idelta(struct range_call *call, const struct window *w, double *out)
{
    (void)call;
    if (w->count < 2) return false;
    *out = w->v[w->count - 1] - w->v[w->count - 2];
    return true;
}

struct line {
    double slope;
    double intercept;
};

/* Least squares through the samples; the intercept is at the given time. */
static struct line regression(const struct window *w, int64_t intercept_ms)
{
    struct kahan x = {0};
    struct kahan y = {0};
    struct kahan xy = {0};
    struct kahan xx = {0};
    bool constant = true;
    for (size_t i = 0; i < w->count; i++) {
        double at = (double)(w->t_ms[i] - intercept_ms) / 1e3;
        constant = constant && (i == 0 || w->v[i] == w->v[0]);
        kahan_add(&x, at);
        kahan_add(&y, w->v[i]);
        kahan_add(&xy, at * w->v[i]);
        kahan_add(&xx, at * at);
    }
    if (constant) {
        double nan = (double)NAN;
        return isinf(w->v[0]) ? (struct line){nan, nan} : (struct line){0, w->v[0]};
    }
    double n = (double)w->count;
    double sum_x = kahan_total(&x);
    double sum_y = kahan_total(&y);
    double covariance = kahan_total(&xy) - sum_x * sum_y / n;
    double variance = kahan_total(&xx) - sum_x * sum_x / n;
    double slope = covariance / variance;
    return (struct line){.slope = slope, .intercept = sum_y / n - slope * sum_x / n};
}

static bool range_deriv(struct range_call *call, const struct window *w, double *out)
{
    (void)call;
    if (w->count < 2) return false;
    *out = regression(w, w->t_ms[0]).slope; /* times near zero lose less */
    return true;
}

static bool range_predict_linear(struct range_call *call, const struct window *w, double *out)
{
    (void)call;
    if (w->count < 2) return false;
    struct line line = regression(w, w->eval_ms);
    *out = line.slope * w->args[0] + line.intercept;
    return true;
}

static bool range_changes(struct range_call *call, const struct window *w, double *out)
{
    struct window anchored;
    size_t changes = 0;
    if (call->anchored) {
        anchored = window_from_anchor(w);
        w = &anchored;
        if (!w->count) return false;
    }
    for (size_t i = 1; i < w->count; i++)
        changes += w->v[i] != w->v[i - 1] && !(isnan(w->v[i]) && isnan(w->v[i - 1]));
    *out = (double)changes;
    return true;
}

static bool range_resets(struct range_call *call, const struct window *w, double *out)
{
    size_t resets = call->fall_high - call->fall_low;
    if (call->anchored) {
        struct window anchored = window_from_anchor(w);
        if (!anchored.count) return false;
        resets = 0;
        for (size_t i = 1; i < anchored.count; i++)
            resets += anchored.v[i] < anchored.v[i - 1];
    }
    *out = (double)resets;
    return true;
}

static bool check_factor(struct range_call *call, double factor, const char *which,
                         const char *symbol)
{
    if (!(factor <= 0 || factor >= 1)) return true;
    call->failed =
        error_set(call->err, ERR_CONFLICT, "invalid %s factor. Expected: 0 < %s < 1, got: %f",
                  which, symbol, factor);
    return false;
}

/* Holt's method; args: smoothing factor, trend factor. */
static bool range_smoothing(struct range_call *call, const struct window *w, double *out)
{
    double sf = w->args[0];
    double tf = w->args[1];
    if (!check_factor(call, sf, "smoothing", "sf") || !check_factor(call, tf, "trend", "tf"))
        return false;
    if (w->count < 2) return false;
    double before = 0;
    double smoothed = w->v[0];
    double trend = w->v[1] - w->v[0];
    for (size_t i = 1; i < w->count; i++) {
        double x = sf * w->v[i];
        if (i > 1) trend = tf * (smoothed - before) + (1 - tf) * trend;
        double y = (1 - sf) * (smoothed + trend);
        before = smoothed;
        smoothed = x + y;
    }
    *out = smoothed;
    return true;
}

const struct function_impl func_rate = {.kind = FUNCTION_RANGE,
                                        .wants_counter = true,
                                        .wants_falls = true,
                                        .takes_anchored = true,
                                        .takes_smoothed = true,
                                        .range = range_rate};
const struct function_impl func_increase = {.kind = FUNCTION_RANGE,
                                            .wants_counter = true,
                                            .wants_falls = true,
                                            .takes_anchored = true,
                                            .takes_smoothed = true,
                                            .range = range_increase};
const struct function_impl func_delta = {
    .kind = FUNCTION_RANGE, .takes_anchored = true, .takes_smoothed = true, .range = range_delta};
const struct function_impl func_irate = {.kind = FUNCTION_RANGE, .range = range_irate};
const struct function_impl func_idelta = {.kind = FUNCTION_RANGE, .range = range_idelta};
const struct function_impl func_deriv = {.kind = FUNCTION_RANGE, .range = range_deriv};
const struct function_impl func_predict_linear = {
    .kind = FUNCTION_RANGE, .uses_time = true, .range = range_predict_linear};
const struct function_impl func_changes = {
    .kind = FUNCTION_RANGE, .takes_anchored = true, .range = range_changes, .slide = slide_changes};
const struct function_impl func_resets = {
    .kind = FUNCTION_RANGE, .wants_falls = true, .takes_anchored = true, .range = range_resets};
const struct function_impl func_double_exponential_smoothing = {.kind = FUNCTION_RANGE,
                                                                .range = range_smoothing};
