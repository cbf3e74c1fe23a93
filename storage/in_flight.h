/*
 * in_flight - requests between their first change of memory and the answer of the log.
 *
 * What a snapshot has read may be part of a request that is being applied, or all of one whose
 * record is not written yet. in_flight_wait waits for these, and not for those that begin
 * meanwhile: they count in the other of two counters (as SRCU's readers do; McKenney, "Sleepable
 * Read-Copy Update", 2006). Both are waited for in turn, since a request may have chosen its
 * counter just before they changed places.
 *
 * Threads: begin and end from any, without waiting; wait from one at a time.
 */
#ifndef HEARTH_STORAGE_IN_FLIGHT_H
#define HEARTH_STORAGE_IN_FLIGHT_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/compiler.h"

enum { IN_FLIGHT_TURNS = 2 };

/* Zero: none. Aligned to cache lines. */
struct in_flight {
    _Atomic uint32_t turn;
    CACHE_ALIGNED _Atomic uint32_t requests[IN_FLIGHT_TURNS];
};

/* Which turn it is, for in_flight_end. */
uint32_t in_flight_begin(struct in_flight *f);
void in_flight_end(struct in_flight *f, uint32_t turn);

/* Until each request that had begun has ended. */
void in_flight_wait(struct in_flight *f);

#endif
