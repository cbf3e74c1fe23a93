/*
 * leaks - debug builds: what is still with users, by where it was asked for.
 *
 * Every live object has its place (alloc/place.h); a walk over all spans sums them up. Objects of
 * regions have none: they are summed by owner, as of "regions". The report is meant for the end,
 * when nothing should be left, but it may be asked for at any time, and then says who holds how
 * much.
 *
 * Release builds remember no places: they count nothing and report nothing.
 *
 * Threads: any; the page heap is held during the walk. Needs 64 KiB of stack.
 */
#ifndef HEARTH_ALLOC_LEAKS_H
#define HEARTH_ALLOC_LEAKS_H

#include <stddef.h>
#include <stdint.h>

#include "alloc/heap.h"

struct leak {
    const char *file; /* of the source; "?" when it is not known, "regions" for what is in those */
    uint32_t line;
    enum heap_tag tag;
    uint64_t objects;
    uint64_t bytes; /* at class or page size */
};

/* The places that hold most bytes first; out gets at most max of them. Returns how many there are.
 */
size_t leaks_read(struct leak *out, size_t max);

/* All live objects of all places. */
uint64_t leaks_objects(void);

/* A warning in the log for each of the places that hold most, without those of one tag
 * (HEAP_TAG_COUNT: with all). Returns how many objects those tags have. */
uint64_t leaks_report(enum heap_tag without);

#endif
