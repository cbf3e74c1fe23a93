/*
 * select - from selectors to rows and windows, one series at a time.
 *
 * A series is decoded once into two columns. An instant selector looks back from each step; a range
 * selector hands out its columns and each step's slice of them. Both look at (t - range, t]: the
 * left end is open.
 *
 *     columns   t0 t1 t2 t3 t4 t5 t6
 *     step 0   |------------|            two indices that only move forward
 *     step 1         |------------|
 *
 * A subquery is a range selector whose columns come from its expression's rows.
 *
 * anchored and smoothed range selectors also hand out the samples of one lookback before the
 * window, and smoothed ones those of one lookback behind it (promql/extended.h). A smoothed instant
 * selector interpolates.
 */
#ifndef HEARTH_PROMQL_SELECT_H
#define HEARTH_PROMQL_SELECT_H

#include "promql/eval.h"
#include "promql/func_impl.h"

/* What an instant selector's rows hold: the samples' values; their times in seconds, the name gone
 * (timestamp(x)); their times in milliseconds, all labels kept (info(x)). */
enum select_what { SELECT_VALUES, SELECT_TIMES, SELECT_STAMPS };

MUST_USE enum status select_rows(struct eval *ev, const struct ast *node,
                                 const struct eval_range *range, enum select_what what,
                                 struct rows **out, struct error *err);

/* The series of a matrix, one after the other. After windows_next the fields up to `count` describe
 * the present one, until the next call. Stale markers are left out. */
struct windows {
    struct labels labels;
    bool drops_name; /* as of a row */
    const int64_t *t_ms;
    const double *v;
    size_t count;
    bool unnamed_unique; /* as of rows */
    bool stable;         /* labels outlive the next call */

    struct eval *ev;
    const struct eval_range *range;
    int64_t range_ms;
    int64_t offset_ms;
    int64_t before_ms; /* how far samples reach beyond the window's ends */
    int64_t after_ms;
    bool fixed; /* @: every step has the same window, that ends at fixed_end_ms */
    int64_t fixed_end_ms;
    size_t low, high; /* of the last window */
    /* a selector */
    struct selection selection;
    size_t at;
    struct columns columns;
    struct label_scratch scratch;
    uint64_t held;
    /* a subquery: NULL when it has no steps */
    struct rows *inner;
    struct eval_range inner_range;
};

/* node: AST_MATRIX_SELECTOR or AST_SUBQUERY, unwrapped. range must outlive the windows. */
MUST_USE enum status windows_open(struct eval *ev, const struct ast *node,
                                  const struct eval_range *range, struct windows *out,
                                  struct error *err);
/* *more = false at the end. Series without a sample are passed over. */
MUST_USE enum status windows_next(struct windows *w, bool *more, struct error *err);
/* The window of a step; ask for steps in ascending order. False when it is empty. After a call
 * w->low and w->high are its ends in the columns. */
bool windows_at(struct windows *w, size_t step, struct window *out);

#endif
