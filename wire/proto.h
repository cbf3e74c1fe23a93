/*
 * proto - the fields of a protobuf message, one after the other, where they lie.
 *
 *     struct proto_reader r = proto_reader_of(message);
 *     while ((step = proto_next(&r, &field)) == PROTO_FIELD) { ... }
 *
 * For the messages that come by the thousand; it takes exactly the bytes that protobuf-c takes
 * (https://protobuf.dev/programming-guides/encoding/): tags and lengths of up to 5 bytes, varints
 * of up to 10 whose upper bits are dropped, no groups. Field number 0 is not legal.
 *
 * Pure: never reads outside of the message, allocates nothing.
 */
#ifndef HEARTH_WIRE_PROTO_H
#define HEARTH_WIRE_PROTO_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/endian.h"
#include "base/str.h"

enum { PROTO_TAG_BYTES_MAX = 5, PROTO_VARINT_BYTES_MAX = 10 };

/* Values as on the wire. */
enum proto_type { PROTO_VARINT = 0, PROTO_FIXED64 = 1, PROTO_BYTES = 2, PROTO_FIXED32 = 5 };

enum proto_step { PROTO_END, PROTO_FIELD, PROTO_BROKEN };

struct proto_reader {
    const uint8_t *at;
    const uint8_t *end;
};

struct proto_field {
    uint32_t number;
    enum proto_type type;
    uint64_t value;   /* of a number */
    struct str bytes; /* of PROTO_BYTES: a view of the message */
};

static inline struct proto_reader proto_reader_of(struct str message)
{
    const uint8_t *start = (const uint8_t *)message.data;
    return (struct proto_reader){.at = start, .end = start + message.size};
}

/* A varint of at most bytes_max bytes; false when it is cut or longer. */
static inline bool proto_varint(struct proto_reader *r, size_t bytes_max, uint64_t *out)
{
    uint64_t v = 0;
    size_t room = (size_t)(r->end - r->at);
    if (room > bytes_max) room = bytes_max;
    for (size_t n = 0; n < room; n++) {
        v |= (uint64_t)(r->at[n] & 0x7F) << (7 * n);
        if (r->at[n] < 0x80) {
            r->at += n + 1;
            *out = v;
            return true;
        }
    }
    return false;
}

/* Most tags and lengths are one byte long, those of series two. */
static inline bool proto_short(struct proto_reader *r, uint64_t *out)
{
    if (LIKELY(r->at < r->end && *r->at < 0x80)) {
        *out = *r->at++;
        return true;
    }
    if (LIKELY(r->end - r->at >= 2 && r->at[1] < 0x80)) {
        *out = (uint64_t)r->at[1] << 7 | (r->at[0] & 0x7F);
        r->at += 2;
        return true;
    }
    return proto_varint(r, PROTO_TAG_BYTES_MAX, out);
}

static inline bool proto_bytes(struct proto_reader *r, struct str *out)
{
    uint64_t size;
    if (!proto_short(r, &size) || size > INT_MAX || size > (uint64_t)(r->end - r->at)) return false;
    *out = (struct str){.data = (const char *)r->at, .size = (size_t)size};
    r->at += size;
    return true;
}

/* The next field. After PROTO_BROKEN the reader is of no more use. */
static inline enum proto_step proto_next(struct proto_reader *r, struct proto_field *field)
{
    uint64_t tag;
    if (r->at == r->end) return PROTO_END;
    if (!proto_short(r, &tag) || tag >> 3 == 0) return PROTO_BROKEN;
    field->number = (uint32_t)(tag >> 3);
    field->type = (enum proto_type)(tag & 7);
    size_t room = (size_t)(r->end - r->at);
    switch (field->type) {
    case PROTO_VARINT:
        return proto_varint(r, PROTO_VARINT_BYTES_MAX, &field->value) ? PROTO_FIELD : PROTO_BROKEN;
    case PROTO_BYTES: return proto_bytes(r, &field->bytes) ? PROTO_FIELD : PROTO_BROKEN;
    case PROTO_FIXED64:
        if (room < 8) return PROTO_BROKEN;
        field->value = get_le64(r->at);
        r->at += 8;
        return PROTO_FIELD;
    case PROTO_FIXED32:
        if (room < 4) return PROTO_BROKEN;
        field->value = get_le32(r->at);
        r->at += 4;
        return PROTO_FIELD;
    }
    return PROTO_BROKEN; /* a group, or nothing known */
}

#endif
