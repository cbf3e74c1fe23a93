/*
 * times_cache - columns of times that a reader has decoded, because the next series has the same.
 *
 * Entries are found by the address of the encoded column, so they are good for one stay inside the
 * epoch: a reader says who it is, and finds nothing that another one left.
 *
 * A reader that has one range for all its series also keeps chains: columns one behind the other,
 * of each the samples in the range. A chain is a number, and the chain before it with one column
 * more is another one, so that equal numbers are equal times.
 *
 * Threads: one at a time, as the columns it belongs to.
 */
#ifndef HEARTH_STORAGE_TIMES_CACHE_H
#define HEARTH_STORAGE_TIMES_CACHE_H

#include "alloc/arena.h"

enum {
    TIMES_CACHE_ENTRIES = 16, /* more than there are windows by default */
    TIMES_CACHE_LINKS = 64,   /* for some targets */
    TIMES_CACHE_CHAIN_BITS = 24,
    TIMES_CACHE_CHAINS_MAX = (1 << TIMES_CACHE_CHAIN_BITS) - 1 /* for a reader */
};

struct times_link {
    uint64_t before; /* a chain; 0: none */
    uint64_t chain;  /* with the column behind it; 0: nothing here */
    const uint8_t *bytes;
    uint32_t count; /* of the column */
    uint32_t from;  /* [from, end) of it are in the range */
    uint32_t end;
    int64_t first_ms; /* of those, if there are any */
    int64_t last_ms;
};

struct times_cache {
    uint64_t reader;
    struct arena *arena;
    struct times_cache_entry {
        const uint8_t *bytes; /* of the encoded column; NULL: nothing */
        int64_t *t_ms;
        uint32_t capacity;
    } entries[TIMES_CACHE_ENTRIES];
    uint64_t chains; /* made for this reader */
    struct times_link links[TIMES_CACHE_LINKS];
    double *values; /* [values_capacity]: see times_cache_values */
    uint32_t values_capacity;
};

/* Of no reader before times_cache_begin. NULL when the arena refuses. */
MUST_USE struct times_cache *times_cache_create(struct arena *a);
/* Of this reader (not 0) from now on. */
void times_cache_begin(struct times_cache *cache, uint64_t reader);

/* The times of a column of `count`, decoded; valid until the next call.
 * ERR_CORRUPT as times_decode; ERR_NO_MEMORY, ERR_TOO_LARGE: the arena. */
MUST_USE enum status times_cache_get(struct times_cache *cache, const uint8_t *bytes, size_t size,
                                     uint32_t count, const int64_t **t_ms);

/* The column behind a chain, for times from range_ms[0] to range_ms[1], a range that one reader
 * keeps. Statuses as times_cache_get. */
MUST_USE enum status times_cache_link(struct times_cache *cache, uint64_t before,
                                      const uint8_t *bytes, size_t size, const int64_t range_ms[2],
                                      struct times_link *out);

/* Room for the values of a column, for a moment; NULL when the arena refuses. */
MUST_USE double *times_cache_values(struct times_cache *cache, uint32_t count);

#endif
