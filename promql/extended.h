/*
 * extended - windows of anchored and smoothed range selectors.
 *
 * Their samples reach beyond the window (start, end]: up to one lookback before it, smoothed ones
 * also one lookback behind it. What counts is the value at the two ends:
 *
 *     anchored   the last sample at or before start (else the first behind it); the last of all
 *     smoothed   a line between the neighbours of start, and of end
 *
 * As in Prometheus' extended range selectors.
 */
#ifndef HEARTH_PROMQL_EXTENDED_H
#define HEARTH_PROMQL_EXTENDED_H

#include "promql/func_impl.h"

/* The value at time t on the line from sample i to the next. A counter that fell between them
 * started from zero. */
double interpolate_samples(const int64_t *t_ms, const double *v, size_t i, int64_t t, bool counter);

struct window_ends {
    size_t first, last; /* samples that the ends were taken from */
    double left, right;
};

/* False: no sample behind the start of the window. */
bool window_find_ends(const struct window *w, bool smoothed, bool counter, struct window_ends *out);

/* The samples strictly inside the window, first to last; count = 0: none. */
struct window_inside {
    size_t first;
    size_t count;
};
struct window_inside window_inside_of(const struct window *w, const struct window_ends *ends);

/* How much a window rises from one end to the other, what a counter lost in resets given back.
 * False: no answer. */
bool window_extended_increase(const struct window *w, bool smoothed, bool counter, double *out);

/* The samples from the anchor on; count = 0: none lies behind the start. */
struct window window_from_anchor(const struct window *w);

#endif
