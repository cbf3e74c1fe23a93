/*
 * budget - how memory is shared out: the limit, the part a query may take, and what happens on the
 * way up to it.
 *
 *     0 ..... calm ..... soft line ..... hard line ..... full line ..... limit
 *                        |               |               |               |
 *                        |               |               |               allocation says no
 *                        |               |               no samples: replies and snapshots have
 *                        |               |               the rest to themselves
 *                        |               no new series: those that are known have half of the
 *                        |               headroom for their samples
 *                        free memory goes back at once, threads keep nothing at hand, chunks are
 *                        sealed early, queries share what is left below the limit
 *
 * The soft line counts everything that is held, the others only what cannot be given back: free
 * pages serve the next allocation as well as the system. What queries hold comes back when they
 * end, and half of what is above the full line is not for them, but for a little that each may take
 * in any case: so however much they hold, samples of known series find room. While they are beyond
 * the full line, new series wait.
 *
 * Pure functions, numbers in and numbers out; maintenance applies them.
 */
#ifndef HEARTH_SERVER_BUDGET_H
#define HEARTH_SERVER_BUDGET_H

#include <stdint.h>

#include "alloc/heap.h"
#include "server/config.h"

/* The limit in bytes: as it was given, or as a share of base_bytes. */
uint64_t budget_resolve(struct config_limit limit, uint64_t base_bytes);

/* Where the levels begin; UINT64_MAX without a limit (0). */
uint64_t budget_soft_bytes(uint64_t limit_bytes);
uint64_t budget_hard_bytes(uint64_t limit_bytes);
uint64_t budget_full_bytes(uint64_t limit_bytes);

/* Below the limit, what queries leave free; and what each of them may take all the same. */
uint64_t budget_spare_bytes(uint64_t limit_bytes);
uint64_t budget_granted_bytes(uint64_t limit_bytes);

/* What one query may take under pressure: the part of the room below the limit that is its own when
 * so many run, and no more than share_bytes, what it may take when it is calm. An eighth of that it
 * may always try for; the limit has the last word. */
uint64_t budget_query_bytes(uint64_t share_bytes, uint64_t room_bytes, uint64_t running);

struct budget_reading {
    uint64_t limit_bytes; /* 0: none */
    uint64_t used_bytes;  /* counted against the limit */
    uint64_t idle_bytes;  /* of those: free pages that are still resident */
    uint64_t query_bytes; /* of those: held by queries */
};

/* The level now. It takes a little more room to leave a level than to stay out of it, so that the
 * answer does not flicker; `before` is the last answer. */
enum heap_pressure budget_pressure(const struct budget_reading *now, enum heap_pressure before);

/* How many idle bytes have to go back to the system at once, for the pressure to end if that is
 * enough; the others go when they are due. */
uint64_t budget_surplus(const struct budget_reading *now, enum heap_pressure pressure);

#endif
