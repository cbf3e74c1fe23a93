/*
 * forecast - what the series there are now will take when all windows are full: the question that a
 * limit asks hours before it is reached.
 *
 *     what is no sample (series, labels, index, libc, ...)
 *     + a sealed window for each one retained, as large as the newest sealed one
 *     + one open window at its end: as much as the current one has, by the time it has had
 *
 * Until a window was sealed, an open one stands in for it: too much, never too little.
 *
 * A pure function, numbers in and numbers out.
 */
#ifndef HEARTH_SERVER_FORECAST_H
#define HEARTH_SERVER_FORECAST_H

#include <stddef.h>

#include "storage/storage.h"

struct forecast_input {
    const struct window_bytes *windows; /* oldest first, as storage_window_bytes says */
    size_t count;
    uint64_t used_bytes; /* counted against the limit, free pages not included */
    int64_t now_ms;
    int64_t chunk_ms;
    uint32_t retained; /* windows */
};

/* Bytes counted against the limit then; 0 when nothing is known yet, in the first sixteenth of the
 * first window. */
uint64_t forecast_bytes(const struct forecast_input *in);

#endif
