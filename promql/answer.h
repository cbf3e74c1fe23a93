/*
 * answer - rows, windows and scalars become the value of a query.
 *
 * Threads: one query, one thread.
 */
#ifndef HEARTH_PROMQL_ANSWER_H
#define HEARTH_PROMQL_ANSWER_H

#include "promql/eval.h"

/* Evaluate the query's tree into its value. Statuses as query_run. */
MUST_USE enum status answer_query(struct eval *ev, struct error *err);

#endif
