/*
 * sealed - a chunk that has come to rest: its stream as contiguous bytes in its window's region.
 *
 *     | sample_count: 32 | size: 32 | bytes of the stream, as storage/chunk.h has them | 0-7 unused
 * |
 *
 * No pointers, no capacity, nothing to append to. A sample that comes late gets an open chunk over
 * the sealed one (chunk_create_over), until both are sealed again as one.
 *
 * Threads: never changes; any thread that is in the epoch reads it without a lock.
 */
#ifndef HEARTH_STORAGE_SEALED_H
#define HEARTH_STORAGE_SEALED_H

#include <stdint.h>

#include "storage/columns.h"
#include "storage/export.h"

struct sealed {
    uint32_t sample_count; /* > 0 */
    uint32_t size;         /* of bytes */
    uint8_t bytes[];
};

/* Bytes of the object for a stream of so many bytes; whole words. */
static inline uint32_t sealed_bytes_for(uint32_t size)
{
    return (uint32_t)sizeof(struct sealed) + ((size + 3) & ~3u);
}

static inline uint32_t sealed_bytes(const struct sealed *s)
{
    return sealed_bytes_for(s->size);
}

/* Append the samples with t_min_ms <= t <= t_max_ms to the columns, which have room for all.
 * ERR_CORRUPT: broken memory. */
MUST_USE enum status sealed_read(const struct sealed *s, int64_t t_min_ms, int64_t t_max_ms,
                                 struct columns *columns, struct error *err);

/* The value at that time, if there is a sample. ERR_NO_MEMORY when there is no room to decode. */
MUST_USE enum status sealed_find(const struct sealed *s, int64_t t_ms, bool *found, double *v);

/* The image views the sealed bytes. Labels and window are the caller's. ERR_CORRUPT: broken memory.
 */
MUST_USE enum status sealed_export(const struct sealed *s, struct chunk_image *image,
                                   struct error *err);

#endif
