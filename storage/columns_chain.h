/*
 * columns_chain - the sealed columns that a reader found at the start of a series.
 *
 * Finding them says how many samples there are, so that others can be read behind them. Their
 * values are decoded when the series is handed out, and are still in the nearest cache when they
 * are used.
 *
 * Threads: one at a time, as columns.
 */
#ifndef HEARTH_STORAGE_COLUMNS_CHAIN_H
#define HEARTH_STORAGE_COLUMNS_CHAIN_H

#include "storage/columns.h"
#include "storage/sealed.h"

/* May a column be added? No when there is something else behind the chain, or it is long. */
MUST_USE bool columns_may_chain(const struct columns *c);

/* Add the samples from range_ms[0] to range_ms[1]; columns_may_chain was true. ERR_CORRUPT;
 * ERR_NO_MEMORY, ERR_TOO_LARGE: the arena. */
MUST_USE enum status columns_add_link(struct columns *c, const struct sealed_parts *parts,
                                      const int64_t range_ms[2]);

/* The values of the chain. Statuses as above; ERR_CORRUPT: *failed is the first sample of what does
 * not decode. */
MUST_USE enum status columns_lay_values(struct columns *c, size_t *failed);

/* Values are decoded soon. */
void columns_fetch_values(const struct columns *c);

#endif
