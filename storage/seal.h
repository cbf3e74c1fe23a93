/*
 * seal - the end of a window: chunks are encoded anew, columns instead of a stream, and go into the
 * region of the window.
 *
 * All samples are read, with those that came late and those of the base if the chunk is over a
 * sealed one, encoded, decoded again and compared; only then the open form goes. Series of one
 * scrape have the same times, and mostly follow each other: the column of the chunk before is kept,
 * to be used again. What has no room stays open, and works.
 *
 * Threads: a sealer is one thread's. seal_chunk: in the epoch, no lock.
 */
#ifndef HEARTH_STORAGE_SEAL_H
#define HEARTH_STORAGE_SEAL_H

#include "alloc/buf.h"
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

/* Encode an open chunk, and put what comes of it into the region of its window: *word, and how many
 * samples it has. Samples may be added to the chunk meanwhile; it is not changed itself, and what
 * it stands on is still there.
 *
 * ERR_NO_MEMORY   the limit, or the region of the window has gone
 * ERR_TOO_LARGE, ERR_CORRUPT as seal_encode */
MUST_USE enum status seal_chunk(struct sealer *sealer, struct regions *regions,
                                const struct chunk *c, uint64_t *word, uint32_t *samples);

#endif
