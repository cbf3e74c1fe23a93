/*
 * compiler - the few compiler extensions this project uses, each under a name.
 */
#ifndef HEARTH_BASE_COMPILER_H
#define HEARTH_BASE_COMPILER_H

#define MUST_USE            __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a)   __attribute__((format(printf, f, a)))
#define NO_RETURN           __attribute__((noreturn))
#define COLD                __attribute__((cold))
#define ALWAYS_INLINE       inline __attribute__((always_inline))
#define NO_INLINE           __attribute__((noinline))
#define UNUSED              __attribute__((unused))
#define LIKELY(condition)   __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

#define CACHE_LINE_BYTES 64
#define CACHE_ALIGNED    __attribute__((aligned(CACHE_LINE_BYTES)))

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
