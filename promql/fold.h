/*
 * fold - the aggregations that take each row into its group's row and forget it: sum, avg, count,
 * min, max, group, stddev, stdvar.
 *
 * Folds of two parts of the series are joined into one (promql/parts.h). Sums are compensated, and
 * so is joining them.
 *
 * Threads: a fold belongs to its eval.
 */
#ifndef HEARTH_PROMQL_FOLD_H
#define HEARTH_PROMQL_FOLD_H

#include "promql/aggregate.h"
#include "promql/kahan.h"

/* One group at one step: what a mean or a spread needs of it. */
struct cell {
    union {
        struct kahan_mean mean;
        struct {
            double count;
            double mean;
            double squares; /* sum of squared distances from the mean (Welford 1962) */
        } spread;
    };
};

/* A group over all steps. */
struct group {
    uint64_t *present;
    struct cell *cells;          /* of avg, stddev and stdvar; else NULL */
    double *v;                   /* the sum, count or extreme; the answer, in the end */
    double *lost;                /* of sum: kahan.h */
    bool drops_name;             /* as one of its rows */
    const struct series *series; /* of its first row; NULL: that one had labels */
    bool unnamed;                /* as that row */
};

struct fold {
    struct eval *ev;
    const struct ast *node; /* the aggregation */
    enum ast_aggregation op;
    size_t steps;
    struct grouping grouping;
    struct groups VEC_OF(struct group) groups;
};

MUST_USE enum status fold_init(struct fold *f, struct eval *ev, const struct ast *node,
                               size_t steps, struct error *err);
/* Every row into each of the folds, which are of one expression. */
MUST_USE enum status fold_rows(struct fold *folds, size_t count, struct rows *rows,
                               struct error *err);
/* What the series of a part gave; nothing of it is needed afterwards. */
MUST_USE enum status fold_join(struct fold *f, const struct fold *part, struct error *err);
/* A row for each group. */
MUST_USE enum status fold_finish(struct fold *f, struct rows **out, struct error *err);

#endif
