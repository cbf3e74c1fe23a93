/*
 * varint - LEB128, as protobuf and our files use it: 7 bits a byte, low first, at most 10 bytes.
 */
#ifndef HEARTH_BASE_VARINT_H
#define HEARTH_BASE_VARINT_H

#include <stddef.h>
#include <stdint.h>

enum { VARINT_BYTES_MAX = 10 };

/* Write v at `at`, which has room for VARINT_BYTES_MAX; returns the bytes written. */
static inline size_t varint_encode(uint8_t *at, uint64_t v)
{
    size_t n = 0;
    while (v >= 0x80) {
        at[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    at[n++] = (uint8_t)v;
    return n;
}

/* Read one from [at, end); returns the bytes read, 0 when it is cut or longer than 64 bits. */
static inline size_t varint_decode(const uint8_t *at, const uint8_t *end, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t n = 0; n < VARINT_BYTES_MAX && at + n < end; n++) {
        uint64_t byte = at[n];
        if (n == VARINT_BYTES_MAX - 1 && byte > 1) return 0;
        v |= (byte & 0x7F) << (7 * n);
        if (byte < 0x80) {
            *out = v;
            return n + 1;
        }
    }
    return 0;
}

#endif
