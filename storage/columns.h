/*
 * columns - samples of one series in ascending time, as two parallel arrays.
 *
 * Zero it, set the arena, reuse it for many reads: the arrays grow on the arena and are kept.
 *
 * Series of one scrape share their sealed columns of times. A reader of many series (series_reader)
 * says so: the first samples have the times of a *chain*, sealed columns one behind the other
 * (storage/times_cache.h), and equal chains need no comparing. Chains also tell the reader which
 * times already lie in the array, from the series that was read into it before.
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

enum { COLUMNS_LINKS_MAX = 16 };
struct columns_chain {
    uint64_t id;    /* no two readers have the same; 0: no chain */
    size_t count;   /* of samples */
    uint32_t links; /* of sealed columns */
};

/* The chains whose times lie in the array, each the one before it with a column more. */
struct columns_laid {
    uint64_t ids[COLUMNS_LINKS_MAX];
    uint32_t count;
};

struct columns {
    int64_t *t_ms;
    double *v;
    size_t count;
    size_t capacity;
    struct arena *arena;
    struct times_cache *times; /* on the arena, of series_read; else NULL */
    struct columns_chain chain;
    struct columns_laid *laid; /* of series_reader; NULL: no chains are made */
};

/* Room for `more` samples behind the present ones; false when the arena refuses. */
MUST_USE bool columns_reserve(struct columns *c, size_t more);

/* For the next series: it may have the chain of the last one. */
static inline void columns_begin_chain(struct columns *c, struct columns_laid *laid)
{
    c->count = 0;
    c->laid = laid;
    laid->count = c->chain.links;
    c->chain = (struct columns_chain){0};
}

/* Whoever changes times that were read says so. */
static inline void columns_forget_chain(struct columns *c)
{
    c->chain = (struct columns_chain){0};
}

/* The first sample of [from, count) of these times that is not before t_ms. */
size_t columns_lower_bound(const int64_t *times_ms, size_t from, size_t count, int64_t t_ms);

/* Of the samples from `first` on, which were just read, keep those with t_min_ms <= t <= t_max_ms.
 */
void columns_keep(struct columns *c, size_t first, int64_t t_min_ms, int64_t t_max_ms);

/* Where the sample of a time is; false when there is none. Only times are looked at. */
MUST_USE bool columns_find(const struct columns *c, int64_t t_ms, size_t *at);

#endif
