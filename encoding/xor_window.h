/*
 * xor_window - reading doubles that are XORed with the one before ("Gorilla", Pelkonen et al., VLDB
 * 2015, 4.1): of the changed bits only those inside a window are stored.
 *
 *     window:  leading zero bits: 5   meaningful bits: 6 (0 stands for 64)
 *
 * Threads: no state but the caller's.
 */
#ifndef HEARTH_ENCODING_XOR_WINDOW_H
#define HEARTH_ENCODING_XOR_WINDOW_H

#include <stdbool.h>

#include "encoding/bit_stream.h"

/* A new window. False when it is wider than a double. */
static ALWAYS_INLINE bool xor_window_take(struct bit_reader *r, uint8_t *leading, uint8_t *trailing)
{
    uint32_t zeros = (uint32_t)bit_reader_take_short(r, 5);
    uint32_t meaningful = (uint32_t)bit_reader_take_short(r, 6);
    if (meaningful == 0) meaningful = 64;
    if (zeros + meaningful > 64) return false;
    *leading = (uint8_t)zeros;
    *trailing = (uint8_t)(64 - zeros - meaningful);
    return true;
}

/* The value form of open chunks: a bit that says whether there is a new window, and the bits. */
static ALWAYS_INLINE bool xor_value_take(struct bit_reader *r, uint64_t *v_bits, uint8_t *leading,
                                         uint8_t *trailing)
{
    if (bit_reader_take_short(r, 1) && !xor_window_take(r, leading, trailing)) return false;
    uint32_t meaningful = 64u - *leading - *trailing;
    *v_bits ^= bit_reader_take(r, meaningful) << (*trailing & 63);
    return true;
}

#endif
