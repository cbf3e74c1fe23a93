/*
 * assert - bugs end the process, with the place and the condition on stderr.
 *
 * ASSERT stays in release builds; DEBUG_ASSERT is for hot paths and vanishes there
 * (HEARTH_DEBUG=0). Neither is for input, disk or memory: those are statuses (base/status.h).
 */
#ifndef HEARTH_BASE_ASSERT_H
#define HEARTH_BASE_ASSERT_H

#include "base/compiler.h"

/* Write "file:line: function: what" with write(2), without allocating, and abort. */
NO_RETURN COLD void assert_failed(const char *file, int line, const char *function,
                                  const char *what);

#define ASSERT(condition)                                                                          \
    (LIKELY(condition) ? (void)0 : assert_failed(__FILE__, __LINE__, __func__, #condition))

#if HEARTH_DEBUG
#    define DEBUG_ASSERT(condition) ASSERT(condition)
#else
#    define DEBUG_ASSERT(condition) ((void)sizeof(!(condition)))
#endif

#define UNREACHABLE() assert_failed(__FILE__, __LINE__, __func__, "unreachable")

#endif
