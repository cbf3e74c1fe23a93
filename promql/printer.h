/*
 * printer - a tree back to text, in Prometheus' canonical form (Expr.String()).
 */
#ifndef HEARTH_PROMQL_PRINTER_H
#define HEARTH_PROMQL_PRINTER_H

#include "alloc/arena.h"
#include "promql/ast.h"

MUST_USE enum status ast_print(const struct ast *root, struct arena *a, struct str *out,
                               struct error *err);
/* The same, with what is longer than line_bytes split into lines as Prometheus' formatter does.
 * ERR_TOO_LARGE: by the indentation */
enum { PRETTY_LINE_BYTES = 100 }; /* as Prometheus' /api/v1/format_query has it */
MUST_USE enum status ast_prettify(const struct ast *root, size_t line_bytes, struct arena *a,
                                  struct str *out, struct error *err);

/* "none", "scalar", "string", "instant vector", "range vector": as error messages name them. */
const char *value_type_words(enum value_type type);
/* The same, but "vector" and "matrix": as the API names them, and one error message. */
const char *value_type_name(enum value_type type);

#endif
