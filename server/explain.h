/*
 * explain - hearth explain QUERY: asks a running server what a query costs, and where.
 *
 *     hearth explain [--server HOST:PORT] [--time T | --start T --end T --step D] QUERY
 *
 *      time ms    samples     series     values      bytes
 *       13.204    1536000          8        128     262144  sum by(mode) (rate(cpu[5m]))
 *       12.870    1536000      25600     409600     262144    rate(cpu[5m])
 *
 * A line for each part of the query that has series, with all that is below it; time is that of all
 * threads together. The query is evaluated as any other, and its answer is not shown.
 */
#ifndef HEARTH_SERVER_EXPLAIN_H
#define HEARTH_SERVER_EXPLAIN_H

#include <stdbool.h>
#include <stdio.h>

#include "base/str.h"

/* The words behind "explain". Exit code: 0 explained, 1 the server cannot be reached or has no
 * answer (stderr says why), 2 usage. */
int explain_main(int count, char **words);

/* Print an answer of /api/v1/query with stats=all. False when it is none, and nothing is printed.
 */
bool explain_print(struct str body, FILE *out);

#endif
