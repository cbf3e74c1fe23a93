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

MAP_OF(abs, fabs(v));
MAP_OF(ceil, ceil(v));
MAP_OF(floor, floor(v));
MAP_OF(exp, exp(v));
MAP_OF(sqrt, sqrt(v));
MAP_OF(ln, log(v));
MAP_OF(log2, log2(v));
MAP_OF(log10, log10(v));
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
