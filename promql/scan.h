/*
 * scan - what there is in a column of values, several at a time.
 *
 * These loops go over every sample of a query.
 *
 * Threads: no state.
 */
#ifndef HEARTH_PROMQL_SCAN_H
#define HEARTH_PROMQL_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* Any NaN. */
bool scan_has_nan(const double *v, size_t count);

/* No NaN, and no value below the one before it: what counters mostly do. */
bool scan_ascends(const double *v, size_t count);

/* The least and the greatest of values that are not NaN; of equal ones (0 and -0) the first. false:
 * there are none but NaN, or infinities of the wrong sign; *out is as it was. */
bool scan_min(const double *v, size_t count, double *out);
bool scan_max(const double *v, size_t count, double *out);

#endif
