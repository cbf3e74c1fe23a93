/*
 * sealed - a chunk that has come to rest: its values in its window's region, and its times in a
 * column that all chunks of the region with the same times share. Series with the same times and
 * the same values share the chunk itself.
 *
 *     chunk:    | users: 8 | column: 40 | size: varint | values (encoding/values.h) |
 *     column:   | users: 32 | size: 32 | times (encoding/times.h) |
 *
 * `column` is the region's name for the column (alloc/region.h). No pointers, no capacity, nothing
 * to append to. A sample that comes late gets an open chunk over the sealed one
 * (chunk_create_over), until both are sealed again as one.
 *
 * Threads: never changes, but for the users, which are the region's; any thread that is in the
 * epoch reads it without a lock.
 */
#ifndef HEARTH_STORAGE_SEALED_H
#define HEARTH_STORAGE_SEALED_H

#include <stdint.h>

#include "storage/columns.h"
#include "storage/export.h"

struct sealed {
    uint8_t users;    /* words; under the lock of the regions */
    uint8_t bytes[1]; /* and more */
};

/* So many or more: nobody counts any longer, and the chunk goes with its region. */
enum { SEALED_USERS_MAX = UINT8_MAX };

struct sealed_times {
    uint32_t users; /* chunks; under the lock of the regions */
    uint32_t size;  /* of bytes */
    uint8_t bytes[];
};

/* What a sealed chunk is made of: both columns as their encoders wrote them. */
struct sealed_parts {
    const uint8_t *times;
    const uint8_t *values;
    uint32_t times_size;
    uint32_t values_size;
};

static inline uint32_t sealed_times_bytes(const struct sealed_times *t)
{
    return (uint32_t)sizeof(*t) + t->size;
}

/* Bytes of the chunk's object for values of so many bytes. */
uint32_t sealed_bytes_for(uint32_t values_size);
/* Fill an object of that size; it has no users yet. */
void sealed_write(struct sealed *s, uint64_t column, const struct sealed_parts *parts);

uint32_t sealed_bytes(const struct sealed *s);
uint64_t sealed_column(const struct sealed *s);
struct sealed_parts sealed_parts(const struct sealed *s);
uint32_t sealed_sample_count(const struct sealed *s);

/* As sealed_read, into columns that need no room yet; when they make chains, times and values are
 * to be laid (storage/columns_chain.h). */
MUST_USE enum status sealed_read_chained(const struct sealed *s, const int64_t range_ms[2],
                                         struct columns *columns, struct error *err);

/* Append the samples with t_min_ms <= t <= t_max_ms to the columns, which have room for all.
 * ERR_NO_MEMORY, ERR_TOO_LARGE: the arena has no room for the times in columns->times. ERR_CORRUPT:
 * broken memory. */
MUST_USE enum status sealed_read(const struct sealed *s, int64_t t_min_ms, int64_t t_max_ms,
                                 struct columns *columns, struct error *err);

/* The value at that time, if there is a sample. ERR_NO_MEMORY when there is no room to decode. */
MUST_USE enum status sealed_find(const struct sealed *s, int64_t t_ms, bool *found, double *v);

/* The image views the sealed bytes. Labels and window are the caller's. ERR_CORRUPT: broken memory.
 */
MUST_USE enum status sealed_export(const struct sealed *s, struct chunk_image *image,
                                   struct error *err);

#endif
