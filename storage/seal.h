/*
 * seal - the end of a window: chunks are encoded anew, columns instead of a stream, and go into the
 * region of the window.
 *
 * All samples are read, with those that came late and those of the base if the chunk is over a
 * sealed one, encoded, decoded again and compared; only then the open form goes. Series of one
 * scrape have the same times, and mostly follow each other: the column of the chunk before is kept,
 * to be used again. What has no room stays open, and works.
 *
 * Threads: a sealer is one thread's. seal_chunks: in the epoch, no lock.
 */
#ifndef HEARTH_STORAGE_SEAL_H
#define HEARTH_STORAGE_SEAL_H

#include "alloc/buf.h"
#include "storage/chunk_batch.h"
#include "storage/shard.h"

/* Scratch. */
struct sealer {
    struct arena arena;
    struct buf last_t_ms; /* int64_t: the times that `times` encodes; empty: none yet */
    struct buf times;
    struct buf values;
};

void sealer_init(struct sealer *s);
/* Give memory back; it may be used again. */
void sealer_reset(struct sealer *s);
void sealer_release(struct sealer *s);

/* Encode samples (at least one), and compare what comes back. The parts are valid until the next
 * call.
 *
 * OK
 * ERR_NO_MEMORY, ERR_TOO_LARGE
 * ERR_CORRUPT   something else came back: a bug or broken memory */
MUST_USE enum status seal_encode(struct sealer *s, const struct columns *columns,
                                 struct sealed_parts *parts);

/* An open chunk, and what becomes of it. */
struct sealing {
    const struct chunk *chunk;
    enum status status;
    uint64_t word;    /* in the region of its window; 0: none */
    uint32_t samples; /* it has; not known unless the status is OK */
};

/* Encode open chunks, and put what comes of them into the regions of their windows. Samples may be
 * added to the chunks meanwhile; they are not changed themselves, and what they stand on is still
 * there. Their streams are decoded together, so the whole takes a fifth less.
 *
 * ERR_NO_MEMORY   the limit, or the region of the window has gone
 * ERR_TOO_LARGE, ERR_CORRUPT as seal_encode */
enum { SEAL_TOGETHER = CHUNK_BATCH_MAX };
void seal_chunks(struct sealer *sealer, struct regions *regions, struct sealing *items,
                 size_t count);

#endif
