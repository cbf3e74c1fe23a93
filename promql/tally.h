/*
 * tally - the samples that a query is told it asked for, counted as Prometheus counts them.
 *
 * Each step counts what the same question would as an instant query, whatever was saved by asking
 * for all steps at once: a sample in the windows of five steps counts five times, what is evaluated
 * once for all steps counts at each of them, and so does what two aggregations share. What a
 * function takes from a subquery counts, and what the subquery read for that does not.
 *
 * Threads: as the eval.
 */
#ifndef HEARTH_PROMQL_TALLY_H
#define HEARTH_PROMQL_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct eval;
struct query_stats;
struct window_table;

/* How a selector counts: as its eval did when it was opened. */
struct tally {
    bool off;
    uint64_t users;   /* of what it gives: folds that share it */
    uint64_t repeats; /* its one step stands for so many of the query, which are all of them */
};

/* So many rows of a selector that have values at the same steps; a range's windows. */
void tally_rows(struct eval *ev, const struct tally *tally, const uint64_t *present, size_t steps,
                uint64_t rows);
void tally_windows(struct eval *ev, const struct tally *tally, const struct window_table *windows,
                   size_t steps);

/* What a part counted, of a query of so many steps. */
void tally_join(struct query_stats *into, const struct query_stats *part, size_t steps);

#endif
