/*
 * window_block - chunks of one window as the payload of a record, readable alone: symbols first,
 * then the chunks that use them (docs/formats.md, "A window").
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_SNAPSHOT_WINDOW_BLOCK_H
#define HEARTH_SNAPSHOT_WINDOW_BLOCK_H

#include <stdbool.h>

#include "alloc/arena.h"
#include "alloc/buf.h"
#include "snapshot/text_table.h"
#include "storage/export.h"

/* The bounds of a window in time. */
struct window_span {
    int64_t window;
    int64_t start_ms;
    int64_t chunk_ms;
};

/* A block that grows. The payload is symbols, then chunks, one behind the other. */
struct window_block {
    struct text_table texts; /* of labels, and columns of times of sealed chunks */
    struct buf symbols;      /* without their count */
    struct buf chunks;
    uint64_t count; /* chunks */
};

enum { WINDOW_BLOCK_BYTES = 1 << 20 }; /* closed when it has reached this */
enum { WINDOW_END_BYTES = 32 };        /* payload of the record behind all blocks */

void window_block_init(struct window_block *b);
void window_block_release(struct window_block *b);
void window_block_reset(struct window_block *b);
size_t window_block_bytes(const struct window_block *b);

/* ERR_NO_MEMORY, ERR_TOO_LARGE: the block is not usable any more. */
MUST_USE enum status window_block_add(struct window_block *b, const struct window_span *span,
                                      const struct chunk_image *image, struct error *err);

/* Reading a payload: everything is checked against its bounds, nothing about the chunk's bytes. */
struct window_cursor {
    const uint8_t *payload;
    const uint8_t *at;
    const uint8_t *end;
    const struct str *texts; /* arena */
    size_t text_count;
    struct window_span span;
};

/* ERR_CORRUPT; ERR_NO_MEMORY, ERR_TOO_LARGE from the arena. */
MUST_USE enum status window_cursor_open(struct window_cursor *c, const uint8_t *payload,
                                        size_t size, const struct window_span *span,
                                        struct arena *a, struct error *err);

/* The next chunk: bytes view the payload, the numbers of its labels (in c->texts) are on the arena.
 * *more is false at the end.
 *
 * OK
 * ERR_INVALID   this chunk's times are not legal; the next one may be
 * ERR_CORRUPT   the payload goes wrong here: there is no next
 * ERR_NO_MEMORY, ERR_TOO_LARGE   the arena */
MUST_USE enum status window_cursor_next(struct window_cursor *c, struct arena *a,
                                        struct chunk_image *image, bool *more, struct error *err);

#endif
