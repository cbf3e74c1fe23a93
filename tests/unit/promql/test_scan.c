/* scan: what a walk from the left says, whatever the values and however many. */
#include "promql/scan.h"

#include <math.h>
#include <stdlib.h>

#include "base/bits.h"
#include "tests/unit/suite.h"

enum { COUNT_MAX = 43, ROUNDS = 20000 };

static double draw(int kind)
{
    static const double odd[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1, -1};
    if (kind == 0) return odd[random() % 7];
    if (kind == 1) return (double)NAN;
    if (kind == 2) return random() % 2 ? 0.0 : -0.0;
    return random() % 20 ? (double)(random() % 9 - 4) : odd[random() % 7];
}

static bool naive_extreme(const double *v, size_t count, double sign, double *out)
{
    double best = -sign * (double)INFINITY;
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        if (!(sign * v[i] > sign * best)) continue;
        best = v[i];
        found = true;
    }
    if (found) *out = best;
    return found;
}

static void check_extreme(const double *v, size_t count, double sign)
{
    double expected = 5;
    double out = 5;
    bool found = naive_extreme(v, count, sign, &expected);
    ck_assert_int_eq((sign < 0 ? scan_min : scan_max)(v, count, &out), found);
    ck_assert_uint_eq(bits_from_double(out), bits_from_double(expected));
}

/* Never down, but perhaps at one place. */
static void climb(double *v, size_t count)
{
    for (size_t i = 1; i < count; i++)
        v[i] = v[i - 1] + (double)(random() % 3);
    if (count && random() % 2) v[random() % (long)count] = draw(0);
}

START_TEST(scans_are_walks_from_the_left)
{
    srandom(1);
    for (int round = 0; round < ROUNDS; round++) {
        double v[COUNT_MAX];
        size_t count = (size_t)random() % (COUNT_MAX + 1);
        bool nan = false;
        bool ascends = true;
        int kind = (int)(random() % 8);
        for (size_t i = 0; i < count; i++)
            v[i] = draw(kind);
        if (round % 2) climb(v, count);
        for (size_t i = 0; i < count; i++) {
            nan |= isnan(v[i]);
            ascends &= !isnan(v[i]) && (i == 0 || v[i] >= v[i - 1]);
        }
        ck_assert_int_eq(scan_has_nan(v, count), nan);
        ck_assert_int_eq(scan_ascends(v, count), ascends);
        check_extreme(v, count, 1);
        check_extreme(v, count, -1);
    }
}
END_TEST

SUITE(scan, scans_are_walks_from_the_left)
