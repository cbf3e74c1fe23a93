/*
 * eval - walking a prepared tree: vectors as sources of rows, scalars as one double per step.
 *
 *     eval_rows   vector   -> struct rows, pulled row by row
 *     eval_scalar scalar   -> T doubles on the arena, the caller's to change
 *     windows     matrix   -> promql/select.h
 *
 * All of it lives on the query's arena and dies with it. Scratch is per operator, not per row: the
 * memory of a streaming query does not grow with its series.
 *
 * Threads: an eval belongs to one; a query may have several (promql/parts.h). Recursion follows the
 * tree, at most AST_DEPTH_MAX deep.
 */
#ifndef HEARTH_PROMQL_EVAL_H
#define HEARTH_PROMQL_EVAL_H

#include "promql/annotations.h"
#include "promql/engine.h"
#include "promql/row.h"
#include "promql/tally.h"

/* The steps of an evaluation: start_ms, start_ms + step_ms, ... */
struct eval_range {
    int64_t start_ms;
    int64_t step_ms; /* at least 1 */
    size_t steps;
};

static inline int64_t eval_step_ms(const struct eval_range *range, size_t i)
{
    return range->start_ms + (int64_t)i * range->step_ms;
}

/* What a selector has found. */
struct selected {
    struct selection selection;
    int64_t span_ms;     /* from the first time that is looked at to the last */
    bool unnamed_unique; /* as of rows */
};

/* Samples that the evals of one query hold together. */
struct held_common {
    atomic_uint_fast64_t samples;
};

struct window_keeper;
struct shared; /* promql/share.h */
struct shared_list VEC_OF(struct shared);

struct eval {
    const struct engine *engine;
    struct query *query;
    struct querier *querier;
    struct arena *arena;
    int64_t lookback_ms;
    bool delays_names; /* promql-delayed-name-removal */
    uint64_t samples_held;
    struct selected selected;     /* by the selector that was opened last */
    const struct selected *given; /* of a part (promql/parts.h): its selector finds this */
    struct window_keeper *keeper; /* of a part: promql/window_table.h */
    struct held_common *common;   /* in parts: */
    uint64_t held_told;           /* so many of samples_held are counted there */
    uint64_t held_by_others;      /* as of then */
    struct tally tally;           /* of selectors that are opened */
    uint64_t ticks;               /* work since the last look at the clock */
    uint64_t quick_work;          /* all of it, of a query that is to be quick */
    struct annotation_set notes;
    const struct ast *scope; /* what is evaluated over the same steps: promql/share.h */
    struct shared_list shared;
    uint32_t explain_depth; /* of the node that is being opened */
};

/* ERR_CANCELLED: what was to be quick is not. */
enum status query_give_up(struct query *query, struct error *err);

/* Count samples held in memory. ERR_TOO_LARGE beyond samples_max. */
MUST_USE enum status eval_hold(struct eval *ev, uint64_t samples, struct error *err);
void eval_drop(struct eval *ev, uint64_t samples);

/* Between eval_share_held and eval_unshare_held the samples that ev and copies of it hold count
 * together against the limit. A copy begins with samples_held and held_told 0, and calls
 * eval_tell_held before it ends. */
void eval_share_held(struct eval *ev, struct held_common *common);
void eval_unshare_held(struct eval *ev);
void eval_tell_held(struct eval *ev);

/* Some work was done: look at the deadline and the cancel flag now and then.
 * ERR_TIMEOUT, ERR_CANCELLED (also of query_give_up; so of eval_hold) */
MUST_USE enum status eval_tick(struct eval *ev, uint64_t work, struct error *err);

MUST_USE enum status eval_rows(struct eval *ev, const struct ast *node,
                               const struct eval_range *range, struct rows **out,
                               struct error *err);
/* The same of what has steps of its own. */
MUST_USE enum status eval_scope(struct eval *ev, const struct ast *root,
                                const struct eval_range *range, struct rows **out,
                                struct error *err);
MUST_USE enum status eval_scalar(struct eval *ev, const struct ast *node,
                                 const struct eval_range *range, double **out, struct error *err);
/* The literal behind parentheses. */
struct str eval_string(const struct ast *node);

/* The node behind parentheses and step-invariant marks. */
const struct ast *eval_unwrap(const struct ast *node);

MUST_USE enum status eval_warn(struct eval *ev, struct str text, const struct ast *node,
                               struct error *err);
MUST_USE enum status eval_info(struct eval *ev, struct str text, const struct ast *node,
                               struct error *err);

#endif
