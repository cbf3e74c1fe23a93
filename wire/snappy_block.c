/*
 * snappy_block - a quick loop for the elements that nearly all are, and one that takes any.
 *
 * The quick loop moves 64 bytes for every copy, however short it is: a branch on the length would
 * often be predicted wrongly, and moves are cheap.
 */
#include "wire/snappy_block.h"

#include <string.h>

#include "base/endian.h"

enum {
    MOVE_BYTES = 16,
    COPY_BYTES = 64,            /* copies are no longer, and few literals */
    LITERAL_LONG = 60,          /* longer ones have their length behind the tag */
    NEED_BYTES = 5 + COPY_BYTES /* of an element that is not looked at twice */
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

/* From at least COPY_BYTES back, or from elsewhere. */
static ALWAYS_INLINE void move_all(uint8_t *to, const uint8_t *from)
{
    for (size_t i = 0; i < COPY_BYTES; i += MOVE_BYTES)
        move(to + i, from + i);
}

/* From at least MOVE_BYTES back: each move may read what the one before it has just written, and
 * waits for that, so there are no more of them than needed. */
static ALWAYS_INLINE void move_near(uint8_t *to, const uint8_t *from, size_t size)
{
    for (size_t i = 0; i < size; i += MOVE_BYTES)
        move(to + i, from + i);
}

/* Elements as long as they are short literals and copies from MOVE_BYTES back or more, and not near
 * an end. */
static ALWAYS_INLINE void take_quickly(struct decoder *d)
{
    const uint8_t *at = d->at;
    uint8_t *out = d->out;
    uint8_t *const out_first = d->out_first; /* here, since what is written might be *d */
    if (d->end - at < NEED_BYTES || d->out_end - out < COPY_BYTES) return;
    const uint8_t *const at_last = d->end - NEED_BYTES;
    const uint8_t *const out_last = d->out_end - COPY_BYTES;
    while (at <= at_last && out <= out_last) {
        size_t tag = *at;
        size_t count = (tag >> 2) + 1;
        const uint8_t *next = at + 1;
        enum kind kind = (enum kind)(tag & 3);
        size_t back;
        if (kind == KIND_LITERAL) {
            if (UNLIKELY(count > LITERAL_LONG)) break;
            move(out, next);
            if (UNLIKELY(count > MOVE_BYTES)) move_all(out, next);
            at = next + count;
            out += count;
            continue;
        }
        if (kind == KIND_COPY) {
            back = get_le16(next);
            next += 2;
        } else if (kind == KIND_COPY_NEAR) {
            count = (tag >> 2 & 7) + 4;
            back = (tag >> 5) << 8 | *next++;
        } else {
            back = get_le32(next);
            next += 4;
        }
        if (UNLIKELY(back < MOVE_BYTES || back > (size_t)(out - out_first))) break;
        if (LIKELY(back >= COPY_BYTES))
            move_all(out, out - back);
        else
            move_near(out, out - back, count);
        at = next;
        out += count;
    }
    d->at = at;
    d->out = out;
}

/* The bytes of a literal. */
static bool take_literal(struct decoder *d, size_t size)
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

/* A copy may be of bytes that it makes itself. */
static bool take_copy(struct decoder *d, size_t count, size_t distance_bytes, size_t distance_high)
{
    size_t back = distance_high;
    if (distance_bytes > (size_t)(d->end - d->at)) return false;
    for (size_t i = 0; i < distance_bytes; i++)
        back |= (size_t)*d->at++ << (8 * i);
    if (back == 0 || back > (size_t)(d->out - d->out_first)) return false;
    if (count > (size_t)(d->out_end - d->out)) return false;
    for (size_t i = 0; i < count; i++)
        d->out[i] = (d->out - back)[i];
    d->out += count;
    return true;
}

/* One element, whatever it is. */
static NO_INLINE bool take_any(struct decoder *d)
{
    size_t tag = *d->at++;
    size_t count = (tag >> 2) + 1;
    switch ((enum kind)(tag & 3)) {
    case KIND_LITERAL: return take_literal(d, count);
    case KIND_COPY: return take_copy(d, count, 2, 0);
    case KIND_COPY_NEAR: return take_copy(d, (tag >> 2 & 7) + 4, 1, (tag >> 5) << 8);
    default: return take_copy(d, count, 4, 0);
    }
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
        take_quickly(&d);
        if (d.at < d.end && !take_any(&d)) return false;
    }
    return d.out == d.out_end;
}
