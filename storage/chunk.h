/*
 * chunk - the samples of one series in one window, compressed, growing at the end.
 *
 * The stream is bits, most significant first, in a chain of 128-byte cells (alloc/cells.h), written
 * in whole 32-bit words:
 *
 *     | t0: 64 | v0: 64 | sample | sample | ...
 *
 * Exact for every double and every int64 time; encoding/open_codec.h has the bits.
 *
 * Samples that come late (t <= the last one's) go to the late run: raw samples in their own chain
 * of cells, in order of arrival. Readers merge the two; chunk_rewrite makes one stream of them.
 *
 * When its window closes, a chunk is sealed (storage/seal.h): its samples go into the
 * window's region, encoded anew, and the chunk goes. A sample that comes after that starts a chunk
 * over the sealed one, its base: then there is no stream, and everything that comes is late.
 *
 * Invariants, see chunk_check(): times in the stream strictly increase; no time is in the late run
 * twice, nor in it and in the stream or base.
 *
 * Threads: one writer at a time (the shard's lock). Readers need no lock: counts are published with
 * release after the words they cover, and any published prefix decodes. A chunk taken out of its
 * series is destroyed only when no reader can hold it any more (storage/epoch.h).
 */
#ifndef HEARTH_STORAGE_CHUNK_H
#define HEARTH_STORAGE_CHUNK_H

#include <stdatomic.h>

#include "encoding/open_codec.h"
#include "storage/columns.h"
#include "storage/epoch.h"
#include "storage/export.h"
#include "storage/sealed.h"

struct chunk {
    int64_t window;
    uint64_t base;              /* word of a sealed chunk (storage/regions.h); 0: none */
    uint32_t base_count;        /* its samples */
    uint32_t base_bytes;        /* of its object: known also when that has gone with its region */
    _Atomic uint64_t published; /* samples << 32 | bits of the stream */
    _Atomic uint32_t late_published;
    uint32_t first_cell;
    uint32_t last_cell;
    uint32_t late_first_cell;
    uint32_t late_last_cell;
    uint32_t cell_count;         /* of both chains */
    struct open_state state;     /* of the encoder, after the last sample */
    int64_t t_first_ms;          /* of the stream; meaningless while empty */
    _Atomic int64_t late_min_ms; /* of the late run: INT64_MAX while it is empty */
    struct epoch_node retired;   /* links discarded chunks; of whoever discards it */
};

enum chunk_outcome {
    CHUNK_APPENDED,  /* at the end of the stream */
    CHUNK_LATE,      /* in the late run */
    CHUNK_DUPLICATE, /* the same time and bits are there already */
    CHUNK_CONFLICT,  /* the same time with other bits; unchanged */
    CHUNK_NO_MEMORY  /* unchanged */
};

/* On the heap (HEAP_CHUNKS), empty. NULL at the limit. */
MUST_USE struct chunk *chunk_create(int64_t window);
/* The same over a sealed chunk, whose samples count as this one's. */
MUST_USE struct chunk *chunk_create_over(int64_t window, uint64_t base);
void chunk_destroy(struct chunk *c);

/* Writer only. t_ms belongs to the chunk's window (the caller has checked). */
MUST_USE enum chunk_outcome chunk_add(struct chunk *c, int64_t t_ms, double v);

/* True when the late run has grown so long that it should be merged by chunk_rewrite; much sooner
 * when memory for late runs is short. */
bool chunk_wants_rewrite(const struct chunk *c, bool pressed);

/* A new chunk with stream and late run merged into one stream. The writer puts it in the place of
 * `old`, if that has no more samples by then. Scratch comes from the arena, rewound before return.
 * NULL at the limit: `old` stays as it is. */
MUST_USE struct chunk *chunk_rewrite(const struct chunk *old, struct arena *scratch);

/* Append the samples with t_min_ms <= t <= t_max_ms to the columns, late ones merged in. Scratch of
 * the read is on columns->arena.
 * ERR_NO_MEMORY, ERR_TOO_LARGE: the arena. ERR_CORRUPT: the stream does not decode (a bug or broken
 * memory). */
MUST_USE enum status chunk_read(const struct chunk *c, int64_t t_min_ms, int64_t t_max_ms,
                                struct columns *columns, struct error *err);

/* Samples readable now, late ones included. */
uint32_t chunk_sample_count(const struct chunk *c);
/* Those in the late run. */
uint32_t chunk_late_count(const struct chunk *c);
/* Payload, rounded to cells; a base included. */
uint64_t chunk_bytes(const struct chunk *c);
/* Of those, bytes that no sample is in: the rest of the last cells, and the links. Writer only. */
uint64_t chunk_spare_bytes(const struct chunk *c);

/* Ask for the memory that chunk_add will look at: the chunk, and once that has come the end of its
 * stream. Writer only. */
void chunk_prefetch(const struct chunk *c);
void chunk_prefetch_end(const struct chunk *c);

bool chunk_is_plain(const struct chunk *c); /* neither base nor late run */

/* The published stream with the late run merged in, as contiguous bytes on the arena: fills
 * encoding, sample_count, size, bytes, t_first_ms, t_last_ms and window; labels are the caller's. A
 * chunk without samples gives sample_count 0. */
MUST_USE enum status chunk_export(const struct chunk *c, struct arena *a, struct chunk_image *image,
                                  struct error *err);

/* A chunk from an image of CHUNK_OPEN, all of it checked: encoding, counts, order, times within
 * [t_min_ms, t_max_ms] (the window). Statuses as import_chunks. */
MUST_USE enum status chunk_import(const struct chunk_image *image, int64_t t_min_ms,
                                  int64_t t_max_ms, struct chunk **out, struct error *err);

/* Abort on a broken invariant; needs the writer's lock. */
void chunk_check(const struct chunk *c);

#endif
