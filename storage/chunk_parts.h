/*
 * chunk_parts - the inside of a chunk, for the files that make one.
 *
 *     chunk.c        the chunk, and its stream growing at the end
 *     chunk_late.c   the late run, and what comes late
 *     chunk_read.c   both merged into columns
 *     chunk_image.c  as bytes for a snapshot, and back
 *
 * Word w of the stream is word w % 31 of cell w / 31.
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
    CELL_WORDS = CELL_PAYLOAD_BYTES / 4,
    CELL_BITS = CELL_WORDS * WORD_BITS,
    LATE_WORDS = 4 /* of a sample: t low, t high, v low, v high */
};

/* One reading of chunk.published. */
struct extent {
    uint32_t count;
    uint32_t bits;
};

static inline struct extent extent_load(const struct chunk *c)
{
    uint64_t published = atomic_load_explicit(&c->published, memory_order_acquire);
    return (struct extent){.count = (uint32_t)(published >> 32), .bits = (uint32_t)published};
}

static inline void extent_publish(struct chunk *c, uint32_t count, uint32_t bits)
{
    atomic_store_explicit(&c->published, (uint64_t)count << 32 | bits, memory_order_release);
}

static inline void word_store(struct cell *cell, uint32_t index, uint32_t word)
{
    atomic_store_explicit(&cell->words[index], word, memory_order_relaxed);
}

static inline uint32_t word_load(const struct cell *cell, uint32_t index)
{
    return atomic_load_explicit(&cell->words[index], memory_order_relaxed);
}

/* Put one more cell behind a chain; CELL_NONE when there is none to be had. */
uint32_t chunk_link_cell(struct chunk *c, uint32_t *first, uint32_t *last);

/* Put a sample at the end of the stream: there is no base, and t_ms is later than what is there. */
enum chunk_outcome chunk_append(struct chunk *c, int64_t t_ms, double v);

static inline size_t stream_bytes(struct extent extent)
{
    return bits_align_up(extent.bits, WORD_BITS) / 8;
}

/* Copy the stream up to the extent into bytes, most significant first; room for stream_bytes. */
void chunk_stream_copy(const struct chunk *c, struct extent extent, uint8_t *out);

/* Look for a time in the stream. ERR_NO_MEMORY when there is no room to decode it. */
enum status chunk_stream_find(const struct chunk *c, int64_t t_ms, bool *found, double *v);

/* What becomes of a sample whose time is there already. */
static inline enum chunk_outcome same_or_conflict(double present, double offered)
{
    return bits_from_double(present) == bits_from_double(offered) ? CHUNK_DUPLICATE
                                                                  : CHUNK_CONFLICT;
}

/* Put a sample where it is not behind all others: into the late run, if it is new. */
enum chunk_outcome chunk_add_late(struct chunk *c, int64_t t_ms, double v);

/* Merge the first `count` samples of the late run, if they are in the range, into
 * columns[first ..], which has room. Scratch is on columns->arena, whose status it returns. */
enum status chunk_late_merge(const struct chunk *c, uint32_t count, const int64_t range_ms[2],
                             struct columns *columns, size_t first);

#endif
