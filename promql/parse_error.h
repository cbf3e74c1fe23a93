/*
 * parse_error - words about a place in a query, in Prometheus' form: "2:5: parse error: ...".
 *
 * Line and column count from 1; the column counts bytes.
 */
#ifndef HEARTH_PROMQL_PARSE_ERROR_H
#define HEARTH_PROMQL_PARSE_ERROR_H

#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

/* ERR_INVALID at a byte of the query; returns it. */
PRINTF_LIKE(4, 5)
enum status parse_error(struct error *err, struct str query, size_t position, const char *format,
                        ...);

/* The same: the query is deeper than AST_DEPTH_MAX. */
enum status parse_error_too_deep(struct error *err, struct str query, size_t position);

#endif
