/* forecast - the newest sealed window, the current one, and all the rest. */
#include "server/forecast.h"

enum { LEAST_PART = 16 }; /* of a window, before its pace is believed */

/* What the window that is open now will have at its end; 0: too early to say. */
static uint64_t open_at_its_end(const struct forecast_input *in, const struct window_bytes *window)
{
    int64_t had_ms = in->now_ms - window->start_ms;
    if (had_ms >= in->chunk_ms) return window->open;
    if (had_ms < in->chunk_ms / LEAST_PART) return 0;
    return (uint64_t)((double)window->open / (double)had_ms * (double)in->chunk_ms);
}

/* The newest window that has closed and is sealed, or NULL. */
static const struct window_bytes *newest_sealed(const struct forecast_input *in)
{
    for (size_t i = in->count; i > 0; i--) {
        const struct window_bytes *window = &in->windows[i - 1];
        bool closed = window->start_ms + in->chunk_ms <= in->now_ms;
        if (closed && window->sealed > window->open) return window;
    }
    return NULL;
}

uint64_t forecast_bytes(const struct forecast_input *in)
{
    uint64_t held = 0;
    uint64_t open = 0;
    for (size_t i = 0; i < in->count; i++) {
        const struct window_bytes *window = &in->windows[i];
        uint64_t end = open_at_its_end(in, window);
        held += window->open + window->sealed + window->tail + window->deleted;
        if (end > open) open = end;
    }
    const struct window_bytes *closed = newest_sealed(in);
    uint64_t sealed = closed ? closed->sealed + closed->tail : open;
    if (sealed == 0) return 0;
    uint64_t rest = in->used_bytes > held ? in->used_bytes - held : 0;
    return rest + in->retained * sealed + open;
}
