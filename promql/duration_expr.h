/*
 * duration_expr - the values of duration expressions, once step and range of the query are known.
 *
 *     rate(foo[2 * step()]) offset (1h / 2)
 */
#ifndef HEARTH_PROMQL_DURATION_EXPR_H
#define HEARTH_PROMQL_DURATION_EXPR_H

#include "base/error.h"
#include "promql/ast.h"

struct duration_context {
    int64_t step_ms;  /* step() */
    int64_t range_ms; /* range(): end - start of the query */
};

/* In two parts, as Go's Duration.Seconds: the last bit of 4.018 depends on it. */
static inline double seconds_from_ms(int64_t ms)
{
    int64_t whole_s = ms / 1000;
    return (double)whole_s + (double)(ms % 1000 * 1000000) / 1e9;
}

/* Fill in range_ms, step_ms and offset_ms of the whole tree where they were given by expressions.
 *
 * ERR_INVALID with Prometheus' words: a range or step that is not positive, a division by zero, a
 * result that is no number or out of range. */
MUST_USE enum status ast_resolve_durations(struct ast *root, struct duration_context context,
                                           struct error *err);

/* One expression, in seconds. ERR_INVALID: division or modulo by zero. */
MUST_USE enum status duration_evaluate(const struct ast *expr, struct duration_context context,
                                       double *out_s, struct error *err);

#endif
