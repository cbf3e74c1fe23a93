/*
 * bits_put - the bits of samples as bytes, bit by bit: what chunks do with words and cells.
 */
#ifndef HEARTH_TESTS_UNIT_ENCODING_BITS_PUT_H
#define HEARTH_TESTS_UNIT_ENCODING_BITS_PUT_H

#include "encoding/bit_stream.h"

/* Put them at bit *at, which moves on; what is there and behind it is zero. */
static inline void bits_put(uint8_t *bytes, uint32_t *at, const struct sample_bits *bits)
{
    for (uint32_t i = 0; i < bits->count; i++, ++*at) {
        uint64_t one = bits->words[i / 64] >> (63 - i % 64) & 1;
        bytes[*at / 8] |= (uint8_t)(one << (7 - *at % 8));
    }
}

#endif
