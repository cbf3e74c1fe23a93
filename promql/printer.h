/*
 * printer - a tree back to text, in Prometheus' canonical form (Expr.String()).
 */
#ifndef HEARTH_PROMQL_PRINTER_H
#define HEARTH_PROMQL_PRINTER_H

#include "alloc/arena.h"
#include "promql/ast.h"

MUST_USE enum status ast_print(const struct ast *root, struct arena *a, struct str *out,
                               struct error *err);

/* "none", "scalar", "string", "instant vector", "range vector": as error messages name them. */
const char *value_type_words(enum value_type type);

#endif
