/*
 * window_table - where the windows of all steps begin and end in a column of times.
 *
 *     times    t0 t1 t2 t3 t4 t5 t6
 *     step 0   |------------|            [low, high): two indices that only move forward
 *     step 1         |------------|
 *
 * They depend on times alone, and all series of one target have the same: so tables are kept, found
 * by a hash of times and proven by comparing them, but for those of the same chain
 * (storage/columns.h).
 *
 * Threads: tables belong to one.
 */
#ifndef HEARTH_PROMQL_WINDOW_TABLE_H
#define HEARTH_PROMQL_WINDOW_TABLE_H

#include "promql/eval.h"

/* The window of step i is (end - range_ms, end], with end = first_end_ms + i * step_ms. */
struct window_steps {
    size_t count;
    int64_t first_end_ms;
    int64_t step_ms; /* @: 0, as every step has the same window */
    int64_t range_ms;
    int64_t before_ms; /* how far samples reach beyond the window's ends */
    int64_t after_ms;
};

static inline int64_t window_end_ms(const struct window_steps *steps, size_t i)
{
    return steps->first_end_ms + (int64_t)i * steps->step_ms;
}

struct window_table {
    uint32_t *low; /* of step i: [low[i], high[i]); both never fall */
    uint32_t *high;
    uint64_t *present; /* steps whose window is not empty */
    double *by_step;   /* [2 * steps], for its user to fill, when it is fresh; see slide.h */
    bool fresh;        /* made just now */
    size_t samples;    /* in all windows together */
    size_t count;
    size_t capacity;
    int64_t *t_ms;       /* the times that it is for, if they are kept */
    const int64_t *used; /* those times, here or in the columns */
    struct columns_chain chain;
};

/* The tables of one selector or subquery. */
struct window_tables {
    const struct ast *node;
    struct arena *arena;
    size_t max; /* a power of two; 0: nothing was asked for yet */
    struct window_table **slots;
    struct window_tables *next;
};
enum { WINDOW_TABLES_MAX = 1024 }; /* a power of two */

/* What a thread keeps from one part of the series to the next: promql/parts.h. */
struct window_keeper {
    struct arena *arena;
    struct window_tables *first;
};

/* Those that were kept for the node, new ones that will be, or else `own`, for as long as ev. */
MUST_USE enum status window_tables_open(struct eval *ev, const struct ast *node,
                                        struct window_tables *own, struct window_tables **out,
                                        struct error *err);
/* The table of the columns' times, at least one, until the next call; they need not be laid.
 * series: how many ask, at most. */
MUST_USE enum status window_tables_find(struct window_tables *tables,
                                        const struct window_steps *steps, struct columns *c,
                                        size_t series, struct window_table **out,
                                        struct error *err);

#endif
