/*
 * ints - a column of 64-bit integers, compressed: mantissas, times, positions, bit patterns.
 *
 *     | form: 8 | first | [factor] | [slope] | [bias] | blocks or varints |     numbers are varints
 *
 * The column is first + factor * x, with x[0] = 0 and the factor common to all. What is stored of x
 * depends on the order:
 *
 *     0: x itself     1: its differences     2: the differences of those, from `slope` on
 *
 * less the bias, in blocks of 64 of a width of their own (patched frame of reference: Zukowski et
 * al., "Super-Scalar RAM-CPU Cache Compression", ICDE 2006). What does not fit the width of its
 * block is patched: position in the block and the bits above.
 *
 *     block:  | patched: 1, width: 7 | [patches: 8 | patch width: 8] | numbers | [patches] |
 *     patch:  | position: 6, the bits above the width |
 *
 * Short columns are zigzag varints of the differences instead. Arithmetic wraps, so that every
 * column survives.
 *
 * Threads: no state but the caller's.
 */
#ifndef HEARTH_ENCODING_INTS_H
#define HEARTH_ENCODING_INTS_H

#include "alloc/buf.h"
#include "base/compiler.h"
#include "encoding/block.h"

/* Append the column to a buffer. count > 0; residuals is scratch of count, x is used up. Needs
 * buf_status at the end. */
void ints_encode(uint64_t *x, uint32_t count, uint64_t *residuals, struct buf *out);

/* Reading a column block by block. The fields are the reader's. */
struct ints_reader {
    const struct block_kernels *kernels;
    const uint8_t *at; /* behind the column when left is 0 */
    const uint8_t *end;
    uint64_t first;
    struct block_form form; /* its sums start at the first number and the slope */
    uint32_t left;          /* numbers not read yet, the first one not counted */
    uint32_t step_bits;     /* residuals of so many bits, or fewer, make steps that do not fall */
    bool varints;
    bool ascends; /* so far: by their widths alone, numbers of less than 62 bits do not fall */
};

/* Start to read a column of count (> 0) numbers; the first one is in `first`. false: the bytes are
 * no column. */
MUST_USE bool ints_open(struct ints_reader *r, const uint8_t *at, const uint8_t *end,
                        uint32_t count);

/* The next numbers: 64 and in the last block as many as are left, then 0. *count is written to out,
 * which has room for 64. false: the bytes are no column. */
MUST_USE bool ints_next(struct ints_reader *r, uint64_t out[BLOCK_COUNT], uint32_t *count);

/* Read a whole column of count (> 0) numbers into out[count]; *at moves behind it. Their scale:
 * BLOCK_INTEGERS, or what makes them doubles, as in block_form. *ascends, unless NULL: as in
 * ints_reader. false: the bytes are no column. */
MUST_USE bool ints_decode(const uint8_t **at, const uint8_t *end, uint64_t *out, uint32_t count,
                          uint8_t scale, bool *ascends);

#endif
