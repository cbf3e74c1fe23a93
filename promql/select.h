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
#include "promql/window_table.h"

/* Does a vector selector ask for one name of metrics? */
bool selector_has_one_name(const struct ast *selector);

/* What an instant selector's rows hold: the samples' values; their times in seconds, the name gone
 * (timestamp(x)); their times in milliseconds, all labels kept (info(x)). */
enum select_what { SELECT_VALUES, SELECT_TIMES, SELECT_STAMPS };

MUST_USE enum status select_rows(struct eval *ev, const struct ast *node,
                                 const struct eval_range *range, enum select_what what,
                                 struct rows **out, struct error *err);

/* The series of a matrix, one after the other. After windows_next the fields up to `table` describe
 * the present one, until the next call. Stale markers are left out. */
struct windows {
    struct labels labels; /* when bare not filled in: */
    const struct series *series;
    bool bare;       /* set by the user, who asks the series himself; selectors only */
    bool drops_name; /* as of a row */
    const int64_t *t_ms;
    const double *v;
    size_t count;
    struct window_table *table;
    bool unnamed_unique; /* as of rows */
    bool stable;         /* labels outlive the next call */
    bool asks_ascent;    /* set by a user who wants to know: */
    bool ascends;        /* no value is below the one before it, none is NaN */

    struct eval *ev;
    struct tally tally;
    const struct eval_range *range;
    struct window_steps steps;
    struct columns *columns;      /* of the present series */
    struct series_reader *reader; /* a selector; NULL: a subquery */
    size_t series_count;          /* a selector: of all */
    struct columns evaluated;
    struct label_scratch scratch;
    uint64_t held;
    struct window_tables *tables; /* `own`, or the keeper's */
    struct window_tables own;
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
/* The window of a step. False when it is empty. */
bool windows_at(const struct windows *w, size_t step, struct window *out);

#endif
