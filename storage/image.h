/*
 * image - the samples of a chunk image, checked.
 *
 * Threads: no state but the caller's.
 */
#ifndef HEARTH_STORAGE_IMAGE_H
#define HEARTH_STORAGE_IMAGE_H

#include "encoding/times.h"
#include "storage/columns.h"
#include "storage/export.h"
#include "storage/sealed.h"

/* Append the samples of an image of CHUNK_OPEN or CHUNK_SEALED to the columns; all of them are
 * within [t_min_ms, t_max_ms] (the window), and what the image says of them is true.
 *
 * ERR_CORRUPT       it does not decode, or something else than it says
 * ERR_UNSUPPORTED   another encoding
 * ERR_NO_MEMORY, ERR_TOO_LARGE   the arena */
MUST_USE enum status image_read(const struct chunk_image *image, int64_t t_min_ms, int64_t t_max_ms,
                                struct columns *columns, struct error *err);

/* The column of times that was checked last, known by its address: it serves as long as the bytes
 * stay where they are. Zero: none yet. */
struct image_times {
    const uint8_t *bytes;
    uint32_t size;
    struct times_head head;
};

/* The same checks of an image of CHUNK_SEALED, for who wants its bytes and not its samples; scratch
 * is overwritten. */
MUST_USE enum status image_check(const struct chunk_image *image, int64_t t_min_ms,
                                 int64_t t_max_ms, struct image_times *known,
                                 struct columns *scratch, struct error *err);

/* Of an image of CHUNK_SEALED. */
static inline struct sealed_parts image_parts(const struct chunk_image *image)
{
    return (struct sealed_parts){.times = image->times,
                                 .times_size = image->times_size,
                                 .values = image->bytes,
                                 .values_size = image->size};
}

#endif
