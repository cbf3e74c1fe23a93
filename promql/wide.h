/*
 * wide - loops over columns, compiled twice: for any CPU, and for those with AVX2.
 *
 *     WIDE_BODY bool any_nan(const double *v, size_t count)    { a plain loop }
 *     static WIDE bool any_nan_wide(const double *v, size_t n) { return any_nan(v, n); }
 *     bool scan_has_nan(const double *v, size_t n)
 *     {
 *         return cpu_is_wide() ? any_nan_wide(v, n) : any_nan(v, n);
 *     }
 *
 * Both do the same operations in the same order, so results have the same bits.
 */
#ifndef HEARTH_PROMQL_WIDE_H
#define HEARTH_PROMQL_WIDE_H

#include <stdbool.h>

#define WIDE_BODY static inline __attribute__((always_inline))

#if defined(__x86_64__)
#    define WIDE __attribute__((target("avx2")))
static inline bool cpu_is_wide(void)
{
    return __builtin_cpu_supports("avx2");
}
#else
#    define WIDE
static inline bool cpu_is_wide(void)
{
    return false;
}
#endif

#endif
