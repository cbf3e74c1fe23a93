/*
 * limit - how much the process may hold, and how much it does.
 *
 * Everything that can become resident is charged before it is used: span pages when they are taken
 * from released ones, metadata when it is mapped. Free pages stay charged until they are given back
 * to the system. Memory that is not ours is told by heap_set_other_bytes.
 *
 * Threads: any; every function is a few atomic operations.
 */
#ifndef HEARTH_ALLOC_LIMIT_H
#define HEARTH_ALLOC_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* Count bytes as used; false, and nothing counted, when that would pass the limit. */
MUST_USE bool limit_charge(uint64_t bytes);
void limit_uncharge(uint64_t bytes);

/* One more allocation had to be refused. */
void limit_count_refusal(void);
uint64_t limit_refusals(void);

#endif
