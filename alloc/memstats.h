/*
 * memstats - where every byte is: the fields of Go's runtime.MemStats with Go's meaning, and ours.
 *
 * Identities that hold at every read (tested at random moments):
 *     heap_sys     = heap_inuse + heap_idle
 *     heap_objects = mallocs - frees = sum of tag_objects
 *     mallocs      = sum of classes' mallocs and region_mallocs, + tiny_allocs; so with frees
 *     sys          = heap_sys + stack_sys + mspan_sys + mcache_sys + buck_hash_sys + gc_sys
 *                    + other_sys
 *     heap_alloc   = sum of tag_bytes
 *     heap_requested = sum of tag_requested
 *     heap_requested <= heap_alloc, and by tag
 *     heap_alloc  <= heap_inuse
 *     resident     = sys - heap_released - span_released
 *
 * heap_alloc - heap_requested is internal fragmentation, by rounding: see alloc/size_class.h.
 * heap_inuse - heap_alloc is what it is in Go: free slots in live spans and their carve tails.
 * Objects that sit in thread caches count as free. It is the sum of four:
 *     heap_inuse - heap_alloc = free_slot_bytes + tail_bytes + region_bytes + cached_bytes
 * Go gives no part of a span back; we do, and count the span as in use all the same: span_released
 * tells how much of heap_inuse is not resident.
 *
 * Nobody is stopped. The objects of a class that an owner has are as many as there were at one
 * moment of the reading. Where it takes and frees them without a pause they may be fewer, by what
 * came and went within some microseconds. One class is read after the other.
 *
 * Threads: any, at any time.
 */
#ifndef HEARTH_ALLOC_MEMSTATS_H
#define HEARTH_ALLOC_MEMSTATS_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/heap.h"

enum { MEMSTATS_CLASSES_MAX = 96 };

struct memstats_class {
    uint32_t size_bytes; /* of an object; 0 in row 0: large objects, of any size */
    bool cells;          /* of heap_alloc_cell; others of the size have a row of their own */
    uint64_t mallocs;    /* objects ever handed out */
    uint64_t frees;
    uint64_t region_mallocs; /* objects of regions that this class would have held; not its own */
    uint64_t region_frees;
    uint64_t spans;      /* live now */
    uint64_t free_slots; /* in those spans, caches included */
};

struct memstats {
    uint64_t heap_requested;         /* bytes of live objects, as their owners asked */
    uint64_t heap_alloc;             /* the same at class or page size */
    uint64_t total_alloc;            /* the same, of all objects ever */
    uint64_t mallocs;                /* objects ever handed out */
    uint64_t frees;                  /* objects ever taken back */
    uint64_t heap_objects;           /* live */
    uint64_t tiny_allocs;            /* of mallocs and of frees: see alloc/tiny.h */
    uint64_t heap_sys;               /* bytes of pages ever used for spans */
    uint64_t heap_inuse;             /* in spans with objects (whole spans), cached ones included */
    uint64_t heap_idle;              /* in no span, resident or not */
    uint64_t heap_released;          /* idle and given back to the system */
    uint64_t span_released;          /* of heap_inuse: free and given back to the system */
    uint64_t free_slot_bytes;        /* slots of class spans without an object, in caches or not */
    uint64_t tail_bytes;             /* ends of class spans, too short for an object */
    uint64_t region_bytes;           /* blocks of regions: tails and deleted objects */
    uint64_t deleted_bytes;          /* of those: deleted objects */
    uint64_t cached_bytes;           /* large spans without an object, in thread caches */
    uint64_t stack_inuse, stack_sys; /* thread stacks we map ourselves: 0, libc does */
    uint64_t mspan_inuse, mspan_sys; /* span records: used, mapped */
    uint64_t mcache_inuse, mcache_sys; /* thread caches: of live threads, mapped */
    uint64_t buck_hash_sys;            /* table of places, in debug builds (alloc/place.h) */
    uint64_t gc_sys;                   /* page map */
    uint64_t other_sys;                /* the rest of our mappings */
    uint64_t sys;                      /* all of it */
    uint64_t resident;                 /* of that: not given back */
    uint64_t scavenged_total;          /* bytes ever returned to the system */
    uint64_t huge_total;               /* bytes ever asked of it as huge pages */
    uint64_t limit_refusals;           /* allocations refused at the limit */
    uint64_t tag_bytes[HEAP_TAG_COUNT];
    uint64_t tag_requested[HEAP_TAG_COUNT];
    uint64_t tag_objects[HEAP_TAG_COUNT];
    uint32_t class_count;
    struct memstats_class classes[MEMSTATS_CLASSES_MAX];
};

void memstats_read(struct memstats *out);

/* Live objects by class and owner, and the bytes of the large ones (class 0) by owner; those of
 * regions aside. */
struct memstats_owners {
    uint64_t objects[MEMSTATS_CLASSES_MAX][HEAP_TAG_COUNT];
    uint64_t large_bytes[HEAP_TAG_COUNT];
};
void memstats_read_owners(struct memstats_owners *out);

/* Aborts when an identity does not hold. */
void memstats_check(const struct memstats *s);

/* "series", "labels", ...: the label value on /metrics; static storage. */
const char *heap_tag_name(enum heap_tag tag);

#endif
