/*
 * door - what every door of the heap does before anything else; for those that are not heap.c's own
 * (alloc/arena, region, tiny, scavenge, memstats, heap_map). Implemented in heap.c.
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

/* Since heap_red_zones was called, in debug builds. */
bool door_has_red_zones(void);

#endif
