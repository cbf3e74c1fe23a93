/*
 * collect - all rows of an expression, kept; those of many series by as many threads as are free.
 *
 * Threads: as promql/parts.h.
 */
#ifndef HEARTH_PROMQL_COLLECT_H
#define HEARTH_PROMQL_COLLECT_H

#include "promql/eval.h"

struct collected {
    struct row_table rows; /* bare; others may have the same ones, so nothing of them is changed */
    bool unnamed_unique;   /* as of rows */
};

/* The samples are held (eval_hold). */
MUST_USE enum status collect(struct eval *ev, const struct ast *node,
                             const struct eval_range *range, struct collected *out,
                             struct error *err);

#endif
