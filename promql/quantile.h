/*
 * quantile - quantiles of plain values and of classic histograms. Pure functions.
 */
#ifndef HEARTH_PROMQL_QUANTILE_H
#define HEARTH_PROMQL_QUANTILE_H

#include <stdbool.h>
#include <stddef.h>

/* The q-quantile, interpolated between neighbours. Sorts the values, NaN first. No values or q NaN:
 * NaN; q below 0: -Inf; above 1: +Inf. */
double quantile_of(double q, double *values, size_t count);

/* A bucket of a classic histogram: how many observations are at most upper_bound. */
struct bucket {
    double upper_bound;
    double count;
};

/* What was changed to make counts rise with bounds (beyond differences that are rounding). */
struct bucket_repair {
    bool forced;
    double bucket_min, bucket_max; /* the bounds between which counts were raised */
    double difference_max;
};

/* count > 0; sorts the buckets and joins equal bounds. Linear within a bucket; the lowest one
 * starts at 0, or is a point when its bound is not positive; in the +Inf bucket: the bound before
 * it. NaN without a +Inf bucket, with fewer than two, or without observations. */
double bucket_quantile(double q, struct bucket *buckets, size_t count,
                       struct bucket_repair *repair);

/* The fraction of observations between two values. */
double bucket_fraction(double lower, double upper, struct bucket *buckets, size_t count);

#endif
