/*
 * refill - samples of the log back to the ends of their chunks, at a start.
 *
 *     refill_begin -> refill_append ... -> refill_end
 *
 * What an appender does carefully for all kinds of samples, for the one kind that a log nearly
 * always has: of a series that is there, later than what its chunk ends with. They are in at once,
 * under a lock that is kept from one series to the next; what else there is, is for an appender.
 *
 * Threads: a refill belongs to one thread; any number at once, but nothing else happens to storage.
 */
#ifndef HEARTH_STORAGE_REFILL_H
#define HEARTH_STORAGE_REFILL_H

#include "alloc/arena.h"
#include "storage/storage.h"

struct refill;
struct series;

/* On the arena, which lives at least until refill_end. NULL when that refuses. */
MUST_USE struct refill *refill_begin(struct storage *db, struct arena *a);

/* Samples of one series (at least one), in the order of the log: how many of them, from the first
 * on, are in. The first that is not may still be a good one. */
MUST_USE size_t refill_append(struct refill *r, const struct series *s,
                              const struct sample *samples, size_t count);

/* Ask for memory that refill_append will look at: the series; when that has come, its chunk; and
 * when that has, too, the end of its stream. */
void refill_prefetch_series(const struct refill *r, const struct series *s);
void refill_prefetch_chunk(const struct refill *r, const struct series *s);
void refill_prefetch_end(const struct refill *r, const struct series *s);

/* Give back the lock, which refill_append takes again: before anything else is asked of storage. */
void refill_pause(struct refill *r);
/* The end; returns how many samples went in. */
uint64_t refill_end(struct refill *r);

#endif
