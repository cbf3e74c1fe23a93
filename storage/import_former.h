/*
 * import_former - chunks in the encodings of former versions, as open ones.
 *
 * Threads: no state but the caller's.
 */
#ifndef HEARTH_STORAGE_IMPORT_FORMER_H
#define HEARTH_STORAGE_IMPORT_FORMER_H

#include "storage/export.h"

static inline bool import_is_former(uint8_t encoding)
{
    return encoding == CHUNK_XOR || encoding == CHUNK_OPEN_FORMER;
}

/* Make such an image one of CHUNK_OPEN; its bytes are on the arena then. ERR_CORRUPT: the bytes
 * do not decode, or not to what the image says. ERR_NO_MEMORY, ERR_TOO_LARGE: the arena. */
MUST_USE enum status import_former(const struct chunk_image *from, struct arena *a,
                                   struct chunk_image *to, struct error *err);

#endif
