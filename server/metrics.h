/*
 * metrics - every number about ourselves, under the names that the world sees: the only place where
 * metric names are written.
 *
 * Modules count, this file names. Families follow what dashboards and alerts for Prometheus read
 * (go_memstats_*, process_*, prometheus_*), with Go's and Prometheus' meaning where we have the
 * same thing and without those we do not have; hearth_* is what only we have.
 *
 * Threads: any; each number is whole, the set is not one instant.
 */
#ifndef HEARTH_SERVER_METRICS_H
#define HEARTH_SERVER_METRICS_H

#include "wire/exposition.h"

struct hearth;
struct memstats;
struct process_stats;

void metrics_collect(struct hearth *h, const struct metric_sink *sink);

/* metrics_memory.c: of the allocator; metrics_go.c: the part of it that has Go's names. */
void metrics_collect_memory(const struct hearth *h, const struct process_stats *process,
                            const struct metric_sink *sink);
void metrics_collect_go(const struct hearth *h, const struct process_stats *process,
                        const struct memstats *stats, const struct metric_sink *sink);

#endif
