/*
 * avx512 - what the kernels that go in lock step have in common (open_lanes, open_runs).
 */
#ifndef HEARTH_ENCODING_AVX512_H
#define HEARTH_ENCODING_AVX512_H

#include "base/compiler.h"

#if defined(__x86_64__)
#    include <immintrin.h>

enum { AVX512_WORDS = 8 }; /* of 64 bits, in a register */

/* Rows become columns: two, four and eight rows are joined. */
__attribute__((target("avx512f"))) static ALWAYS_INLINE void
avx512_transpose(__m512i rows[AVX512_WORDS])
{
    __m512i a[AVX512_WORDS];
    __m512i b[AVX512_WORDS];
    for (uint32_t i = 0; i < AVX512_WORDS; i += 2) {
        a[i] = _mm512_unpacklo_epi64(rows[i], rows[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi64(rows[i], rows[i + 1]);
    }
    for (uint32_t i = 0; i < AVX512_WORDS; i += 4) {
        for (uint32_t k = 0; k < 2; k++) {
            b[i + k] = _mm512_shuffle_i64x2(a[i + k], a[i + k + 2], 0x88);
            b[i + k + 2] = _mm512_shuffle_i64x2(a[i + k], a[i + k + 2], 0xDD);
        }
    }
    for (uint32_t k = 0; k < 4; k++) {
        rows[k] = _mm512_shuffle_i64x2(b[k], b[k + 4], 0x88);
        rows[k + 4] = _mm512_shuffle_i64x2(b[k], b[k + 4], 0xDD);
    }
}

#endif
#endif
