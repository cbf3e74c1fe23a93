/*
 * window_region - the sealed chunks of one window, and what they share.
 *
 * Chunks of series with the same times have one column of them, and chunks with the same times and
 * values are one: buckets of a histogram that nothing falls into, a counter and its `_count`,
 * everything that is constantly 0. Columns are known as long as they are used; chunks are looked
 * for among those that were put since the region was settled, so that the tables are gone when
 * nothing is sealed. Hundreds of tables that grow by doubling would leave holes of all sizes
 * between what stays, for good: they lie on an arena, and go with it.
 *
 * Threads: under the lock of the regions.
 */
#ifndef HEARTH_STORAGE_WINDOW_REGION_H
#define HEARTH_STORAGE_WINDOW_REGION_H

#include "alloc/region.h"
#include "storage/epoch.h"
#include "storage/ref_table.h"
#include "storage/sealed.h"

struct regions;

/* On the heap (HEAP_CHUNKS). */
struct window_region {
    struct epoch_node retired; /* first: destroyed through it */
    struct regions *owner;
    struct region region;
    struct ref_table columns; /* of times */
    struct ref_table *chunks; /* many small ones, of which none takes long to grow; or NULL */
    struct arena passing;     /* with their entries */
    uint32_t number;
};

/* The region and what is known of it; owner and number are the caller's. */
void window_region_init(struct window_region *w);
void window_region_release(struct window_region *w);

/* For window_region_put, and not under a lock. */
struct window_region_hash {
    uint64_t times;
    uint64_t values;
};
struct window_region_hash window_region_hash(const struct sealed_parts *parts);
/* A chunk of these parts, with one user more: one that is there, or a new one. NULL at the limit.
 */
MUST_USE const struct sealed *window_region_put(struct window_region *w,
                                                struct window_region_hash hash,
                                                const struct sealed_parts *parts);
/* A chunk has a user less; with the last one it is dead, and with its last chunk the column. */
void window_region_delete(struct window_region *w, struct sealed *s);

/* For now nothing more is to be put: forget the chunks, give the end of the region back. */
void window_region_settle(struct window_region *w);

#endif
