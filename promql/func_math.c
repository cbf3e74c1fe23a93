/* func_math - functions of one value: arithmetic, logarithms, trigonometry, clamping, rounding. */
#include <math.h>

#include "promql/func_impl.h"

#define MAP_OF(name, expression)                                                                   \
    static bool map_##name(double v, const double *args, size_t arg_count, double *out)            \
    {                                                                                              \
        (void)args;                                                                                \
        (void)arg_count;                                                                           \
        *out = (expression);                                                                       \
        return true;                                                                               \
    }                                                                                              \
    const struct function_impl func_##name = {.kind = FUNCTION_MAP, .map = map_##name}

static const double pi = 3.14159265358979323846;

/* The natural logarithm by the algorithm of Sun's fdlibm (e_log.c), which Go has: within one unit
 * of the last place, and the same unit. v = 2^k * (1 + f), and log(1 + f) is a series in f / (2 +
 * f). */
static double log_as_go(double v)
{
    const double ln2_high = 6.93147180369123816490e-01; /* so short that its products are exact */
    const double ln2_low = 1.90821492927058770002e-10;
    const double half_root_2 = 7.07106781186547524401e-01;
    const double even[] = {3.999999999940941908e-01, 2.222219843214978396e-01,
                           1.531383769920937332e-01};
    const double odd[] = {6.666666666666735130e-01, 2.857142874366239149e-01,
                          1.818357216161805012e-01, 1.479819860511658591e-01};
    int exponent;
    if (!(v > 0) || isinf(v)) return log(v);
    double fraction = frexp(v, &exponent);
    if (fraction < half_root_2) {
        fraction *= 2;
        exponent--;
    }
    double k = exponent;
    double f = fraction - 1;
    double s = f / (2 + f);
    double s2 = s * s;
    double s4 = s2 * s2;
    double from_odd = s2 * (odd[0] + s4 * (odd[1] + s4 * (odd[2] + s4 * odd[3])));
    double from_even = s4 * (even[0] + s4 * (even[1] + s4 * even[2]));
    double rest = from_odd + from_even;
    double half_square = 0.5 * f * f;
    return k * ln2_high - ((half_square - (s * (half_square + rest) + k * ln2_low)) - f);
}

/* Exact for powers of 2. */
static double log2_as_go(double v)
{
    const double log2_of_e = 1.442695040888963407359924681001892137;
    const double half = 0.5;
    int exponent;
    if (!isfinite(v)) return log(v);
    double fraction = frexp(v, &exponent);
    if (fraction == half) return exponent - 1;
    return log_as_go(fraction) * log2_of_e + exponent;
}

/* Not exact for all powers of 10: log10(1e15) is less than 15 by its last bit, and floor() shows
 * that. */
static double log10_as_go(double v)
{
    const double log10_of_e = 0.434294481903251827651128918916605082;
    return log_as_go(v) * log10_of_e;
}

MAP_OF(abs, fabs(v));
MAP_OF(ceil, ceil(v));
MAP_OF(floor, floor(v));
MAP_OF(exp, exp(v));
MAP_OF(sqrt, sqrt(v));
MAP_OF(ln, log_as_go(v));
MAP_OF(log2, log2_as_go(v));
MAP_OF(log10, log10_as_go(v));
MAP_OF(sgn, v<0 ? -1 : v> 0 ? 1 : v);
MAP_OF(sin, sin(v));
MAP_OF(cos, cos(v));
MAP_OF(tan, tan(v));
MAP_OF(asin, asin(v));
MAP_OF(acos, acos(v));
MAP_OF(atan, atan(v));
MAP_OF(sinh, sinh(v));
MAP_OF(cosh, cosh(v));
MAP_OF(tanh, tanh(v));
MAP_OF(asinh, asinh(v));
MAP_OF(acosh, acosh(v));
MAP_OF(atanh, atanh(v));
MAP_OF(rad, v *pi / 180);
MAP_OF(deg, v * 180 / pi);

static bool clamp(double v, double least, double most, double *out)
{
    *out = math_max(least, math_min(most, v));
    return !(most < least);
}

static bool map_clamp(double v, const double *args, size_t arg_count, double *out)
{
    (void)arg_count;
    return clamp(v, args[0], args[1], out);
}

static bool map_clamp_min(double v, const double *args, size_t arg_count, double *out)
{
    (void)arg_count;
    return clamp(v, args[0], (double)INFINITY, out);
}

static bool map_clamp_max(double v, const double *args, size_t arg_count, double *out)
{
    (void)arg_count;
    return clamp(v, -(double)INFINITY, args[0], out);
}

/* To the nearest multiple, ties upwards. By the inverse, which loses less than dividing. */
static bool map_round(double v, const double *args, size_t arg_count, double *out)
{
    double inverse = 1.0 / (arg_count ? args[0] : 1.0);
    *out = floor(v * inverse + 0.5) / inverse;
    return true;
}

const struct function_impl func_clamp = {.kind = FUNCTION_MAP, .map = map_clamp};
const struct function_impl func_clamp_min = {.kind = FUNCTION_MAP, .map = map_clamp_min};
const struct function_impl func_clamp_max = {.kind = FUNCTION_MAP, .map = map_clamp_max};
const struct function_impl func_round = {.kind = FUNCTION_MAP, .map = map_round};

static enum status scalar_pi(struct eval *ev, const struct ast *call,
                             const struct eval_range *range, double *out, struct error *err)
{
    (void)ev;
    (void)call;
    (void)err;
    for (size_t i = 0; i < range->steps; i++)
        out[i] = pi;
    return OK;
}

static enum status scalar_of_two(struct eval *ev, const struct ast *call,
                                 const struct eval_range *range, bool least, double *out,
                                 struct error *err)
{
    double **args;
    size_t count;
    enum status st = func_scalar_args(ev, call, range, &args, &count, err);
    for (size_t i = 0; !st && i < range->steps; i++)
        out[i] = least ? math_min(args[0][i], args[1][i]) : math_max(args[0][i], args[1][i]);
    return st;
}

static enum status scalar_max_of(struct eval *ev, const struct ast *call,
                                 const struct eval_range *range, double *out, struct error *err)
{
    return scalar_of_two(ev, call, range, false, out, err);
}

static enum status scalar_min_of(struct eval *ev, const struct ast *call,
                                 const struct eval_range *range, double *out, struct error *err)
{
    return scalar_of_two(ev, call, range, true, out, err);
}

const struct function_impl func_pi = {.kind = FUNCTION_SCALAR, .scalar = scalar_pi};
const struct function_impl func_max_of = {.kind = FUNCTION_SCALAR, .scalar = scalar_max_of};
const struct function_impl func_min_of = {.kind = FUNCTION_SCALAR, .scalar = scalar_min_of};
