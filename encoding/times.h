/*
 * times - a column of sample times, the part of a sealed chunk that series of one scrape share.
 *
 *     | count | first, zigzag | last - first | step | residuals against first + i * step: ints |
 *
 * Numbers are varints (base/varint.h); ints is encoding/ints.h. Equal columns have equal bytes, so
 * that whoever stores many finds them by hash.
 *
 * Threads: no state but the caller's.
 */
#ifndef HEARTH_ENCODING_TIMES_H
#define HEARTH_ENCODING_TIMES_H

#include "alloc/arena.h"
#include "alloc/buf.h"

/* What the head of a column says. */
struct times_head {
    uint32_t count; /* > 0 */
    int64_t first_ms;
    int64_t last_ms;
};

/* Append count (> 0) strictly increasing times to a buffer. ERR_NO_MEMORY, ERR_TOO_LARGE: the arena
 * or the buffer. */
MUST_USE enum status times_encode(const int64_t *t_ms, uint32_t count, struct arena *scratch,
                                  struct buf *out);

/* ERR_CORRUPT: the bytes start no column. The rest of it is not looked at. */
MUST_USE enum status times_head(const uint8_t *bytes, size_t size, struct times_head *head);

/* Decode the whole column into t_ms[count]. ERR_CORRUPT: the bytes are no column of so many times,
 * or not only that, or times do not strictly increase. */
MUST_USE enum status times_decode(const uint8_t *bytes, size_t size, int64_t *t_ms, uint32_t count);

#endif
