/*
 * func_rate - how fast a range changes: rate and its kin, regression, smoothing.
 *
 * rate, increase and delta extrapolate from the first and last sample to the ends of the range, as
 * Prometheus does: all the way when the gap is at most 1.1 average intervals, else by half an
 * interval; a counter not beyond the point where it would have been zero. With anchored or smoothed
 * selectors nothing is extrapolated (promql/extended.h).
 */
#include <math.h>

#include "base/bits.h"
#include "promql/extended.h"
#include "promql/func_impl.h"
#include "promql/kahan.h"

enum rate_kind { RATE_PER_SECOND, RATE_INCREASE, RATE_DELTA };

/* What extrapolation takes from the times of a window. */
struct rate_times {
    double sampled;  /* seconds from the first to the last sample */
    double to_start; /* and how far it goes beyond them, zero apart */
    double to_end;
    double per_second; /* seconds of the range; 0: the increase is asked */
};

static double rate_factor(const struct rate_times *times, double to_start)
{
    double factor = (times->sampled + to_start + times->to_end) / times->sampled;
    return times->per_second != 0 ? factor / times->per_second : factor;
}

static struct rate_times rate_times(const int64_t *t_ms, size_t count, int64_t start_ms,
                                    int64_t end_ms)
{
    double to_start = (double)(t_ms[0] - start_ms) / 1000;
    double to_end = (double)(end_ms - t_ms[count - 1]) / 1000;
    double sampled = (double)(t_ms[count - 1] - t_ms[0]) / 1000;
    double interval = sampled / (double)(count - 1);
    double threshold = interval * 1.1;
    if (to_start >= threshold) to_start = interval / 2;
    if (to_end >= threshold) to_end = interval / 2;
    return (struct rate_times){.sampled = sampled, .to_start = to_start, .to_end = to_end};
}

/* A step whose window has two samples or more. */
struct rate_step {
    uint32_t step;
    uint32_t first;
    uint32_t last;
    struct rate_times times;
    double factor; /* when zero is not in the way */
};

static size_t slide_rate_times(const struct slide *s, bool per_second)
{
    struct rate_step *at = s->by_step;
    for (size_t i = 0; i < s->steps; i++) {
        size_t count = s->high[i] - s->low[i];
        if (count < 2) {
            bit_clear(s->present, i);
            continue;
        }
        int64_t end_ms = s->end_ms + (int64_t)i * s->step_ms;
        int64_t start_ms = bits_sub_clamped(end_ms, s->range_ms);
        at->step = (uint32_t)i;
        at->first = s->low[i];
        at->last = s->high[i] - 1;
        at->times = rate_times(s->t_ms + s->low[i], count, start_ms, end_ms);
        at->times.per_second = per_second ? (double)s->range_ms / 1000 : 0;
        at->factor = rate_factor(&at->times, at->times.to_start);
        at++;
    }
    return (size_t)(at - (struct rate_step *)s->by_step);
}

static size_t slide_per_second_times(const struct slide *s)
{
    return slide_rate_times(s, true);
}

static size_t slide_increase_times(const struct slide *s)
{
    return slide_rate_times(s, false);
}

static double counter_value(const struct rate_step *at, double first, double increase)
{
    double factor = at->factor;
    /* The gap to the start is less than 1.1 of what is sampled. */
    if (increase > 0 && first >= 0 && first < 2 * increase) {
        double to_zero = at->times.sampled * (first / increase);
        if (to_zero < at->times.to_start) factor = rate_factor(&at->times, to_zero);
    }
    return increase * factor;
}

/* rate and increase: each reset starts from zero. Most series have none. */
static void slide_counter(struct slide *s)
{
    const struct rate_step *steps = s->by_step;
    const double *v = s->v;
    size_t low = 0; /* falls before it are behind the first sample of the window */
    for (size_t i = 0; i < s->by_step_count && !s->fall_count; i++) {
        const struct rate_step *at = &steps[i];
        double first = v[at->first];
        s->out[at->step] = counter_value(at, first, v[at->last] - first);
    }
    for (size_t i = 0; i < s->by_step_count && s->fall_count; i++) {
        const struct rate_step *at = &steps[i];
        double first = v[at->first];
        double increase = v[at->last] - first;
        while (low < s->fall_count && s->falls[low] <= at->first)
            low++;
        for (size_t f = low; f < s->fall_count && s->falls[f] <= at->last; f++)
            increase += v[s->falls[f] - 1];
        s->out[at->step] = counter_value(at, first, increase);
    }
}

static void slide_delta(struct slide *s)
{
    const struct rate_step *steps = s->by_step;
    for (size_t i = 0; i < s->by_step_count; i++)
        s->out[steps[i].step] = (s->v[steps[i].last] - s->v[steps[i].first]) * steps[i].factor;
}

/* With anchored or smoothed selectors. */
static bool extended(const struct range_call *call, const struct window *w, enum rate_kind kind,
                     double *out)
{
    if (!window_extended_increase(w, call->smoothed, kind != RATE_DELTA, out)) return false;
    if (kind == RATE_PER_SECOND) *out /= call->range_s;
    return true;
}

static bool range_rate(struct range_call *call, const struct window *w, double *out)
{
    return extended(call, w, RATE_PER_SECOND, out);
}

static bool range_increase(struct range_call *call, const struct window *w, double *out)
{
    return extended(call, w, RATE_INCREASE, out);
}

static bool range_delta(struct range_call *call, const struct window *w, double *out)
{
    return extended(call, w, RATE_DELTA, out);
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
                                        .range = range_rate,
                                        .slide = slide_counter,
                                        .slide_times = slide_per_second_times,
                                        .slide_step_bytes = sizeof(struct rate_step),
                                        .slides_when = SLIDES_ALWAYS};
const struct function_impl func_increase = {.kind = FUNCTION_RANGE,
                                            .wants_counter = true,
                                            .wants_falls = true,
                                            .takes_anchored = true,
                                            .takes_smoothed = true,
                                            .range = range_increase,
                                            .slide = slide_counter,
                                            .slide_times = slide_increase_times,
                                            .slide_step_bytes = sizeof(struct rate_step),
                                            .slides_when = SLIDES_ALWAYS};
const struct function_impl func_delta = {.kind = FUNCTION_RANGE,
                                         .takes_anchored = true,
                                         .takes_smoothed = true,
                                         .range = range_delta,
                                         .slide = slide_delta,
                                         .slide_times = slide_increase_times,
                                         .slide_step_bytes = sizeof(struct rate_step),
                                         .slides_when = SLIDES_ALWAYS};
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
