/*
 * aggregate - sum, avg, topk ... by (...) or without (...).
 *
 * The foldable ones take each row of the expression into its group's row and forget it: memory
 * grows with groups, not with series. quantile, topk and their kin keep the rows.
 */
#ifndef HEARTH_PROMQL_AGGREGATE_H
#define HEARTH_PROMQL_AGGREGATE_H

#include "promql/eval.h"
#include "promql/grouping.h"

MUST_USE enum status aggregate_open(struct eval *ev, const struct ast *node,
                                    const struct eval_range *range, struct rows **out,
                                    struct error *err);

/* May the aggregation stop pulling rows as soon as its answer is known? Yes when all rows are of
 * one group, so that no other group can come, and when their expression is a selector, which makes
 * no remarks. */
bool aggregate_may_stop(const struct ast *node, const struct grouping *g);

/* The answer when the parameter chooses no rows (why is OK), or is refused (why and err say so).
 * The expression is evaluated all the same: its own errors come first, its remarks are shown. */
MUST_USE enum status aggregate_nothing(struct eval *ev, const struct ast *node,
                                       const struct eval_range *range, enum status why,
                                       struct rows **out, struct error *err);

/* aggregate_k.c: topk, bottomk */
MUST_USE enum status aggregate_k_open(struct eval *ev, const struct ast *node,
                                      const struct eval_range *range, struct rows **out,
                                      struct error *err);
/* Of k at each step. *nothing: no step chooses anything.
 * ERR_CONFLICT: it is NaN somewhere, or no int64 */
MUST_USE enum status aggregate_check_k(const double *k, size_t steps, bool *nothing,
                                       struct error *err);
/* aggregate_limit.c: limitk, limit_ratio */
MUST_USE enum status aggregate_limit_open(struct eval *ev, const struct ast *node,
                                          const struct eval_range *range, struct rows **out,
                                          struct error *err);
/* aggregate_values.c: quantile, count_values */
MUST_USE enum status aggregate_quantile_open(struct eval *ev, const struct ast *node,
                                             const struct eval_range *range, struct rows **out,
                                             struct error *err);
MUST_USE enum status aggregate_count_values_open(struct eval *ev, const struct ast *node,
                                                 const struct eval_range *range, struct rows **out,
                                                 struct error *err);

#endif
