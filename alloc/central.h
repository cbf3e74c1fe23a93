/*
 * central - per size class, the spans that all threads share.
 *
 *     partial lists by how full a span is, the fullest served first, so that the emptier ones can
 *     become empty and go back to the page heap; and a list of those with nothing left
 *
 * Objects move in batches between here and the thread caches. An empty span is given back at once:
 * the caches are what keeps that from happening in turns.
 *
 * Threads: any; LOCK_CENTRAL, one per class. New spans are fetched outside the lock.
 */
#ifndef HEARTH_ALLOC_CENTRAL_H
#define HEARTH_ALLOC_CENTRAL_H

#include <stdint.h>

#include "base/compiler.h"

/* Once, before everything else. */
void central_init(void);

/* Up to `wanted` (>= 1) objects of a class into out; returns how many, 0 at the limit. */
MUST_USE uint32_t central_take(unsigned size_class, void **out, uint32_t wanted);

/* Take count objects of a class back. Aborts when one of them already lies in its span. */
void central_give(unsigned size_class, void *const *objects, uint32_t count);

/* Spans of the class that are in use now: a relaxed read. */
uint64_t central_spans(unsigned size_class);

/* For alloc/fork: no object comes or goes between the two. */
void central_hold_all(void);
void central_let_go_all(void);

/* Walk all spans of all classes; aborts on a broken invariant. */
void central_check(void);

#endif
