/*
 * chunk_parts - the inside of a chunk, for the files that make one.
 *
 *     chunk.c        the chunk, and its stream growing at the end
 *     chunk_runs.c   several streams growing at once
 *     chunk_late.c   the late run, and what comes late
 *     chunk_read.c   both merged into columns
 *     chunk_batch.c  the streams of several chunks, as columns
 *     chunk_image.c  as bytes for a snapshot, and back
 *
 * Word w of the stream is in the chunk as long as w < 15; then word (w - 15) % 31 of a cell.
 *
 * Threads: as chunk.h; what changes the chunk is its writer's.
 */
#ifndef HEARTH_STORAGE_CHUNK_PARTS_H
#define HEARTH_STORAGE_CHUNK_PARTS_H

#include "alloc/cells.h"
#include "base/bits.h"
#include "storage/chunk.h"

enum {
    WORD_BITS = 32,
    CHUNK_BITS = CHUNK_WORDS * WORD_BITS,
    CELL_WORDS = CELL_PAYLOAD_BYTES / 4,
    CELL_BITS = CELL_WORDS * WORD_BITS
};

_Static_assert(sizeof(struct chunk) == CELL_BYTES, "a chunk is as large as a cell");
_Static_assert(offsetof(struct chunk, words) == CACHE_LINE_BYTES, "appending touches one line");
_Static_assert(offsetof(struct chunk, retired) == offsetof(struct chunk, state.mantissa) &&
                   sizeof(struct epoch_node) == sizeof(int64_t),
               "the last sample of a discarded chunk is still there, and that it is discarded");

/* How much there is of a stream: one reading of chunk.published. */
struct stream_extent {
    uint32_t count;
    uint32_t bits;
};

static inline struct stream_extent stream_extent_of(uint64_t published)
{
    return (struct stream_extent){.count = (uint32_t)(published >> 32),
                                  .bits = (uint32_t)published};
}

static inline struct stream_extent stream_extent_load(const struct chunk *c)
{
    return stream_extent_of(atomic_load_explicit(&c->published, memory_order_acquire));
}

static inline void stream_extent_publish(struct chunk *c, uint32_t count, uint32_t bits)
{
    atomic_store_explicit(&c->published, (uint64_t)count << 32 | bits, memory_order_release);
}

/* Cells that a stream stored up to this bit has behind the chunk. */
static inline uint32_t stream_cells(uint32_t bits)
{
    return bits <= CHUNK_BITS ? 0 : (bits - CHUNK_BITS + CELL_BITS - 1) / CELL_BITS;
}

static inline void word_store(_Atomic uint32_t *at, uint32_t word)
{
    atomic_store_explicit(at, word, memory_order_relaxed);
}

static inline uint32_t word_load(const _Atomic uint32_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

/* A part of the stream that lies in one piece. */
struct chunk_piece {
    _Atomic uint32_t *words;
    const _Atomic uint32_t *next; /* the link to the next cell */
    uint32_t first_bit;
    uint32_t end_bit;
};

/* The last piece of the stream as far as it is stored. */
static ALWAYS_INLINE struct chunk_piece chunk_last_piece(struct chunk *c)
{
    if (c->last_cell == CELL_NONE)
        return (struct chunk_piece){.words = c->words, .next = &c->next, .end_bit = CHUNK_BITS};
    struct cell *cell = cells_at(c->last_cell);
    uint32_t end_bit = CHUNK_BITS + stream_cells(c->state.bits) * CELL_BITS;
    return (struct chunk_piece){.words = cell->words,
                                .next = &cell->next,
                                .first_bit = end_bit - CELL_BITS,
                                .end_bit = end_bit};
}

/* Go on in the next cell. */
static inline void chunk_piece_step(struct chunk_piece *p)
{
    struct cell *cell = cells_at(atomic_load_explicit(p->next, memory_order_relaxed));
    *p = (struct chunk_piece){.words = cell->words,
                              .next = &cell->next,
                              .first_bit = p->end_bit,
                              .end_bit = p->end_bit + CELL_BITS};
}

/* Put zeroed cells behind the stream, so that it may be stored up to this bit; state.bits is the
 * caller's to move on. false at the limit, nothing changed. */
MUST_USE bool chunk_extend(struct chunk *c, uint32_t bits);

/* Put a sample at the end of the stream: there is no base, and t_ms is later than what is there. */
enum chunk_outcome chunk_append(struct chunk *c, int64_t t_ms, double v);

/* Of the bytes that there are for a stream, those that bits are stored in. */
static inline int64_t stream_bytes_used(uint32_t bits)
{
    return (bits + 7) / 8;
}

/* Add what the stream has grown by since this was its last cell, and it was stored up to this bit.
 */
static ALWAYS_INLINE void chunk_has_grown(const struct chunk *c, uint32_t last_cell, uint32_t bits,
                                          struct chunk_growth *growth)
{
    growth->used_bytes += stream_bytes_used(c->state.bits) - stream_bytes_used(bits);
    if (UNLIKELY(c->last_cell != last_cell))
        growth->bytes += (int64_t)(stream_cells(c->state.bits) - stream_cells(bits)) * CELL_BYTES;
}

static inline size_t stream_bytes(struct stream_extent extent)
{
    return bits_align_up(extent.bits, WORD_BITS) / 8;
}

/* Copy the stream up to the extent into bytes, most significant first; room for stream_bytes. */
void chunk_stream_copy(const struct chunk *c, struct stream_extent extent, uint8_t *out);
/* The same of what is in the chunk itself; returns what is left to be copied, of its cells. */
struct cells_copy chunk_stream_begin(const struct chunk *c, struct stream_extent extent,
                                     uint8_t *out);

/* ERR_CORRUPT, in words. */
enum status chunk_undecodable(const struct chunk *c, struct error *err);

/* Look for a time in the stream. ERR_NO_MEMORY when there is no room to decode it, ERR_CORRUPT when
 * it does not decode. */
enum status chunk_stream_find(const struct chunk *c, int64_t t_ms, bool *found, double *v);

/* What becomes of a sample whose time is there already. */
static inline enum chunk_outcome same_or_conflict(double present, double offered)
{
    return bits_from_double(present) == bits_from_double(offered) ? CHUNK_DUPLICATE
                                                                  : CHUNK_CONFLICT;
}

/* Samples of the late run. */
static inline uint32_t late_count(const struct chunk_side *side)
{
    return atomic_load_explicit(&side->late_count, memory_order_acquire);
}

/* Cells of the late run of so many samples, that of the side included. */
uint32_t chunk_late_cells(uint32_t count);
/* Give a chunk its side, over a sealed chunk or over nothing (base is 0). NULL at the limit. */
struct chunk_side *chunk_side_create(struct chunk *c, uint64_t base);

/* Put a sample where it is not behind all others: into the late run, if it is new. */
enum chunk_outcome chunk_add_late(struct chunk *c, int64_t t_ms, double v);

/* Merge the first `count` samples of the late run, if they are in the range, into
 * columns[first ..], which has room. Scratch is on columns->arena, whose status it returns. */
enum status chunk_late_merge(const struct chunk_side *side, uint32_t count,
                             const int64_t range_ms[2], struct columns *columns, size_t first);

#endif
