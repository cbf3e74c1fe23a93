/* quantile - sorting, interpolating, and making bucket counts rise. */
#include "promql/quantile.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* Differences between neighbouring buckets below this, relative to their sum, are rounding. */
static const double small_delta = 1e-12;

/* In the order that NaNs come first. */
static bool is_before(double x, double y)
{
    return x < y || (isnan(x) && !isnan(y));
}

static void swap(double *a, double *b)
{
    double kept = *a;
    *a = *b;
    *b = kept;
}

/* Of the first, the middle and the last value the one in the middle. */
static double pivot_of(const double *v, size_t count)
{
    double a = v[0];
    double b = v[(count - 1) / 2]; /* of two the first: then both parts are smaller */
    double c = v[count - 1];
    if (is_before(b, a)) swap(&a, &b);
    if (is_before(c, b)) b = is_before(c, a) ? a : c;
    return b;
}

static int compare_values(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return is_before(y, x) - is_before(x, y);
}

/* Put the value that sorting would put there at `at`, none that comes later before it, and none
 * that comes earlier behind it (Hoare, "Algorithm 65: FIND", CACM 1961). Values that somebody has
 * chosen to make that slow are sorted. */
static void settle(double *v, size_t count, size_t at)
{
    enum { ROUNDS_MAX = 64 };
    for (int round = 0; count > 1; round++) {
        if (round == ROUNDS_MAX) {
            qsort(v, count, sizeof(v[0]), compare_values);
            return;
        }
        double pivot = pivot_of(v, count);
        size_t low = 0;
        size_t high = count - 1;
        for (;;) {
            while (is_before(v[low], pivot))
                low++;
            while (is_before(pivot, v[high]))
                high--;
            if (low >= high) break;
            swap(&v[low++], &v[high--]);
        }
        /* [0, high] is not behind the pivot, [high + 1, count) is not before it. */
        if (at <= high) {
            count = high + 1;
        } else {
            v += high + 1;
            at -= high + 1;
            count -= high + 1;
        }
    }
}

double quantile_of(double q, double *values, size_t count)
{
    if (!count || isnan(q)) return (double)NAN;
    if (q < 0) return -(double)INFINITY;
    if (q > 1) return (double)INFINITY;
    double rank = q * (double)(count - 1);
    double floored = floor(rank);
    size_t lower = floored > 0 ? (size_t)floored : 0;
    size_t upper = lower + 1 < count ? lower + 1 : count - 1;
    settle(values, count, lower);
    if (upper > lower) settle(values + upper, count - upper, 0);
    double weight = rank - floored;
    return values[lower] * (1 - weight) + values[upper] * weight;
}

static int compare_buckets(const void *a, const void *b)
{
    double x = ((const struct bucket *)a)->upper_bound;
    double y = ((const struct bucket *)b)->upper_bound;
    return (x > y) - (x < y);
}

static bool is_sorted(const struct bucket *buckets, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (buckets[i].upper_bound < buckets[i - 1].upper_bound) return false;
    return true;
}

/* Sorted, equal bounds joined; returns how many are left. */
static size_t arrange(struct bucket *buckets, size_t count)
{
    if (!is_sorted(buckets, count)) qsort(buckets, count, sizeof(buckets[0]), compare_buckets);
    size_t last = 0;
    for (size_t i = 1; i < count; i++) {
        if (buckets[i].upper_bound == buckets[last].upper_bound)
            buckets[last].count += buckets[i].count;
        else
            buckets[++last] = buckets[i];
    }
    return last + 1;
}

/* Equal but for rounding: relative to the sum of both, or absolutely near zero. */
static bool is_almost_equal(double a, double b, double tolerance)
{
    if (isnan(a) && isnan(b)) return true;
    if (a == b) return true;
    double sum = fabs(a) + fabs(b);
    double difference = fabs(a - b);
    if (a == 0 || b == 0 || sum < DBL_MIN) return difference < tolerance * DBL_MIN;
    return difference / fmin(sum, DBL_MAX) < tolerance;
}

static void make_monotonic(struct bucket *buckets, size_t count, struct bucket_repair *repair)
{
    *repair =
        (struct bucket_repair){.bucket_min = (double)INFINITY, .bucket_max = -(double)INFINITY};
    const double clearly = 1 + 10 * small_delta; /* more than rounding, without a division */
    double before = buckets[0].count;
    for (size_t i = 1; i < count; i++) {
        struct bucket *b = &buckets[i];
        if (b->count == before) continue;
        if (before > 0 && b->count > before * clearly) {
            before = b->count;
            continue;
        }
        if (is_almost_equal(before, b->count, small_delta)) {
            b->count = before;
            continue;
        }
        if (!(b->count < before)) {
            before = b->count;
            continue;
        }
        repair->forced = true;
        repair->bucket_min = fmin(repair->bucket_min, b->upper_bound);
        repair->bucket_max = fmax(repair->bucket_max, b->upper_bound);
        repair->difference_max = fmax(repair->difference_max, before - b->count);
        b->count = before;
    }
}

static size_t first_at_least(const struct bucket *buckets, size_t count, double rank)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (buckets[middle].count >= rank)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

double bucket_quantile(double q, struct bucket *buckets, size_t count, struct bucket_repair *repair)
{
    *repair = (struct bucket_repair){0};
    if (isnan(q)) return (double)NAN;
    if (q < 0) return -(double)INFINITY;
    if (q > 1) return (double)INFINITY;
    count = arrange(buckets, count);
    if (!(isinf(buckets[count - 1].upper_bound) && buckets[count - 1].upper_bound > 0))
        return (double)NAN;
    make_monotonic(buckets, count, repair);
    double observations = buckets[count - 1].count;
    if (count < 2 || observations == 0) return (double)NAN;

    double rank = q * observations;
    size_t b = first_at_least(buckets, count - 1, rank);
    if (b == count - 1) return buckets[count - 2].upper_bound;
    if (b == 0 && buckets[0].upper_bound <= 0) return buckets[0].upper_bound;
    double start = 0;
    double inside = buckets[b].count;
    if (b > 0) {
        start = buckets[b - 1].upper_bound;
        inside -= buckets[b - 1].count;
        rank -= buckets[b - 1].count;
    }
    return start + (buckets[b].upper_bound - start) * (rank / inside);
}

static double at_most(double rank, double total)
{
    return rank > total ? total : rank; /* a NaN stays */
}

/* How many observations are at most v. */
static double rank_of(double v, const struct bucket *buckets, size_t count)
{
    double below = 0; /* observations up to the lower bound of bucket i */
    double total = buckets[count - 1].count;
    for (size_t i = 0; i < count; i++) {
        double lower = i ? buckets[i - 1].upper_bound
                         : (buckets[0].upper_bound <= 0 ? -(double)INFINITY : 0.0);
        double upper = buckets[i].upper_bound;
        if (lower >= v) return at_most(below, total);
        if (upper > v) {
            /* Nothing can be said inside an infinitely wide bucket. */
            if (isinf(lower)) return at_most(buckets[i].count, total);
            double rank = below + (buckets[i].count - below) * (v - lower) / (upper - lower);
            return at_most(rank, total);
        }
        below = buckets[i].count;
    }
    return total;
}

double bucket_fraction(double lower, double upper, struct bucket *buckets, size_t count)
{
    count = arrange(buckets, count);
    double last = buckets[count - 1].upper_bound;
    if (!(isinf(last) && last > 0)) return (double)NAN;
    double total = buckets[count - 1].count;
    if (total == 0 || isnan(lower) || isnan(upper)) return (double)NAN;
    if (lower >= upper) return 0;
    return (rank_of(upper, buckets, count) - rank_of(lower, buckets, count)) / total;
}
