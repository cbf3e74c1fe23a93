/*
 * window - arithmetic of the grid that cuts time into windows.
 *
 *     window = floor(t_ms / chunk_ms)        slot in a series' ring = window mod slots
 *
 *     oldest_ms                                  now   newest_ms
 *     |  W-7  |  W-6  | ...           |  W-1  |  W  .....|  W+1 ...
 *     '------------ windows, W the current one -------'  '- future_ms -'
 *
 * The ring has a slot for every window a visible sample can be in, so two windows that share a slot
 * are never both retained. Times are Unix ms of any sign; at the ends of int64 results are clamped
 * instead of overflowing.
 *
 * Pure: numbers in, numbers out.
 */
#ifndef HEARTH_STORAGE_WINDOW_H
#define HEARTH_STORAGE_WINDOW_H

#include <stdint.h>

#include "base/bits.h"
#include "storage/storage.h"

struct window_grid {
    int64_t chunk_ms;  /* > 0 */
    int64_t future_ms; /* >= 0 */
    uint32_t windows;  /* retained, the current one included; >= 1 */
    uint32_t slots;    /* of the ring */
};

static inline int64_t window_of(const struct window_grid *g, int64_t t_ms)
{
    return bits_floor_div(t_ms, g->chunk_ms);
}

static inline int64_t window_start_ms(const struct window_grid *g, int64_t window)
{
    int64_t start_ms;
    if (!__builtin_mul_overflow(window, g->chunk_ms, &start_ms)) return start_ms;
    return window < 0 ? INT64_MIN : INT64_MAX;
}

/* The last millisecond of a window. */
static inline int64_t window_end_ms(const struct window_grid *g, int64_t window)
{
    int64_t next_ms;
    if (window == INT64_MAX || __builtin_mul_overflow(window + 1, g->chunk_ms, &next_ms))
        return window < 0 ? INT64_MIN : INT64_MAX;
    return next_ms - 1;
}

static inline uint32_t window_slot(const struct window_grid *g, int64_t window)
{
    int64_t slot = window % (int64_t)g->slots;
    return (uint32_t)(slot < 0 ? slot + (int64_t)g->slots : slot);
}

/* What is visible and acceptable when the clock says now_ms. */
static inline struct storage_bounds window_bounds(const struct window_grid *g, int64_t now_ms)
{
    int64_t current = window_of(g, now_ms);
    int64_t oldest = bits_sub_clamped(current, (int64_t)g->windows - 1);
    return (struct storage_bounds){
        .oldest_ms = window_start_ms(g, oldest),
        .newest_ms = bits_add_clamped(now_ms, g->future_ms),
        .oldest_window = oldest,
        .current_window = current,
    };
}

/* Windows ahead of the current one that a sample may fall into; at least 1. */
static inline int64_t window_ahead(int64_t chunk_ms, int64_t future_ms)
{
    int64_t ahead = future_ms / chunk_ms + (future_ms % chunk_ms != 0);
    return ahead > 0 ? ahead : 1;
}

#endif
