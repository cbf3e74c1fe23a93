/*
 * block - integers by the dozen: what decoding spends its time on, in scalar code and in AVX2.
 *
 *     bytes --unpack--> residuals --line, sums--> integers --decimals--> doubles
 *                                 `------------ finish ------------'
 *           `-------------------------- decode -------------------'
 *
 * A block of width w is 64 numbers of w bits, least significant bit first, one behind the other:
 * 8 * w bytes. Both implementations give the same bits for any input.
 *
 * Threads: no state; the choice is made once, by what the CPU can do.
 */
#ifndef HEARTH_ENCODING_BLOCK_H
#define HEARTH_ENCODING_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BLOCK_COUNT = 64,
    BLOCK_SLACK_BYTES = 16, /* unpack may read so far behind the block's bytes */
    BLOCK_BYTES_MAX = 8 * BLOCK_COUNT + BLOCK_SLACK_BYTES
};

enum { BLOCK_INTEGERS = UINT8_MAX };

/* What residuals r become. Arithmetic wraps.
 *
 *     order 0:  x[i] = factor * r[i] + bias
 *     order 1:  x[i] = sums[0] += factor * r[i] + bias
 *     order 2:  x[i] = sums[0] += sums[1] += factor * r[i] + bias
 */
struct block_form {
    uint64_t factor;
    uint64_t bias;
    uint64_t sums[2]; /* of all blocks before; they go on */
    uint8_t order;
    uint8_t scale; /* not BLOCK_INTEGERS: x are mantissas, and become doubles as by `decimals` */
};

struct block_kernels {
    const char *name;
    /* width is 0 to 64; 8 * width + BLOCK_SLACK_BYTES are readable. */
    void (*unpack)(const uint8_t *from, uint32_t width, uint64_t out[BLOCK_COUNT]);
    /* In place. */
    void (*finish)(struct block_form *form, uint64_t x[BLOCK_COUNT]);
    /* Both at once, which is faster: nothing goes through memory. */
    void (*decode)(struct block_form *form, const uint8_t *from, uint32_t width,
                   uint64_t out[BLOCK_COUNT]);
    /* x[i] += first + step * i; returns whether they strictly increase, as signed numbers. */
    bool (*grid)(uint64_t *x, size_t count, uint64_t first, uint64_t step);
    void (*fill)(uint64_t *x, size_t count, uint64_t v);
    /* In place: the mantissa m becomes the bits of the double decimal_value(scale, m)
     * (encoding/decimal.h). What mantissas out of range become is not defined, but the same. */
    void (*decimals)(uint64_t *x, size_t count, uint32_t scale);
};

/* The best of this CPU, unless another one was chosen. */
const struct block_kernels *block_kernels(void);
/* For tests and measurements: these from now on; NULL: the best again. */
void block_choose(const struct block_kernels *kernels);

extern const struct block_kernels block_scalar;
/* NULL when the CPU has none. */
const struct block_kernels *block_avx2(void);

#endif
