/*
 * ast_json - a query's tree as /api/v1/parse_query gives it, in the form of Prometheus' web page:
 *
 *     {"expr":{...},"op":"-","type":"unaryExpr"}
 *
 * The keys of an object are sorted, times are milliseconds, numbers are texts.
 */
#ifndef HEARTH_SERVER_AST_JSON_H
#define HEARTH_SERVER_AST_JSON_H

#include "alloc/buf.h"
#include "promql/ast.h"

/* Durations need not be resolved. What has no room is refused by the buffer. */
void ast_json_write(struct buf *out, const struct ast *root);

#endif
