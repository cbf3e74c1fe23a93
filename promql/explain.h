/*
 * explain - what each part of a query gave and cost, when that is asked for (query.explains).
 *
 * Every node that has series is listed when it is opened, those above before those below. Its
 * numbers are its own and those of everything below it.
 *
 * Threads: one query, one thread.
 */
#ifndef HEARTH_PROMQL_EXPLAIN_H
#define HEARTH_PROMQL_EXPLAIN_H

#include "promql/eval.h"

/* As eval_rows opens a node: what explain_begin noted, and around the rows afterwards. */
struct explain_mark {
    size_t node; /* SIZE_MAX: not listed, there are too many */
    int64_t start_ns;
    uint64_t samples_read;
    uint64_t held_bytes;
};
MUST_USE enum status explain_begin(struct eval *ev, const struct ast *node,
                                   struct explain_mark *mark, struct error *err);
/* The same rows, counted as they are pulled. */
MUST_USE enum status explain_rows(struct eval *ev, const struct explain_mark *mark,
                                  struct rows *rows, struct rows **out, struct error *err);

/* What a part of the query's series cost: promql/parts.h. */
void explained_add(struct explained *into, const struct explained *part);

#endif
