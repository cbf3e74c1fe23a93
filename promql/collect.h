/*
 * collect - all rows of an expression, kept; those of many series by as many threads as are free.
 *
 * Expressions that are equal are collected once (promql/share.h).
 *
 * Threads: as promql/parts.h.
 */
#ifndef HEARTH_PROMQL_COLLECT_H
#define HEARTH_PROMQL_COLLECT_H

#include "promql/eval.h"

struct sharers;

struct collected {
    struct row_table rows; /* bare; others may have the same ones, so nothing of them is changed */
    bool unnamed_unique;   /* as of rows */
};

/* The samples are held (eval_hold). */
MUST_USE enum status collect(struct eval *ev, const struct ast *node,
                             const struct eval_range *range, struct collected *out,
                             struct error *err);
/* The same, when it is known who shares: for all of them, and put where the others find it. */
MUST_USE enum status collect_for(struct eval *ev, const struct ast *node,
                                 const struct eval_range *range, const struct sharers *sharers,
                                 struct collected *out, struct error *err);

#endif
