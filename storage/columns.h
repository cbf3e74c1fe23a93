/*
 * columns - samples of one series in ascending time, as two parallel arrays.
 *
 * Zero it, set the arena, reuse it for many reads: the arrays grow on the arena and are kept.
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_STORAGE_COLUMNS_H
#define HEARTH_STORAGE_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/arena.h"

struct times_cache;

struct columns {
    int64_t *t_ms;
    double *v;
    size_t count;
    size_t capacity;
    struct arena *arena;
    struct times_cache *times; /* on the arena, of series_read; else NULL */
};

/* Room for `more` samples behind the present ones; false when the arena refuses. */
MUST_USE bool columns_reserve(struct columns *c, size_t more);

/* The first sample of [from, count) of these times that is not before t_ms. */
size_t columns_lower_bound(const int64_t *times_ms, size_t from, size_t count, int64_t t_ms);

/* Of the samples from `first` on, which were just read, keep those with t_min_ms <= t <= t_max_ms.
 */
void columns_keep(struct columns *c, size_t first, int64_t t_min_ms, int64_t t_max_ms);

/* Where the sample of a time is; false when there is none. Only times are looked at. */
MUST_USE bool columns_find(const struct columns *c, int64_t t_ms, size_t *at);

#endif
