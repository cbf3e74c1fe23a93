/* scan - loops whose turns do not wait for each other. */
#include "promql/scan.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "promql/wide.h"

/* Flags are as wide as values: narrower ones would be packed at every turn. */
WIDE_BODY bool any_nan(const double *v, size_t count)
{
    uint64_t any = 0;
    for (size_t i = 0; i < count; i++)
        any |= isnan(v[i]) ? 1 : 0;
    return any != 0;
}

static WIDE bool any_nan_wide(const double *v, size_t count)
{
    return any_nan(v, count);
}

bool scan_has_nan(const double *v, size_t count)
{
    return cpu_is_wide() ? any_nan_wide(v, count) : any_nan(v, count);
}

WIDE_BODY bool all_ascend(const double *v, size_t count)
{
    uint64_t breaks = count && isnan(v[0]) ? 1 : 0;
    for (size_t i = 1; i < count; i++)
        breaks |= v[i] >= v[i - 1] ? 0 : 1;
    return breaks == 0;
}

static WIDE bool all_ascend_wide(const double *v, size_t count)
{
    return all_ascend(v, count);
}

bool scan_ascends(const double *v, size_t count)
{
    return cpu_is_wide() ? all_ascend_wide(v, count) : all_ascend(v, count);
}

enum { LANES = 4, STRIDE = 4, VALUES_AT_ONCE = STRIDE * LANES };
typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));
typedef int64_t flags __attribute__((vector_size(LANES * sizeof(int64_t))));

WIDE_BODY void take_better(lanes *best, const double *v, bool most)
{
    lanes next;
    memcpy(&next, v, sizeof(next));
    flags better = most ? next > *best : next < *best;
    *best = (lanes)((better & (flags)next) | (~better & (flags)*best));
}

WIDE_BODY double extreme(const double *v, size_t count, bool most)
{
    double found = most ? -INFINITY : INFINITY;
    lanes best[STRIDE];
    size_t i = 0;
    for (size_t k = 0; k < STRIDE; k++)
        best[k] = (lanes){found, found, found, found};
    for (; i + VALUES_AT_ONCE <= count; i += VALUES_AT_ONCE)
        for (size_t k = 0; k < STRIDE; k++)
            take_better(&best[k], v + i + k * LANES, most);
    for (size_t k = 0; k < STRIDE; k++)
        for (size_t n = 0; n < LANES; n++)
            found = (most ? best[k][n] > found : best[k][n] < found) ? best[k][n] : found;
    for (; i < count; i++)
        found = (most ? v[i] > found : v[i] < found) ? v[i] : found;
    return found;
}

static WIDE double least_wide(const double *v, size_t count)
{
    return extreme(v, count, false);
}

static WIDE double most_wide(const double *v, size_t count)
{
    return extreme(v, count, true);
}

/* The first value that equals the one found: which zero it is, lanes do not say. */
static double first_equal(const double *v, double found)
{
    while (*v != found)
        v++;
    return *v;
}

bool scan_min(const double *v, size_t count, double *out)
{
    double least = cpu_is_wide() ? least_wide(v, count) : extreme(v, count, false);
    if (least == (double)INFINITY) return false;
    *out = least == 0 ? first_equal(v, 0) : least;
    return true;
}

bool scan_max(const double *v, size_t count, double *out)
{
    double most = cpu_is_wide() ? most_wide(v, count) : extreme(v, count, true);
    if (most == -(double)INFINITY) return false;
    *out = most == 0 ? first_equal(v, 0) : most;
    return true;
}
