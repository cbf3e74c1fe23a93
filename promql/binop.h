/*
 * binop - binary operators: scalars, a vector with a scalar, two vectors by matching labels.
 *
 * Two vectors meet by the signature of their labels, on(...) or all but ignoring(...) and the name.
 * The side that must be unique ("one") is kept; so is the other, as errors about duplicates must
 * come even when a comparison filters all of them away. and, unless keep only one bitmap per
 * signature and stream the left side.
 */
#ifndef HEARTH_PROMQL_BINOP_H
#define HEARTH_PROMQL_BINOP_H

#include "promql/eval.h"

/* Two scalars; a comparison is 1 or 0. Trimming is not for scalars. */
double binop_scalar(enum ast_op op, double lhs, double rhs);

/* One element: the value in *out, and whether it is kept (comparisons keep the left value). */
bool binop_element(enum ast_op op, double lhs, double rhs, double *out);

/* Of two columns, by an arithmetic operator. */
void binop_columns(enum ast_op op, const double *lhs, const double *rhs, double *out, size_t count);

/* Does the operator make another metric of its operands, so that their name goes? */
bool binop_changes_schema(enum ast_op op);

/* Remark that an operator for native histograms met two floats. */
MUST_USE enum status binop_remark_floats(struct eval *ev, const struct ast *node,
                                         struct error *err);

/* binop.c: a vector and a scalar, in either order. */
MUST_USE enum status binop_vector_scalar(struct eval *ev, const struct ast *node,
                                         const struct eval_range *range, struct rows **out,
                                         struct error *err);
/* binop_match.c: arithmetic and comparison of two vectors. */
MUST_USE enum status binop_vectors(struct eval *ev, const struct ast *node,
                                   const struct eval_range *range, struct rows **out,
                                   struct error *err);
/* binop_set.c: and, or, unless. */
MUST_USE enum status binop_sets(struct eval *ev, const struct ast *node,
                                const struct eval_range *range, struct rows **out,
                                struct error *err);

#endif
