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
 *
 * Threads: no state.
 */
#ifndef HEARTH_PROMQL_SLIDE_H
#define HEARTH_PROMQL_SLIDE_H

#include <stddef.h>

#include "promql/kahan.h"

/* Values of at least this size (or none at all) are not for sums that slide. */
#define SLIDE_VALUE_MAX 1e290

struct slide {
    const double *v;
    const size_t *low; /* by step: the window is [low, high); both never fall */
    const size_t *high;
    size_t steps;
    struct kahan *suffixes; /* scratch: one per sample */
    double *out;            /* by step; left alone where the window is empty */
};

typedef void slide_function(const struct slide *s);

slide_function slide_sum, slide_avg, slide_min, slide_max, slide_changes;

#endif
