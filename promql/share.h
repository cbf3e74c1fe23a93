/*
 * share - aggregations of the same series in one query: sum(x) / count(x) reads x once.
 *
 * The first one that is opened folds for those behind it in the text, too; what they get waits for
 * them here. Shared are expressions of the same text over the same steps, outside of subqueries.
 *
 * Threads: one query, one thread.
 */
#ifndef HEARTH_PROMQL_SHARE_H
#define HEARTH_PROMQL_SHARE_H

#include "promql/eval.h"

enum { SHARE_MAX = 4 }; /* frames of recursion are small: promql/ast.h */

/* The aggregations that node, which is one that folds, may fold for, itself first; at most
 * SHARE_MAX. */
size_t share_find(const struct eval *ev, const struct ast *node, const struct eval_range *range,
                  const struct ast **out);

/* Keep what was folded for a node. */
MUST_USE enum status share_put(struct eval *ev, const struct ast *node, struct rows *rows,
                               struct error *err);
/* What was kept for it, once; NULL: nothing. */
struct rows *share_take(struct eval *ev, const struct ast *node);

#endif
