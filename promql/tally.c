/* tally - adding up, and step by step when that was asked for. */
#include "promql/tally.h"

#include "promql/window_table.h"

/* `samples` of one user at a step of the selector. */
static void add_at(struct query_stats *stats, const struct tally *tally, size_t step,
                   uint64_t samples)
{
    uint64_t *by_step = stats->queryable_by_step;
    if (tally->repeats == 1) {
        by_step[step] += tally->users * samples;
        return;
    }
    for (size_t i = 0; i < tally->repeats; i++)
        by_step[i] += tally->users * samples;
}

void tally_rows(struct eval *ev, const struct tally *tally, const uint64_t *present, size_t steps,
                uint64_t rows)
{
    struct query_stats *stats = &ev->query->stats;
    struct bit_walk walk = bit_walk(present, steps);
    size_t i;
    if (tally->off) return;
    stats->samples_queryable += rows * tally->users * tally->repeats * bits_count(present, steps);
    while (stats->queryable_by_step && bit_walk_next(&walk, &i))
        add_at(stats, tally, i, rows);
}

void tally_windows(struct eval *ev, const struct tally *tally, const struct window_table *windows,
                   size_t steps)
{
    struct query_stats *stats = &ev->query->stats;
    if (tally->off) return;
    stats->samples_queryable += tally->users * tally->repeats * windows->samples;
    for (size_t i = 0; stats->queryable_by_step && i < steps; i++)
        add_at(stats, tally, i, windows->high[i] - windows->low[i]);
}

void tally_join(struct query_stats *into, const struct query_stats *part, size_t steps)
{
    into->samples_queryable += part->samples_queryable;
    for (size_t i = 0; into->queryable_by_step && i < steps; i++)
        into->queryable_by_step[i] += part->queryable_by_step[i];
}
