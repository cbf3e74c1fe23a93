/*
 * door - what every door of the heap does before anything else; for those that are not heap.c's own
 * (alloc/region, scavenge, memstats, heap_map). Implemented in heap.c.
 *
 * Threads: any.
 */
#ifndef HEARTH_ALLOC_DOOR_H
#define HEARTH_ALLOC_DOOR_H

#include <stdbool.h>

/* Reserve the address range and fill the tables, once. */
void door_open(void);

/* Count one allocation for heap_fail_after; true when this one has to fail. */
bool door_refuses(void);

#endif
