/* block - in scalar code, for any CPU; the choice. */
#include "encoding/block.h"

#include <stdatomic.h>

#include "base/compiler.h"
#include "base/endian.h"
#include "encoding/decimal.h"

enum { ONE_WORD_BITS = 57 /* so many are in 8 bytes wherever they start in the first */ };

static void unpack(const uint8_t *from, uint32_t width, uint64_t out[BLOCK_COUNT])
{
    const uint64_t mask = width < 64 ? (UINT64_C(1) << width) - 1 : UINT64_MAX;
    if (width == 0) {
        memset(out, 0, BLOCK_COUNT * sizeof(*out));
        return;
    }
    for (uint32_t i = 0, bit = 0; i < BLOCK_COUNT; i++, bit += width)
        out[i] = get_le64(from + bit / 8) >> (bit % 8) & mask;
    if (width <= ONE_WORD_BITS) return;
    for (uint32_t i = 0, bit = 0; i < BLOCK_COUNT; i++, bit += width) {
        uint64_t above = (uint64_t)from[bit / 8 + 8] << 8;
        out[i] = (out[i] | above << (56 - bit % 8)) & mask;
    }
}

static bool grid(uint64_t *x, size_t count, uint64_t first, uint64_t step)
{
    bool disorder = false;
    for (size_t i = 0; i < count; i++, first += step)
        x[i] += first;
    for (size_t i = 1; i < count; i++)
        disorder |= (int64_t)x[i] <= (int64_t)x[i - 1];
    return !disorder;
}

static void fill(uint64_t *x, size_t count, uint64_t v)
{
    for (size_t i = 0; i < count; i++)
        x[i] = v;
}

static void divided(uint64_t *x, size_t count, double divisor)
{
    for (size_t i = 0; i < count; i++)
        x[i] = bits_from_double(decimal_from_int((int64_t)x[i]) / divisor);
}

static void integers(uint64_t *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = bits_from_double(decimal_from_int((int64_t)x[i]));
}

static void decimals(uint64_t *x, size_t count, uint32_t scale)
{
    const struct decimal_scale *s = decimal_scale(scale);
    if (scale == 0) {
        integers(x, count);
    } else if (scale <= DECIMAL_EXPONENT_MAX) {
        divided(x, count, s->divide);
    } else {
        for (size_t i = 0; i < count; i++)
            x[i] = bits_from_double(decimal_value(s, (int64_t)x[i]));
    }
}

static void sum(uint64_t x[BLOCK_COUNT], uint64_t *carry)
{
    uint64_t total = *carry;
    for (uint32_t i = 0; i < BLOCK_COUNT; i++)
        x[i] = total += x[i];
    *carry = total;
}

static void finish(struct block_form *form, uint64_t x[BLOCK_COUNT])
{
    for (uint32_t i = 0; i < BLOCK_COUNT; i++)
        x[i] = form->factor * x[i] + form->bias;
    if (form->order == 2) sum(x, &form->sums[1]);
    if (form->order > 0) sum(x, &form->sums[0]);
    if (form->scale != BLOCK_INTEGERS) decimals(x, BLOCK_COUNT, form->scale);
}

static void decode(struct block_form *form, const uint8_t *from, uint32_t width,
                   uint64_t out[BLOCK_COUNT])
{
    unpack(from, width, out);
    finish(form, out);
}

const struct block_kernels block_scalar = {
    .name = "scalar",
    .unpack = unpack,
    .finish = finish,
    .decode = decode,
    .grid = grid,
    .fill = fill,
    .decimals = decimals,
};

static const struct block_kernels *_Atomic chosen;

const struct block_kernels *block_kernels(void)
{
    const struct block_kernels *k = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (LIKELY(k != NULL)) return k;
    block_choose(NULL);
    return atomic_load_explicit(&chosen, memory_order_relaxed);
}

void block_choose(const struct block_kernels *kernels)
{
    const struct block_kernels *avx2 = block_avx2();
    if (!kernels) kernels = avx2 ? avx2 : &block_scalar;
    atomic_store_explicit(&chosen, kernels, memory_order_relaxed);
}
