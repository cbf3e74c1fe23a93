/*
 * budget - how memory is shared out: the limit, the part a query may take, and when writes stop.
 *
 *     0 ........................... writes stop ......... limit
 *                                   | headroom: queries, replies, snapshots go on |
 *
 * Pure functions, numbers in and numbers out; maintenance applies them.
 */
#ifndef HEARTH_SERVER_BUDGET_H
#define HEARTH_SERVER_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "server/config.h"

/* limit of base_bytes: a share of it, or the bytes themselves. */
uint64_t budget_resolve(struct config_limit limit, uint64_t base_bytes);

/* Bytes below the limit that writes leave to everybody else. */
uint64_t budget_headroom(uint64_t limit_bytes);

/* Should writes be refused? idle_bytes: of used, free pages that are still resident and serve the
 * next allocation. Once refusing, it takes a little more room to accept again, so that the answer
 * does not flicker. limit_bytes 0: no limit. */
bool budget_refuses_writes(uint64_t used_bytes, uint64_t idle_bytes, uint64_t limit_bytes,
                           bool refusing);

#endif
