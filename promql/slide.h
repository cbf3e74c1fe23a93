/*
 * slide - all windows of one series at once: every sample is taken in once and given up once,
 * however many windows it lies in.
 *
 * Windows only move to the right. They are cut at `mid`:
 *
 *     v   | . . low . . . mid . . high . . |
 *               suffixes      running        a window is one suffix with the running part
 *
 * When low passes mid, mid moves to high and the suffixes are made anew from there down to low: two
 * stacks that are a queue. Nothing is ever subtracted, so sums lose nothing that way; they are
 * compensated like those of a single window (promql/kahan.h), added up in another order.
 *
 * For series whose values are all finite and not near overflow; others go window by window.
 * Functions that need no more than the ends of windows have forms of their own beside them.
 *
 * Threads: no state.
 */
#ifndef HEARTH_PROMQL_SLIDE_H
#define HEARTH_PROMQL_SLIDE_H

#include <stddef.h>
#include <stdint.h>

#include "promql/kahan.h"

/* Values of at least this size (or none at all) are not for sums that slide. */
#define SLIDE_VALUE_MAX 1e290

struct slide {
    const int64_t *t_ms;
    const double *v;
    const uint32_t *low; /* by step: the window is [low, high); both never fall */
    const uint32_t *high;
    size_t steps;
    int64_t end_ms; /* of the first step's window: it is (end_ms - range_ms, end_ms] */
    int64_t step_ms;
    int64_t range_ms;
    const uint32_t *falls; /* wants_falls: see struct range_call */
    size_t fall_count;
    struct kahan *suffixes; /* scratch: one per sample */
    double *by_step;        /* [2 * steps], made by a slide_times_function */
    double *out;            /* by step; left alone where there is no value */
    uint64_t *present;      /* the steps whose window is not empty; the function may clear some */
};

typedef void slide_function(struct slide *s);
/* What depends on times alone, into by_step. Steps that get no value, whatever the series, are
 * cleared in `present`. */
typedef void slide_times_function(const struct slide *s);

slide_function slide_sum, slide_avg, slide_min, slide_max, slide_changes;

#endif
