/*
 * func_rate - how fast a range changes: rate and its kin, regression, smoothing.
 *
 * rate, increase and delta extrapolate from the first and last sample to the ends of the range, as
 * Prometheus does: all the way when the gap is at most 1.1 average intervals, else by half an
 * interval; a counter not beyond the point where it would have been zero. With anchored or smoothed
 * selectors nothing is extrapolated (promql/extended.h).
 */
#include <math.h>
#include <string.h>

#include "base/bits.h"
#include "promql/extended.h"
#include "promql/func_impl.h"
#include "promql/kahan.h"
#include "promql/wide.h"

enum rate_kind { RATE_PER_SECOND, RATE_INCREASE, RATE_DELTA };

/* What extrapolation takes from the times of a window. */
struct rate_times {
    double sampled;  /* seconds from the first to the last sample */
    double to_start; /* and how far it goes beyond them, zero apart */
    double to_end;
};

/* per_second: seconds of the range; 0: the increase is asked. */
static double rate_factor(const struct rate_times *times, double to_start, double per_second)
{
    double factor = (times->sampled + to_start + times->to_end) / times->sampled;
    return per_second != 0 ? factor / per_second : factor;
}

/* Where the samples of a window lie in its range. */
struct placing {
    int64_t to_start_ms;
    int64_t to_end_ms;
    int64_t sampled_ms;
    size_t count;
};

static inline struct placing placing_at_step(const struct slide *s, size_t i)
{
    int64_t end_ms = s->end_ms + (int64_t)i * s->step_ms;
    int64_t first_ms = s->t_ms[s->low[i]];
    int64_t last_ms = s->t_ms[s->high[i] - 1];
    return (struct placing){.to_start_ms = first_ms - bits_sub_clamped(end_ms, s->range_ms),
                            .to_end_ms = end_ms - last_ms,
                            .sampled_ms = last_ms - first_ms,
                            .count = s->high[i] - s->low[i]};
}

static struct rate_times rate_times(const struct placing *p)
{
    double to_start = (double)p->to_start_ms / 1000;
    double to_end = (double)p->to_end_ms / 1000;
    double sampled = (double)p->sampled_ms / 1000;
    double interval = sampled / (double)(p->count - 1);
    double threshold = interval * 1.1;
    if (to_start >= threshold) to_start = interval / 2;
    if (to_end >= threshold) to_end = interval / 2;
    return (struct rate_times){.sampled = sampled, .to_start = to_start, .to_end = to_end};
}

static double range_seconds(const struct slide *s)
{
    return (double)s->range_ms / 1000;
}

/* By step: what an increase is multiplied by when zero is not in the way, and behind all of these
 * how much of it a first sample must be at least for that to be sure. (What rounding may do to the
 * comparison that counts, in from_zero, is far less than slack.) A step needs two samples. Most
 * have theirs where the one before has: six divisions are not made again then. */
static void find_factors(const struct slide *s, double per_second)
{
    const double slack = 1 + 1e-12;
    double *reach = s->by_step + s->steps;
    struct placing before = {.count = 0};
    size_t same = 0;
    struct bit_walk walk = bit_walk(s->present, s->steps);
    size_t i;
    while (bit_walk_next(&walk, &i)) {
        if (s->high[i] - s->low[i] < 2) {
            bit_clear(s->present, i);
            continue;
        }
        struct placing placing = placing_at_step(s, i);
        if (memcmp(&placing, &before, sizeof(placing)) == 0) {
            s->by_step[i] = s->by_step[same];
            reach[i] = reach[same];
            continue;
        }
        struct rate_times times = rate_times(&placing);
        s->by_step[i] = rate_factor(&times, times.to_start, per_second);
        reach[i] = times.to_start / times.sampled * slack;
        before = placing;
        same = i;
    }
}

static void find_rate_factors(const struct slide *s)
{
    find_factors(s, range_seconds(s));
}

static void find_increase_factors(const struct slide *s)
{
    find_factors(s, 0);
}

/* A counter was not below zero before its first sample. */
static double from_zero(const struct slide *s, size_t i, double first, double increase,
                        double per_second)
{
    struct placing placing = placing_at_step(s, i);
    struct rate_times times = rate_times(&placing);
    double to_zero = times.sampled * (first / increase);
    if (to_zero >= times.to_start) return increase * s->by_step[i];
    return increase * rate_factor(&times, to_zero, per_second);
}

/* Each reset starts from zero. *fall: those before it are behind the first sample of the window. */
static double after_falls(const struct slide *s, size_t i, double increase, size_t *fall)
{
    while (*fall < s->fall_count && s->falls[*fall] <= s->low[i])
        *fall += 1;
    for (size_t f = *fall; f < s->fall_count && s->falls[f] < s->high[i]; f++)
        increase += s->v[s->falls[f] - 1];
    return increase;
}

enum { STEPS_AT_ONCE = 64 };

static inline bool is_near_zero(double first, double increase, double reach)
{
    return (increase > 0) & (first >= 0) & (first <= increase * reach);
}

/* Of steps that see no fall: the increase times its factor. True when a counter may be so near to
 * zero that a look at the times is due. */
WIDE_BODY bool extrapolate(const double *restrict v, const uint32_t *restrict low,
                           const uint32_t *restrict high, const double *restrict factor,
                           const double *restrict reach, double *restrict out, size_t count)
{
    uint64_t near = 0; /* or below zero, where the look finds nothing; at 0 without increase not */
    for (size_t i = 0; i < count; i++) {
        double first = v[low[i]];
        double increase = v[(size_t)high[i] - 1] - first;
        near |= first < increase * reach[i] ? 1 : 0;
        out[i] = increase * factor[i];
    }
    return near != 0;
}

static WIDE bool extrapolate_wide(const double *v, const uint32_t *low, const uint32_t *high,
                                  const double *factor, const double *reach, double *out,
                                  size_t count)
{
    return extrapolate(v, low, high, factor, reach, out, count);
}

/* The same, step by step, whatever a step sees. */
static void count_carefully(const struct slide *s, size_t from, size_t count, double per_second,
                            size_t *fall)
{
    const double *reach = s->by_step + s->steps;
    for (size_t i = from; i < from + count; i++) {
        double first = s->v[s->low[i]];
        double increase = after_falls(s, i, s->v[s->high[i] - 1] - first, fall);
        s->out[i] = is_near_zero(first, increase, reach[i])
                        ? from_zero(s, i, first, increase, per_second)
                        : increase * s->by_step[i];
    }
}

/* rate and increase. Most steps see no fall, and are far from zero. */
static void counter_steps(const struct slide *s, size_t from, size_t count, double per_second,
                          size_t *fall)
{
    const uint32_t *low = s->low + from;
    const uint32_t *high = s->high + from;
    const double *factor = s->by_step + from;
    const double *reach = factor + s->steps;
    double *out = s->out + from;
    bool care = s->fall_count > 0;
    if (!care && cpu_is_wide())
        care = extrapolate_wide(s->v, low, high, factor, reach, out, count);
    else if (!care)
        care = extrapolate(s->v, low, high, factor, reach, out, count);
    if (care) count_carefully(s, from, count, per_second, fall);
}

static void slide_counter(struct slide *s, double per_second)
{
    size_t fall = 0;
    struct bit_runs run = bit_runs(s->present, s->steps);
    while (bit_runs_next(&run)) {
        for (size_t from = run.from; from < run.to; from += STEPS_AT_ONCE) {
            size_t left = run.to - from;
            counter_steps(s, from, left < STEPS_AT_ONCE ? left : STEPS_AT_ONCE, per_second, &fall);
        }
    }
}

static void slide_rate(struct slide *s)
{
    slide_counter(s, range_seconds(s));
}

static void slide_increase(struct slide *s)
{
    slide_counter(s, 0);
}

static void slide_delta(struct slide *s)
{
    struct bit_walk walk = bit_walk(s->present, s->steps);
    size_t i;
    while (bit_walk_next(&walk, &i))
        s->out[i] = (s->v[s->high[i] - 1] - s->v[s->low[i]]) * s->by_step[i];
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
                                        .slide = slide_rate,
                                        .slide_times = find_rate_factors,
                                        .slides_when = SLIDES_ALWAYS};
const struct function_impl func_increase = {.kind = FUNCTION_RANGE,
                                            .wants_counter = true,
                                            .wants_falls = true,
                                            .takes_anchored = true,
                                            .takes_smoothed = true,
                                            .range = range_increase,
                                            .slide = slide_increase,
                                            .slide_times = find_increase_factors,
                                            .slides_when = SLIDES_ALWAYS};
const struct function_impl func_delta = {.kind = FUNCTION_RANGE,
                                         .takes_anchored = true,
                                         .takes_smoothed = true,
                                         .range = range_delta,
                                         .slide = slide_delta,
                                         .slide_times = find_increase_factors,
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
