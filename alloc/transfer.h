/*
 * transfer - between the thread caches and central: per class a stack of objects that one thread
 * gave away and another, or the same, will soon want.
 *
 *     thread cache --spill--> | oldest ... newest | --refill--> thread cache
 *                                  |  full, idle, or at the limit
 *                               central: the bits of their spans
 *
 * A trip is a copy of pointers under a short lock; no span is touched. All classes together keep
 * TRANSFER_BYTES_MAX at most. What does not fit goes on to central, and a class that made no trip
 * lately, if there is one, gives up as much: next time there is room. The objects are free, as
 * those in thread caches are, and keep their spans in use as those do; so what nobody comes for
 * goes back (transfer_drain).
 *
 * Threads: any; LOCK_TRANSFER, one per class.
 */
#ifndef HEARTH_ALLOC_TRANSFER_H
#define HEARTH_ALLOC_TRANSFER_H

#include <stdint.h>

#include "base/compiler.h"

enum { TRANSFER_BYTES_MAX = 8 << 20, TRANSFER_OBJECTS_MAX = 1024 };

/* Once, before everything else. */
void transfer_init(void);

/* Up to `wanted` (>= 1) objects of a class into out, the one to be used first last; from central
 * when there is none here. Returns how many, 0 at the limit. */
MUST_USE uint32_t transfer_take(unsigned size_class, void **out, uint32_t wanted);

/* Take count objects of a class, the oldest first. */
void transfer_give(unsigned size_class, void *const *objects, uint32_t count);

/* Everything to central, and the stacks back. Returns how many objects that were. */
uint64_t transfer_flush(void);

/* Some of what nobody came for since the last call, of every class: kept here, it would keep its
 * spans from becoming empty. For a background thread; returns how many objects that were. */
uint64_t transfer_drain(void);

/* Objects of a class that are here: a moment's truth. */
uint32_t transfer_objects(unsigned size_class);

/* Of the stacks, not of the objects. */
uint64_t transfer_inuse_bytes(void);

/* For alloc/fork: no object comes or goes between the two. */
void transfer_hold_all(void);
void transfer_let_go_all(void);

/* Aborts when a stack holds what it should not. */
void transfer_check(void);

#endif
