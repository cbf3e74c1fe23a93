/* func_over_time - one number for a range: the *_over_time functions. */
#include <math.h>

#include "promql/func_impl.h"
#include "promql/kahan.h"
#include "promql/quantile.h"
#include "promql/scan.h"

static bool range_avg(struct range_call *call, const struct window *w, double *out)
{
    (void)call;
    struct kahan_mean mean = {0};
    for (size_t i = 0; i < w->count; i++)
        kahan_mean_add(&mean, w->v[i]);
    *out = kahan_mean_value(&mean);
    return true;
}

static bool range_sum(struct range_call *call, const struct window *w, double *out)
{
    (void)call;
    struct kahan sum = {0};
    for (size_t i = 0; i < w->count; i++)
        kahan_add(&sum, w->v[i]);
    *out = isinf(sum.sum) ? sum.sum : kahan_total(&sum);
    return true;
}

static bool range_count(struct range_call *call, const struct window *w, double *out)
{
    (void)call;
    *out = (double)w->count;
    return true;
}

/* The index of the least value; NaN only when there is nothing else. Of equals the first, or the
 * last. */
static size_t index_of_min(const struct window *w, bool last)
{
    size_t best = 0;
    for (size_t i = 1; i < w->count; i++)
        if (w->v[i] < w->v[best] || (last && w->v[i] == w->v[best]) || isnan(w->v[best])) best = i;
    return best;
}

static size_t index_of_max(const struct window *w, bool last)
{
    size_t best = 0;
    for (size_t i = 1; i < w->count; i++)
        if (w->v[i] > w->v[best] || (last && w->v[i] == w->v[best]) || isnan(w->v[best])) best = i;
    return best;
}

static bool range_min(struct range_call *call, const struct window *w, double *out)
{
    (void)call;
    if (!scan_min(w->v, w->count, out)) *out = w->v[index_of_min(w, false)];
    return true;
}

static bool range_max(struct range_call *call, const struct window *w, double *out)
{
    (void)call;
    if (!scan_max(w->v, w->count, out)) *out = w->v[index_of_max(w, false)];
    return true;
}

static bool range_last(struct range_call *call, const struct window *w, double *out)
{
    (void)call;
    *out = w->v[w->count - 1];
    return true;
}

static bool range_first(struct range_call *call, const struct window *w, double *out)
{
    (void)call;
    *out = w->v[0];
    return true;
}

static double variance(const struct window *w)
{
    double count = 0;
    struct kahan mean = {0};
    struct kahan squares = {0};
    for (size_t i = 0; i < w->count; i++) {
        count++;
        double delta = w->v[i] - kahan_total(&mean);
        kahan_add(&mean, delta / count);
        kahan_add(&squares, delta * (w->v[i] - kahan_total(&mean)));
    }
    return kahan_total(&squares) / count;
}

static bool range_stdvar(struct range_call *call, const struct window *w, double *out)
{
    (void)call;
    *out = variance(w);
    return true;
}

static bool range_stddev(struct range_call *call, const struct window *w, double *out)
{
    (void)call;
    *out = sqrt(variance(w));
    return true;
}

static bool range_quantile(struct range_call *call, const struct window *w, double *out)
{
    double q = w->args[0];
    if (isnan(q) || q < 0 || q > 1) {
        struct ast_position position = call->node->call.args[0]->position;
        call->failed =
            annotation_add_quantile(&call->ev->notes, q, position, call->ev->arena, call->err);
        if (call->failed) return false;
    }
    memcpy(call->scratch, w->v, w->count * sizeof(w->v[0]));
    *out = quantile_of(q, call->scratch, w->count);
    return true;
}

/* The median distance from the median. */
static bool range_mad(struct range_call *call, const struct window *w, double *out)
{
    const double half = 0.5;
    for (size_t i = 0; i < w->count; i++) {
        if (isnan(w->v[i])) {
            *out = (double)NAN;
            return true;
        }
        call->scratch[i] = w->v[i];
    }
    double median = quantile_of(half, call->scratch, w->count);
    for (size_t i = 0; i < w->count; i++)
        call->scratch[i] = fabs(w->v[i] - median);
    *out = quantile_of(half, call->scratch, w->count);
    return true;
}

static bool range_present(struct range_call *call, const struct window *w, double *out)
{
    (void)call;
    (void)w;
    *out = 1;
    return true;
}

static bool range_ts_of_first(struct range_call *call, const struct window *w, double *out)
{
    (void)call;
    *out = (double)w->t_ms[0] / 1000;
    return true;
}

static bool range_ts_of_last(struct range_call *call, const struct window *w, double *out)
{
    (void)call;
    *out = (double)w->t_ms[w->count - 1] / 1000;
    return true;
}

static bool range_ts_of_min(struct range_call *call, const struct window *w, double *out)
{
    (void)call;
    *out = (double)w->t_ms[index_of_min(w, true)] / 1000;
    return true;
}

static bool range_ts_of_max(struct range_call *call, const struct window *w, double *out)
{
    (void)call;
    *out = (double)w->t_ms[index_of_max(w, true)] / 1000;
    return true;
}

#define OVER_TIME(name, function)                                                                  \
    const struct function_impl func_##name = {.kind = FUNCTION_RANGE, .range = (function)}
#define SLIDING(name, function, all)                                                               \
    const struct function_impl func_##name = {                                                     \
        .kind = FUNCTION_RANGE, .range = (function), .slide = (all)}

SLIDING(avg_over_time, range_avg, slide_avg);
SLIDING(sum_over_time, range_sum, slide_sum);
OVER_TIME(count_over_time, range_count);
SLIDING(min_over_time, range_min, slide_min);
SLIDING(max_over_time, range_max, slide_max);
OVER_TIME(stddev_over_time, range_stddev);
OVER_TIME(stdvar_over_time, range_stdvar);
OVER_TIME(quantile_over_time, range_quantile);
OVER_TIME(mad_over_time, range_mad);
OVER_TIME(present_over_time, range_present);
OVER_TIME(ts_of_first_over_time, range_ts_of_first);
OVER_TIME(ts_of_last_over_time, range_ts_of_last);
OVER_TIME(ts_of_min_over_time, range_ts_of_min);
OVER_TIME(ts_of_max_over_time, range_ts_of_max);

const struct function_impl func_last_over_time = {
    .kind = FUNCTION_RANGE, .keeps_name = true, .range = range_last};
const struct function_impl func_first_over_time = {
    .kind = FUNCTION_RANGE, .keeps_name = true, .range = range_first};
