/*
 * typecheck - does every part of a parsed tree get the type it needs?
 *
 * Sets the type of every node; drops the matching of operators that have a scalar on a side, and
 * makes set operators many-to-many. Errors in Prometheus' words, the first in its order.
 */
#ifndef HEARTH_PROMQL_TYPECHECK_H
#define HEARTH_PROMQL_TYPECHECK_H

#include "base/error.h"
#include "promql/ast.h"

/* ERR_INVALID with position and words. */
MUST_USE enum status typecheck(struct str query, struct ast *root, struct error *err);

#endif
