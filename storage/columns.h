/*
 * columns - samples of one series in ascending time, as two parallel arrays.
 *
 * Zero it, set the arena, reuse it for many reads: the arrays grow on the arena and are kept.
 *
 * Series of one scrape share their sealed columns of times. A reader of many series (series_reader)
 * says so: the first samples have the times of a *chain*, sealed columns one behind the other
 * (storage/times_cache.h), and equal chains need no comparing. So most need no times: of a chain
 * only the first and the last time are in the array until somebody asks for the others
 * (columns_lay_times).
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_STORAGE_COLUMNS_H
#define HEARTH_STORAGE_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/arena.h"

struct error;
struct times_cache;

enum { COLUMNS_LINKS_MAX = 16 };
struct columns_chain {
    uint64_t id;    /* no two readers have the same; 0: no chain */
    size_t count;   /* of samples */
    uint32_t links; /* of sealed columns */
};

/* What a chain's sealed column is, and the values with it. */
struct columns_link {
    const uint8_t *times;
    const uint8_t *values;
    uint32_t times_size;
    uint32_t values_size;
    uint32_t count; /* of samples */
    uint32_t from;  /* [from, end) of them are here */
    uint32_t end;
};

struct columns {
    int64_t *t_ms;
    double *v;
    size_t count;
    size_t capacity;
    struct arena *arena;
    struct times_cache *times; /* on the arena, of series_read; else NULL */
    struct columns_chain chain;
    bool times_laid;            /* all of the chain's */
    size_t rising;              /* at least so many first values do not fall, and none is NaN */
    struct columns_link *links; /* [COLUMNS_LINKS_MAX], of the chain; NULL: no chains are made */
};

/* Room for `more` samples behind the present ones; false when the arena refuses. */
MUST_USE bool columns_reserve(struct columns *c, size_t more);

/* For the next series. */
static inline void columns_begin_chain(struct columns *c, struct columns_link *links)
{
    c->count = 0;
    c->links = links;
    c->chain = (struct columns_chain){0};
    c->rising = 0;
}

/* columns_chain.c: all times, whatever there was of the chain's. ERR_CORRUPT; ERR_NO_MEMORY,
 * ERR_TOO_LARGE: the arena. */
MUST_USE enum status columns_lay_times(struct columns *c, struct error *err);

/* Whoever changes samples, all of whose times are laid, says so. */
static inline void columns_forget_chain(struct columns *c)
{
    c->chain = (struct columns_chain){0};
    c->rising = 0;
}

/* The first sample of [from, count) of these times that is not before t_ms. */
size_t columns_lower_bound(const int64_t *times_ms, size_t from, size_t count, int64_t t_ms);

/* Of the samples from `first` on, which were just read, keep those with t_min_ms <= t <= t_max_ms.
 */
void columns_keep(struct columns *c, size_t first, int64_t t_min_ms, int64_t t_max_ms);

/* Where the sample of a time is; false when there is none. Only times are looked at. */
MUST_USE bool columns_find(const struct columns *c, int64_t t_ms, size_t *at);

#endif
