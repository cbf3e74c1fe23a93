/*
 * frame - the snappy block around remote write and remote read bodies.
 *
 *     | decoded length: varint | literals and copies ... |       (format_description.txt of snappy)
 *
 * The block format, not the framed stream. The declared length is compared with the ceiling before
 * a byte is allocated: a ten-byte body may claim four gigabytes.
 *
 * The one door to <snappy-c.h>, which encodes; wire/snappy_block.h decodes. Threads: no state.
 */
#ifndef HEARTH_WIRE_FRAME_H
#define HEARTH_WIRE_FRAME_H

#include "alloc/arena.h"
#include "base/error.h"
#include "base/str.h"

enum {
    FRAME_DECODED_BYTES_MAX = 32 << 20, /* of a remote write request, as Prometheus has it */
    FRAME_FRONT_BYTES = 32              /* readable in front of what was decoded */
};

/* Decode a block onto the arena.
 *
 * ERR_INVALID     not a snappy block, or its length is not the declared one
 * ERR_TOO_LARGE   it declares more than decoded_bytes_max, or the arena's ceiling
 * ERR_NO_MEMORY   the heap's limit
 */
MUST_USE enum status frame_decode(struct str body, size_t decoded_bytes_max, struct arena *a,
                                  struct str *out, struct error *err);

/* Encode data as one block on the arena. ERR_TOO_LARGE: beyond 4 GiB, or the arena. */
MUST_USE enum status frame_encode(struct str data, struct arena *a, struct str *out,
                                  struct error *err);

#endif
