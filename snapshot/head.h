/*
 * head - the first 64 bytes of every file in the data folder (docs/formats.md, "The head").
 *
 * Threads: values; no state.
 */
#ifndef HEARTH_SNAPSHOT_HEAD_H
#define HEARTH_SNAPSHOT_HEAD_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { HEAD_BYTES = 64, HEAD_VERSION = 1, IDENTITY_BYTES = 16 };

enum head_kind { HEAD_IDENTITY, HEAD_SEGMENT, HEAD_WINDOW, HEAD_MANIFEST };

struct identity {
    uint8_t bytes[IDENTITY_BYTES];
};

struct head {
    enum head_kind kind;
    struct identity identity; /* of the data folder */
    uint64_t number;          /* of the segment, or the window (signed); else 0 */
    uint64_t sequence;        /* of the snapshot that wrote a window or manifest; else 0 */
    int64_t chunk_ms;         /* width of a window, in these two; else 0 */
};

void head_encode(const struct head *head, uint8_t out[HEAD_BYTES]);

/* What the crc of every record header of this file starts from. */
uint32_t head_seed(const struct head *head);

/* The head of a file of this kind, from its first size bytes.
 *
 * OK
 * ERR_CORRUPT       cut, damaged or of another kind
 * ERR_UNSUPPORTED   intact, but of another version; the text has both */
MUST_USE enum status head_decode(const uint8_t *bytes, size_t size, enum head_kind kind,
                                 struct head *out, struct error *err);

#endif
