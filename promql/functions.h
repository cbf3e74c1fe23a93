/*
 * functions - the one table of PromQL functions: name, argument types, result, implementation.
 *
 * The parser reads the types, the engine calls the implementation. Function families live in
 * func_*.c; each row names its own.
 */
#ifndef HEARTH_PROMQL_FUNCTIONS_H
#define HEARTH_PROMQL_FUNCTIONS_H

#include "promql/ast.h"

enum { FUNCTION_ARGS_MAX = 5 };

struct function_impl; /* promql/func_impl.h: how the engine calls it */

struct function {
    const char *name;
    enum value_type args[FUNCTION_ARGS_MAX];
    uint8_t arg_count; /* types listed */
    /* How many of the last arguments may be missing; -1: the last one may also repeat any number of
     * times (Prometheus' "variadic"). */
    int8_t variadic;
    enum value_type returns;
    bool experimental;
    const struct function_impl *impl;
};

/* NULL when there is no such function. */
const struct function *function_find(struct str name);

#endif
