/*
 * share - equal expressions of one query: sum(x) / count(x) reads x once.
 *
 * A *user* of an expression is what needs its rows: an aggregation that folds them, or an operator
 * that keeps them all (promql/collect.h). The user that is evaluated first works for the later
 * ones, too, and leaves their results here: what was folded for them or, if one of them keeps rows,
 * the rows.
 *
 * Shared are expressions with equal trees over the same steps: those of the query, or of one
 * subquery (the scope of the eval), of which the first thousand nodes are looked at. A remark names
 * the place of its expression, so where one was made, each user evaluates for itself.
 *
 * Threads: one query, one thread.
 */
#ifndef HEARTH_PROMQL_SHARE_H
#define HEARTH_PROMQL_SHARE_H

#include "promql/eval.h"

struct collected;

enum { SHARE_MAX = 4 }; /* frames of recursion are small: promql/ast.h */

/* A user is known by its aggregation or, of one selector's series and no aggregation, by the
 * expression that it keeps. */
struct sharers {
    const struct ast *users[SHARE_MAX]; /* the one that asks comes first */
    size_t count;
    bool keep; /* some of the others keep rows */
};
void share_find(const struct eval *ev, const struct ast *user, struct sharers *out);

/* What waits for a user; empty when nothing does. */
struct shared {
    const struct ast *user; /* NULL: it was taken */
    struct rows *folded;
    const struct collected *kept;
};
MUST_USE enum status share_put(struct eval *ev, struct shared shared, struct error *err);
struct shared share_take(struct eval *ev, const struct ast *user);

#endif
