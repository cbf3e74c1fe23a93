/* snappy_block - one loop over the elements; how often which kind comes decides their order. */
#include "wire/snappy_block.h"

#include <string.h>

#include "base/endian.h"

enum {
    MOVE_BYTES = 16,
    MOVES_2_BYTES = 32,
    MOVES_3_BYTES = 48,
    MOVES_4_BYTES = 64, /* copies are no longer, and few literals */
    LITERAL_LONG = 60   /* longer ones have their length behind the tag */
};

enum kind { KIND_LITERAL, KIND_COPY_NEAR, KIND_COPY, KIND_COPY_FAR };

struct decoder {
    const uint8_t *at;
    const uint8_t *end;
    uint8_t *out_first;
    uint8_t *out; /* the next byte */
    uint8_t *out_end;
};

static ALWAYS_INLINE void move(uint8_t *to, const uint8_t *from)
{
    memcpy(to, from, MOVE_BYTES);
}

/* Up to four moves, from at least MOVE_BYTES back or from elsewhere. */
static ALWAYS_INLINE void move_short(uint8_t *to, const uint8_t *from, size_t size)
{
    move(to, from);
    if (size <= MOVE_BYTES) return;
    move(to + MOVE_BYTES, from + MOVE_BYTES);
    if (size <= MOVES_2_BYTES) return;
    move(to + MOVES_2_BYTES, from + MOVES_2_BYTES);
    move(to + MOVES_3_BYTES, from + MOVES_3_BYTES);
}

/* A literal whose length stands behind its tag, or one near an end. */
static NO_INLINE bool take_literal(struct decoder *d, size_t size)
{
    if (size > LITERAL_LONG) {
        size_t bytes = size - LITERAL_LONG;
        if (bytes > (size_t)(d->end - d->at)) return false;
        size = 0;
        for (size_t i = 0; i < bytes; i++)
            size |= (size_t)d->at[i] << (8 * i);
        size++;
        d->at += bytes;
    }
    if (size > (size_t)(d->end - d->at) || size > (size_t)(d->out_end - d->out)) return false;
    if (size) memcpy(d->out, d->at, size);
    d->at += size;
    d->out += size;
    return true;
}

/* A copy of bytes that it makes itself. */
static NO_INLINE void repeat(uint8_t *to, size_t back, size_t size)
{
    const uint8_t *from = to - back;
    for (size_t i = 0; i < size; i++)
        to[i] = from[i];
}

bool snappy_block_decode(struct str elements, uint8_t *out, size_t size)
{
    const uint8_t *start = (const uint8_t *)elements.data;
    struct decoder d = {.at = start,
                        .end = start + elements.size,
                        .out_first = out,
                        .out = out,
                        .out_end = out + size};
    while (d.at < d.end) {
        size_t tag = *d.at++;
        size_t left = (size_t)(d.end - d.at);
        size_t room = (size_t)(d.out_end - d.out);
        size_t count = (tag >> 2) + 1;
        size_t back;
        switch ((enum kind)(tag & 3)) {
        case KIND_LITERAL:
            if (LIKELY(count <= LITERAL_LONG && left >= MOVES_4_BYTES && count <= room)) {
                move_short(d.out, d.at, count);
                d.at += count;
                d.out += count;
            } else if (!take_literal(&d, count)) {
                return false;
            }
            continue;
        case KIND_COPY:
            if (left < 2) return false;
            back = get_le16(d.at);
            d.at += 2;
            break;
        case KIND_COPY_NEAR:
            if (left < 1) return false;
            count = (tag >> 2 & 7) + 4;
            back = (tag >> 5) << 8 | *d.at++;
            break;
        default: /* KIND_COPY_FAR */
            if (left < 4) return false;
            back = get_le32(d.at);
            d.at += 4;
        }
        if (back == 0 || back > (size_t)(d.out - d.out_first) || count > room) return false;
        if (LIKELY(back >= MOVE_BYTES))
            move_short(d.out, d.out - back, count);
        else
            repeat(d.out, back, count);
        d.out += count;
    }
    return d.out == d.out_end;
}
