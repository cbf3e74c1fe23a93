/*
 * heap_map - what lies where in the heap's address range, for people who want to see it.
 *
 * The range is a row of runs of pages (alloc/span.h), read in slices: the page heap is held for one
 * slice only, and from one slice to the next runs may have come, gone, split or joined. A slice
 * starts with the run that has the page asked for, whatever became of it.
 *
 * Threads: any.
 */
#ifndef HEARTH_ALLOC_HEAP_MAP_H
#define HEARTH_ALLOC_HEAP_MAP_H

#include <stddef.h>
#include <stdint.h>

enum heap_map_state {
    HEAP_MAP_IDLE,     /* free, resident */
    HEAP_MAP_RELEASED, /* free, given back to the system or never touched */
    HEAP_MAP_SMALL,    /* slots of one size class */
    HEAP_MAP_LARGE,    /* one object, or room for one in a thread's cache */
    HEAP_MAP_REGION,   /* a block of a region: sealed chunks of one window */
    HEAP_MAP_STATE_COUNT
};

struct heap_map_run {
    uint32_t page; /* of the first, from the start of the range; page 0 is never used */
    uint32_t pages;
    enum heap_map_state state;
    int tag;               /* HEAP_MAP_LARGE: enum heap_tag of the object, -1 without one */
    uint32_t object_bytes; /* HEAP_MAP_SMALL: the size class */
    uint32_t slots;        /* HEAP_MAP_SMALL: of the class in the run */
    uint32_t free_slots;   /* those in the span; more may lie in threads' caches */
};

/* Pages of the range that were ever made usable, page 0 included. */
uint32_t heap_map_pages(void);

/* Up to `max` (at most HEAP_MAP_SLICE) runs, from the one that has from_page on. Returns how many;
 * 0 behind the end. Go on at the end of the last one. */
enum { HEAP_MAP_SLICE = 256 };
size_t heap_map_read(uint32_t from_page, struct heap_map_run *out, size_t max);

/* "idle", "released", "small", "large", "region" */
const char *heap_map_state_name(enum heap_map_state state);

#endif
