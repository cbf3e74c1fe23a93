/*
 * import_xor - chunks in the encoding of former versions, as open ones.
 *
 * Threads: no state but the caller's.
 */
#ifndef HEARTH_STORAGE_IMPORT_XOR_H
#define HEARTH_STORAGE_IMPORT_XOR_H

#include "storage/export.h"

/* Make a CHUNK_XOR image one of CHUNK_OPEN; its bytes are on the arena then. ERR_CORRUPT: the bytes
 * do not decode, or not to what the image says. ERR_NO_MEMORY, ERR_TOO_LARGE: the arena. */
MUST_USE enum status import_xor(const struct chunk_image *from, struct arena *a,
                                struct chunk_image *to, struct error *err);

#endif
