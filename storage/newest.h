/*
 * newest - when a series' newest sample was, in 32 bits beside its address (storage/directory.h).
 *
 *     | t_ms mod 2^31 | look |
 *
 * Many a query wants to know no more of a series than whether it has a sample now, and would fetch
 * the series and its chunk for that. `look` sends it there: the sample is a stale marker, or was
 * not looked at.
 *
 * Of a series that holds nothing the word says nothing. As long as all that can be held lies within
 * NEWEST_SPAN_MS, the order of two words is that of their times.
 */
#ifndef HEARTH_STORAGE_NEWEST_H
#define HEARTH_STORAGE_NEWEST_H

#include "model/sample.h"
#include "storage/window.h"

#define NEWEST_SPAN_MS (INT64_C(1) << 30)

/* Times are told apart. */
static inline bool newest_serves(const struct window_grid *g)
{
    return g->chunk_ms < NEWEST_SPAN_MS / (int64_t)g->slots;
}

static inline uint32_t newest_word(int64_t t_ms, bool look)
{
    return (uint32_t)(uint64_t)t_ms << 1 | look;
}

static inline uint32_t newest_of(const struct sample *sample)
{
    return newest_word(sample->t_ms, sample_is_stale(sample->v));
}

static inline bool newest_is_later(uint32_t word, uint32_t than)
{
    return (int32_t)(word - than) > 0;
}

/* Is the newest sample a value with t_min_ms <= t <= t_max_ms? The range lies in what is held. When
 * it is not, the series has to be looked at. */
static inline bool newest_within(uint32_t word, int64_t t_min_ms, int64_t t_max_ms, int64_t *t_ms)
{
    uint32_t before = ((uint32_t)(uint64_t)t_max_ms << 1 & ~1u) - (word & ~1u);
    *t_ms = t_max_ms - (int64_t)(before >> 1);
    return !(word & 1) && *t_ms >= t_min_ms;
}

#endif
