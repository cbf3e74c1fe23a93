/*
 * series_map - from the hash of a label set to the local ids of the series that may have it.
 *
 * Open addressing with linear probing, 8 bytes an entry: 32 bits of the hash, and the id + 1 (0:
 * the place is empty). The hash bits are place and tag at once, so growing touches no series.
 * Whoever looks up compares labels.
 *
 * Threads: the shard's lock.
 */
#ifndef HEARTH_STORAGE_SERIES_MAP_H
#define HEARTH_STORAGE_SERIES_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct series_map_entry {
    uint32_t hash;
    uint32_t local_plus_1;
};

struct series_map {
    struct series_map_entry *entries; /* heap, HEAP_INDEX */
    uint32_t capacity;                /* 0 or a power of two */
    uint32_t count;
};

#define SERIES_MAP_NONE UINT32_MAX /* not an id */

void series_map_release(struct series_map *m);

/* Room for one more; false at the limit, nothing changed. */
MUST_USE bool series_map_reserve(struct series_map *m);
/* Room was reserved. */
void series_map_insert(struct series_map *m, uint32_t hash, uint32_t local);
/* The entry is there. */
void series_map_remove(struct series_map *m, uint32_t hash, uint32_t local);

/* Move the entries to a better place of the heap (heap_is_emptying), if they lie badly. */
void series_map_move(struct series_map *m);

/* Local ids with this hash one after another: start with *cursor = SERIES_MAP_NONE;
 * SERIES_MAP_NONE at the end. */
uint32_t series_map_next(const struct series_map *m, uint32_t hash, uint32_t *cursor);

static inline void series_map_prefetch(const struct series_map *m, uint32_t hash)
{
    if (m->capacity) __builtin_prefetch(&m->entries[hash & (m->capacity - 1)]);
}

void series_map_check(const struct series_map *m);

#endif
