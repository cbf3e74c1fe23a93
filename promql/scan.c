/* scan - vectors of two, which every x86-64 has, two of them at a time; the end one by one. */
#include "promql/scan.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { PAIR = 2, LANES = 2 * PAIR };
typedef double lanes __attribute__((vector_size(PAIR * sizeof(double))));
typedef int64_t flags __attribute__((vector_size(PAIR * sizeof(int64_t))));

static inline lanes load(const double *v)
{
    lanes out;
    memcpy(&out, v, sizeof(out));
    return out;
}

static bool any_of(flags any)
{
    return (any[0] | any[1]) != 0;
}

bool scan_has_nan(const double *v, size_t count)
{
    const lanes most = {INFINITY, INFINITY};
    flags any = {0};
    bool found = false;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        any |= ~((load(v + i) <= most) & (load(v + i + PAIR) <= most));
    for (; i < count; i++)
        found |= isnan(v[i]);
    return found || any_of(any);
}

bool scan_falls(const double *v, size_t count)
{
    flags any = {0};
    bool found = false;
    size_t i = 1;
    for (; i + LANES <= count; i += LANES)
        any |= (load(v + i) < load(v + i - 1)) | (load(v + i + PAIR) < load(v + i + PAIR - 1));
    for (; i < count; i++)
        found |= v[i] < v[i - 1];
    return found || any_of(any);
}

/* The first value that equals the one found: which zero it is, a maximum of lanes does not say. */
static double first_equal(const double *v, double found)
{
    while (*v != found)
        v++;
    return *v;
}

bool scan_min(const double *v, size_t count, double *out)
{
    double least[LANES] = {INFINITY, INFINITY, INFINITY, INFINITY};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            least[k] = v[i + k] < least[k] ? v[i + k] : least[k];
    for (; i < count; i++)
        least[0] = v[i] < least[0] ? v[i] : least[0];
    for (size_t k = 1; k < LANES; k++)
        least[0] = least[k] < least[0] ? least[k] : least[0];
    if (least[0] == (double)INFINITY) return false;
    *out = least[0] == 0 ? first_equal(v, 0) : least[0];
    return true;
}

bool scan_max(const double *v, size_t count, double *out)
{
    double most[LANES] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            most[k] = v[i + k] > most[k] ? v[i + k] : most[k];
    for (; i < count; i++)
        most[0] = v[i] > most[0] ? v[i] : most[0];
    for (size_t k = 1; k < LANES; k++)
        most[0] = most[k] > most[0] ? most[k] : most[0];
    if (most[0] == -(double)INFINITY) return false;
    *out = most[0] == 0 ? first_equal(v, 0) : most[0];
    return true;
}
