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

/* Which samples of its argument a function looks at; those of the other kind are as if they were
 * not there. (Floats are all that is stored in this version: promql/row.h.) */
enum function_takes { TAKES_FLOATS, TAKES_HISTOGRAMS, TAKES_BOTH };

struct function {
    const char *name;
    enum value_type args[FUNCTION_ARGS_MAX];
    uint8_t arg_count; /* types listed */
    /* How many of the last arguments may be missing; -1: the last one may also repeat any number of
     * times (Prometheus' "variadic"). */
    int8_t variadic;
    enum value_type returns;
    bool experimental;
    enum function_takes takes;
    const struct function_impl *impl;
};

/* NULL when there is no such function. */
const struct function *function_find(struct str name);

#endif
