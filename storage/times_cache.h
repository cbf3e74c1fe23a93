/*
 * times_cache - columns of times that a reader has decoded, because the next series has the same.
 *
 * Entries are found by the address of the encoded column, so they are good for one stay inside the
 * epoch: a reader says who it is, and finds nothing that another one left.
 *
 * Threads: one at a time, as the columns it belongs to.
 */
#ifndef HEARTH_STORAGE_TIMES_CACHE_H
#define HEARTH_STORAGE_TIMES_CACHE_H

#include "alloc/arena.h"

enum { TIMES_CACHE_ENTRIES = 16 }; /* more than there are windows by default */

struct times_cache {
    uint64_t reader;
    struct arena *arena;
    struct times_cache_entry {
        const uint8_t *bytes; /* of the encoded column; NULL: nothing */
        int64_t *t_ms;
        uint32_t capacity;
    } entries[TIMES_CACHE_ENTRIES];
};

/* NULL when the arena refuses; for nobody yet. */
MUST_USE struct times_cache *times_cache_create(struct arena *a);
/* Of this reader (not 0) from now on. */
void times_cache_begin(struct times_cache *cache, uint64_t reader);

/* The times of a column of `count`, decoded; valid until the next call.
 * ERR_CORRUPT as times_decode; ERR_NO_MEMORY, ERR_TOO_LARGE: the arena. */
MUST_USE enum status times_cache_get(struct times_cache *cache, const uint8_t *bytes, size_t size,
                                     uint32_t count, const int64_t **t_ms);

#endif
