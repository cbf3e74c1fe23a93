/*
 * time_columns - which columns of times a region has, found by their bytes.
 *
 * A hash table of references (open addressing); the columns themselves are objects of the region
 * (storage/sealed.h).
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_STORAGE_TIME_COLUMNS_H
#define HEARTH_STORAGE_TIME_COLUMNS_H

#include "storage/sealed.h"

struct time_columns {
    uint64_t *entries; /* heap (HEAP_CHUNKS); reference << 28 | hash: 28, 0: free */
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t count;
};

/* The same for equal bytes. */
uint64_t time_columns_hash(const struct sealed_parts *parts);

/* The reference of the column; 0 (REGION_NONE): there is none. */
uint64_t time_columns_find(const struct time_columns *t, uint64_t hash,
                           const struct sealed_parts *parts);
/* A column that is not in it. false at the limit, nothing changed. */
MUST_USE bool time_columns_add(struct time_columns *t, uint64_t hash, uint64_t reference);
/* A column that is in it. */
void time_columns_remove(struct time_columns *t, uint64_t hash, uint64_t reference);
void time_columns_release(struct time_columns *t);

#endif
