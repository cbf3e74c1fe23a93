/*
 * chunk - the samples of one series in one window, compressed, growing at the end.
 *
 * The stream is bits, most significant first, in whole 32-bit words: the first 15 in the chunk
 * itself, the others in a chain of 128-byte cells (alloc/cells.h):
 *
 *     | t0: 64 | v0: 64 | sample | sample | ...
 *
 * Exact for every double and every int64 time; encoding/open_codec.h has the bits. There a sample
 * that repeats the step and the value before it is a zero. Cells come zeroed, and only when there
 * is a one to be stored: behind the last one of the stream zeros are implied. So a sample that
 * repeats is counted and nothing else, and a constant is never more than the chunk.
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

#include "alloc/cells.h"
#include "encoding/open_codec.h"
#include "storage/columns.h"
#include "storage/epoch.h"
#include "storage/export.h"
#include "storage/sealed.h"

enum { CHUNK_WORDS = 15 }; /* of the stream, in the chunk itself */

#define CHUNK_BITS_MAX (UINT32_MAX - SAMPLE_BITS_MAX) /* fuller ones take no more */

/* As large as a cell. The first cache line is all that most samples touch. */
struct chunk {
    _Atomic uint64_t published; /* samples << 32 | bits of the stream, zeros at its end included */
    union {
        /* The writer's: of the encoder, after the last sample; state.bits is how far the stream is
         * stored. There are cells for so many bits, and what follows is zeros. */
        struct open_state state;
        struct {
            struct sample last;        /* t_ms and v_bits */
            struct epoch_node retired; /* of a discarded chunk, instead of the mantissa */
        };
    };
    int64_t window;
    _Atomic uint32_t side; /* the cell of the chunk's struct chunk_side; CELL_NONE: there is none */
    uint32_t last_cell;    /* of the stream; CELL_NONE: all of it is here */
    _Atomic uint32_t words[CHUNK_WORDS];
    _Atomic uint32_t next; /* the first cell of the stream */
};

/* What only chunks with a base or late samples have. It is the front of a cell, the first of the
 * late run. */
struct chunk_side {
    uint64_t base;       /* word of a sealed chunk (storage/regions.h); 0: none */
    uint32_t base_count; /* its samples */
    uint32_t base_bytes; /* of its object: known also when that has gone with its region */
    _Atomic uint32_t late_count;
    uint32_t late_last_cell;
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

/* Writer only: it is out of its series, and takes no more samples. */
enum { CHUNK_DISCARDED = OPEN_XOR + 1 }; /* no scale */
static inline void chunk_discard(struct chunk *c)
{
    c->state.scale = CHUNK_DISCARDED;
}
static inline bool chunk_is_discarded(const struct chunk *c)
{
    return c->state.scale == CHUNK_DISCARDED;
}

/* Writer only. t_ms belongs to the chunk's window (the caller has checked). */
MUST_USE enum chunk_outcome chunk_add(struct chunk *c, int64_t t_ms, double v);

/* The same for a time that is not in the stream, and before the end of it: nothing is decoded. */
MUST_USE enum chunk_outcome chunk_add_absent(struct chunk *c, int64_t t_ms, double v);
/* One or the other. */
MUST_USE static inline enum chunk_outcome chunk_add_known(struct chunk *c,
                                                          const struct sample *sample, bool absent)
{
    return (absent ? chunk_add_absent : chunk_add)(c, sample->t_ms, sample->v);
}

/* What a chunk has grown by. */
struct chunk_growth {
    int64_t bytes;      /* chunk_bytes */
    int64_t used_bytes; /* of those that are not chunk_spare_bytes */
};
/* The same for samples that go to the end of the stream, one after the other: how many of them did,
 * until one that is not later than the one before it, or not earlier than end_ms, or for which
 * there is no memory; none when the chunk has a base. Growth is added to. */
MUST_USE size_t chunk_append_run(struct chunk *c, const struct sample *samples, size_t count,
                                 int64_t end_ms, struct chunk_growth *growth);

/* Whether a sample of this time may be in the stream, and only decoding would tell. Writer only. */
bool chunk_may_have(const struct chunk *c, int64_t t_ms);

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

/* How much there is of a chunk at one moment. */
struct chunk_extent {
    uint64_t published; /* chunk.published */
    uint32_t late;      /* samples of the late run */
};
/* chunk_read of as much as there was then. */
MUST_USE enum status chunk_read_until(const struct chunk *c, struct chunk_extent extent,
                                      int64_t t_min_ms, int64_t t_max_ms, struct columns *columns,
                                      struct error *err);

/* The last sample, the newest there is: late ones are older. false when the writer is just at it,
 * or there is no stream; then chunk_read tells. */
static inline bool chunk_last(const struct chunk *c, struct sample *last)
{
    uint64_t published = atomic_load_explicit(&c->published, memory_order_acquire);
    uint64_t v_bits;
    if (published >> 32 == 0) return false;
    bool whole = open_last(&c->state, (uint32_t)published, &last->t_ms, &v_bits);
    last->v = bits_to_double(v_bits);
    return whole;
}

/* Samples readable now, late ones included. */
uint32_t chunk_sample_count(const struct chunk *c);
/* Those in the late run. */
uint32_t chunk_late_count(const struct chunk *c);
/* The chunk and its cells; a base apart. Writer only. */
uint64_t chunk_bytes(const struct chunk *c);
/* Bytes of the base; 0: none. */
uint64_t chunk_base_bytes(const struct chunk *c);
/* Of chunk_bytes, those that could be samples: the rest of the last cells, and the links. Writer
 * only. */
uint64_t chunk_spare_bytes(const struct chunk *c);

/* Ask for the memory that chunk_add will look at: the chunk, and once that has come the end of its
 * stream if the next sample is likely to be stored there. Writer only. */
void chunk_prefetch(const struct chunk *c);
void chunk_prefetch_end(const struct chunk *c);

/* The side of a chunk; NULL when there is none. */
static inline struct chunk_side *chunk_side(const struct chunk *c)
{
    uint32_t cell = atomic_load_explicit(&c->side, memory_order_acquire);
    return cell == CELL_NONE ? NULL : (struct chunk_side *)(void *)cells_at(cell);
}

/* Neither base nor late run. */
static inline bool chunk_is_plain(const struct chunk *c)
{
    return atomic_load_explicit(&c->side, memory_order_relaxed) == CELL_NONE;
}

static inline struct chunk_extent chunk_extent_now(const struct chunk *c)
{
    return (struct chunk_extent){.published =
                                     atomic_load_explicit(&c->published, memory_order_acquire),
                                 .late = chunk_is_plain(c) ? 0 : chunk_late_count(c)};
}

/* The word of the sealed chunk below; 0: none. */
static inline uint64_t chunk_base(const struct chunk *c)
{
    const struct chunk_side *side = chunk_side(c);
    return side ? side->base : 0;
}

/* Where a stream ends, and what its encoder knows there. */
struct chunk_end {
    uint32_t count;
    uint32_t bits;
    struct open_state state;
};
/* The same of a chunk that is nothing but a stream; false for others. Needs the writer's lock, in
 * either mode. */
bool chunk_read_end(const struct chunk *c, struct chunk_end *end);

/* The published stream with the late run merged in, as contiguous bytes on the arena: fills
 * encoding, sample_count, size, bytes, t_first_ms, t_last_ms and window; labels are the caller's. A
 * chunk without samples gives sample_count 0. With an end that was read before (else NULL) it is
 * the stream up to there, which then need not be decoded. */
MUST_USE enum status chunk_export(const struct chunk *c, const struct chunk_end *end,
                                  struct arena *a, struct chunk_image *image, struct error *err);

/* A chunk from an image of CHUNK_OPEN, all of it checked: encoding, counts, order, state, times
 * within [t_min_ms, t_max_ms] (the window); without a look at the bytes when they are verified.
 * Even if that was a lie, nothing worse comes of it than readers that find other samples, or a
 * stream that does not decode. Statuses as importer_put. */
MUST_USE enum status chunk_import(const struct chunk_image *image, int64_t t_min_ms,
                                  int64_t t_max_ms, struct chunk **out, struct error *err);

/* Abort on a broken invariant; needs the writer's lock. */
void chunk_check(const struct chunk *c);

#endif
