/*
 * bit_stream - bits most significant first: those of one sample going out, and a stream coming in.
 *
 * A sample's bits are collected before any of them is stored, so that a sample is in the stream as
 * a whole or not at all. Reading never goes past the end: behind it are zeros, and the reader's
 * position tells.
 *
 * Threads: no state but the caller's.
 */
#ifndef HEARTH_ENCODING_BIT_STREAM_H
#define HEARTH_ENCODING_BIT_STREAM_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/compiler.h"

/* The bits of one sample, left-aligned at the front of `words`. */
enum { SAMPLE_BITS_MAX = 160, SAMPLE_BITS_WORDS = 3 };
struct sample_bits {
    uint64_t words[SAMPLE_BITS_WORDS]; /* most significant bit of words[0] is first; rest zero */
    uint32_t count;
};

/* Add the low `count` bits of v; those above may be anything. */
static inline void sample_bits_put(struct sample_bits *out, uint64_t v, uint32_t count)
{
    DEBUG_ASSERT(count <= 64 && out->count + count <= SAMPLE_BITS_MAX);
    if (count == 0) return;
    if (count < 64) v &= (UINT64_C(1) << count) - 1;
    uint32_t word = out->count / 64;
    uint32_t room = 64 - out->count % 64;
    if (count <= room) {
        out->words[word] |= v << (room - count);
    } else {
        out->words[word] |= v >> (count - room);
        out->words[word + 1] |= v << (64 - (count - room));
    }
    out->count += count;
}

struct bit_reader {
    const uint8_t *bytes;
    uint64_t size_bits; /* a multiple of 8 */
    uint64_t position;  /* of the next bit; beyond size_bits when more was taken than there is */
};

enum { BIT_READER_PEEK_BITS = 57 };

/* The next 57 bits or more, left-aligned. */
static ALWAYS_INLINE uint64_t bit_reader_peek(const struct bit_reader *r)
{
    uint64_t word = 0;
    uint64_t byte = r->position / 8;
    uint64_t size = r->size_bits / 8;
    if (LIKELY(byte + sizeof(word) <= size))
        memcpy(&word, r->bytes + byte, sizeof(word));
    else if (byte < size)
        memcpy(&word, r->bytes + byte, size - byte);
    return be64toh(word) << (r->position % 8);
}

/* count is 1 to 57. */
static ALWAYS_INLINE uint64_t bit_reader_take_short(struct bit_reader *r, uint32_t count)
{
    uint64_t value = bit_reader_peek(r) >> (64 - count);
    r->position += count;
    return value;
}

/* count is 0 to 64. */
static ALWAYS_INLINE uint64_t bit_reader_take(struct bit_reader *r, uint32_t count)
{
    if (count == 0) return 0;
    if (LIKELY(count <= BIT_READER_PEEK_BITS)) return bit_reader_take_short(r, count);
    uint64_t high = bit_reader_take_short(r, count - 32);
    return high << 32 | bit_reader_take_short(r, 32);
}

#endif
