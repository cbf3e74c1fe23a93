/*
 * parts - an expression over many series in parts, on as many threads as are free.
 *
 *     series of its selector   | 0 .. n-1 | n .. 2n-1 | 2n ...     n: parts.c
 *                                   |           |
 *     any thread                evaluate    evaluate       with an eval, arena and query of its own
 *                                   v           v
 *     the query's thread          take   ->   take         in their order
 *
 * How series are cut depends on nothing but their number and the time that is asked for, and parts
 * are taken in order: so the answer is the same, bit for bit, however many threads there are. The
 * query's thread evaluates parts like the others, and waits only for parts that another thread has
 * begun. No more parts are begun and not yet taken than there are slots: memory does not grow with
 * the number of parts.
 *
 * Limits are those of the query: the arenas share its ceiling, samples held are counted together
 * (to a thousandth of the limit, since a counter that threads share is slow), deadline and cancel
 * flag are looked at by every part.
 *
 * Threads: as drawn.
 */
#ifndef HEARTH_PROMQL_PARTS_H
#define HEARTH_PROMQL_PARTS_H

#include "promql/eval.h"

/* What to do with the rows of a part: the first member of the user's own struct. */
struct parts_use {
    /* Pull the rows; *result lies on the part's arena (ev->arena). On any thread, several at once:
     * `use` is only read. */
    enum status (*evaluate)(const struct parts_use *use, struct eval *ev, struct rows *rows,
                            void **result, struct error *err);
    /* On the query's thread. The result goes afterwards. */
    enum status (*take)(struct parts_use *use, void *result, struct error *err);
};

/* One selector, and above it nothing that has to know more than one series. */
bool parts_is_row_by_row(const struct ast *node);

/* An opened expression. */
struct parts {
    struct eval *ev;
    const struct ast *node;
    const struct eval_range *range;
    struct rows *rows; /* to be pulled from, unless there are many series */
    bool many;         /* parts_run instead; rows are left alone */
    size_t explained;  /* nodes that were listed before */
};
MUST_USE enum status parts_open(struct eval *ev, const struct ast *node,
                                const struct eval_range *range, struct parts *out,
                                struct error *err);
/* The first error, in order of parts. */
MUST_USE enum status parts_run(struct parts *parts, struct parts_use *use, struct error *err);

#endif
