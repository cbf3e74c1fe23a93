/*
 * prepare - between parsing and evaluation: what the query's own times decide.
 *
 * @ start() and @ end() become times, start(), end(), range() and step() become numbers, and the
 * largest parts that answer the same at every step are wrapped in AST_STEP_INVARIANT, to be
 * evaluated once. Duration expressions have been resolved before (promql/duration_expr.h).
 *
 * Threads: changes the tree in place.
 */
#ifndef HEARTH_PROMQL_PREPARE_H
#define HEARTH_PROMQL_PREPARE_H

#include "alloc/arena.h"
#include "promql/ast.h"

struct prepare_times {
    int64_t start_ms;
    int64_t end_ms;
    int64_t step_ms; /* 0: an instant query */
};

/* ERR_NO_MEMORY, ERR_TOO_LARGE from the arena. */
MUST_USE enum status prepare_tree(struct ast **root, const struct prepare_times *times,
                                  struct arena *a, struct error *err);

#endif
