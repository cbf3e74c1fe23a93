/*
 * aggregate - sum, avg, topk ... by (...) or without (...).
 *
 * The foldable ones take each row of the expression into its group's row and forget it: memory
 * grows with groups, not with series. quantile, topk and their kin keep the rows.
 *
 * A group is found by the hash of the labels it keeps (struct grouping), then compared.
 */
#ifndef HEARTH_PROMQL_AGGREGATE_H
#define HEARTH_PROMQL_AGGREGATE_H

#include "promql/eval.h"

MUST_USE enum status aggregate_open(struct eval *ev, const struct ast *node,
                                    const struct eval_range *range, struct rows **out,
                                    struct error *err);

/* The groups of an aggregation, numbered from 0 in order of appearance. */
struct grouping {
    struct str *names; /* sorted, distinct */
    size_t name_count;
    bool without;
    struct hash_index index;
    struct grouping_labels VEC_OF(struct labels) groups;
    /* Of bare rows: classes of series, and the group of each class. */
    bool by_class; /* set by the user: each class is a group, without labels */
    struct series_classes *classes;
    struct grouping_numbers VEC_OF(size_t) group_of_class;
};
MUST_USE enum status grouping_init(struct grouping *g, const struct ast *node, struct arena *a,
                                   struct error *err);
/* The number of the set's group; *is_new when it was made just now. */
MUST_USE enum status grouping_find(struct grouping *g, struct labels set, struct arena *a,
                                   size_t *out, bool *is_new, struct error *err);
/* The same for a row that may be bare. */
MUST_USE enum status grouping_find_row(struct grouping *g, struct eval *ev, const struct row *row,
                                       size_t *out, bool *is_new, struct error *err);
/* Results of different groups stay distinct without their names. */
bool grouping_is_unnamed(const struct grouping *g);

/* Once the answer is known, the other rows may be left: there is no group that is not known yet,
 * and nothing that a row could be remarked on for. */
bool aggregate_may_stop(const struct ast *node, const struct grouping *g);

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
