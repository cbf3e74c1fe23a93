/*
 * block - with AVX2, four numbers at a time.
 *
 * Eight numbers of w bits are w whole bytes, so where the bytes of a number lie is the same in each
 * of the eight groups of a block: a shuffle brings the bytes of two numbers from one load of 16
 * into the two halves of a lane, a shift by the odd bits and a mask do the rest.
 */
#include "encoding/block.h"

#if defined(__x86_64__)
#    include <immintrin.h>

#    include "encoding/decimal.h"

#    define AVX2 __attribute__((target("avx2")))

enum { SHUFFLE_BITS_MAX = 57, GROUP = 8, QUAD = 4 };

/* How to get four numbers of a group. */
struct quad {
    uint32_t low;  /* byte where the first two start */
    uint32_t high; /* and the last two */
    __m256i shuffle;
    __m256i shift;
};

/* Eight bytes that start `offset` bytes in. */
static uint64_t bytes_from(uint32_t offset)
{
    return UINT64_C(0x0706050403020100) + offset * UINT64_C(0x0101010101010101);
}

static AVX2 struct quad quad_for(uint32_t width, uint32_t first)
{
    uint32_t bit[QUAD];
    for (uint32_t i = 0; i < QUAD; i++)
        bit[i] = (first + i) * width;
    return (struct quad){
        .low = bit[0] / 8,
        .high = bit[2] / 8,
        .shuffle = _mm256_set_epi64x(
            (long long)bytes_from(bit[3] / 8 - bit[2] / 8), (long long)bytes_from(0),
            (long long)bytes_from(bit[1] / 8 - bit[0] / 8), (long long)bytes_from(0)),
        .shift = _mm256_set_epi64x(bit[3] % 8, bit[2] % 8, bit[1] % 8, bit[0] % 8),
    };
}

static AVX2 __m256i load_quad(const uint8_t *group, const struct quad *q, __m256i mask)
{
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)(group + q->low));
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(group + q->high));
    __m256i bytes = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    bytes = _mm256_shuffle_epi8(bytes, q->shuffle);
    return _mm256_and_si256(_mm256_srlv_epi64(bytes, q->shift), mask);
}

static AVX2 void store(uint64_t *at, __m256i v)
{
    _mm256_storeu_si256((__m256i *)(void *)at, v);
}

static AVX2 __m256i load(const uint64_t *at)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

static AVX2 void unpack(const uint8_t *from, uint32_t width, uint64_t out[BLOCK_COUNT])
{
    if (width > SHUFFLE_BITS_MAX) {
        block_scalar.unpack(from, width, out);
        return;
    }
    const __m256i mask = _mm256_set1_epi64x((long long)((UINT64_C(1) << width) - 1));
    const struct quad front = quad_for(width, 0);
    const struct quad back = quad_for(width, QUAD);
    for (uint32_t i = 0; i < BLOCK_COUNT; i += GROUP, from += width) {
        store(out + i, load_quad(from, &front, mask));
        store(out + i + QUAD, load_quad(from, &back, mask));
    }
}

/* Sums of four within the vector take two steps; the carry of the last vector is one addition. */
static AVX2 void sum(uint64_t x[BLOCK_COUNT], uint64_t bias, uint64_t *carry)
{
    const __m256i biases = _mm256_set1_epi64x((long long)bias);
    const __m256i zero = _mm256_setzero_si256();
    __m256i total = _mm256_set1_epi64x((long long)*carry);
    for (uint32_t i = 0; i < BLOCK_COUNT; i += QUAD) {
        __m256i v = _mm256_add_epi64(load(x + i), biases);
        v = _mm256_add_epi64(v, _mm256_slli_si256(v, 8));
        __m256i low = _mm256_blend_epi32(zero, _mm256_permute4x64_epi64(v, 0x50), 0xF0);
        v = _mm256_add_epi64(v, low);
        store(x + i, _mm256_add_epi64(v, total));
        total = _mm256_add_epi64(total, _mm256_permute4x64_epi64(v, 0xFF));
    }
    *carry = (uint64_t)_mm256_extract_epi64(total, 0);
}

static AVX2 void line(uint64_t x[BLOCK_COUNT], uint64_t first, uint64_t factor)
{
    const __m256i firsts = _mm256_set1_epi64x((long long)first);
    const __m256i low = _mm256_set1_epi64x((long long)factor);
    const __m256i high = _mm256_set1_epi64x((long long)(factor >> 32));
    if (factor == 1) {
        for (uint32_t i = 0; i < BLOCK_COUNT; i += QUAD)
            store(x + i, _mm256_add_epi64(firsts, load(x + i)));
        return;
    }
    for (uint32_t i = 0; i < BLOCK_COUNT; i += QUAD) {
        __m256i v = load(x + i);
        __m256i cross = _mm256_add_epi64(_mm256_mul_epu32(v, high),
                                         _mm256_mul_epu32(_mm256_srli_epi64(v, 32), low));
        v = _mm256_add_epi64(_mm256_mul_epu32(v, low), _mm256_slli_epi64(cross, 32));
        store(x + i, _mm256_add_epi64(firsts, v));
    }
}

/* Each vector is compared with itself moved up by one, and the last of the vector before moved in:
 * a load of what was just stored would wait for both stores to arrive. */
static AVX2 bool grid(uint64_t *x, size_t count, uint64_t first, uint64_t step)
{
    const uint64_t ramp[QUAD] = {first, first + step, first + 2 * step, first + 3 * step};
    const uint64_t four_steps = QUAD * step;
    const __m256i stride = _mm256_set1_epi64x((long long)four_steps);
    __m256i at = load(ramp);
    __m256i before = _mm256_set1_epi64x(INT64_MIN); /* its first is the last of the vector before */
    __m256i order = _mm256_set1_epi64x(-1);
    bool ordered = true;
    size_t i = 0;
    for (; i + QUAD <= count; i += QUAD) {
        __m256i v = _mm256_add_epi64(load(x + i), at);
        __m256i moved = _mm256_permute4x64_epi64(v, 0x93);
        store(x + i, v);
        __m256i greater = _mm256_cmpgt_epi64(v, _mm256_blend_epi32(moved, before, 0x03));
        if (i == 0) greater = _mm256_blend_epi32(greater, order, 0x03); /* nothing is before it */
        order = _mm256_and_si256(order, greater);
        before = moved;
        at = _mm256_add_epi64(at, stride);
    }
    for (; i < count; i++) {
        x[i] += first + i * step;
        if (i > 0) ordered &= (int64_t)x[i] > (int64_t)x[i - 1];
    }
    return ordered && _mm256_movemask_epi8(order) == -1;
}

static AVX2 void fill(uint64_t *x, size_t count, uint64_t v)
{
    const __m256i values = _mm256_set1_epi64x((long long)v);
    size_t i = 0;
    for (; i + QUAD <= count; i += QUAD)
        store(x + i, values);
    for (; i < count; i++)
        x[i] = v;
}

static AVX2 __m256d from_ints(__m256i m)
{
    const __m256d magic = _mm256_set1_pd(DECIMAL_MAGIC);
    return _mm256_sub_pd(_mm256_castsi256_pd(_mm256_add_epi64(m, _mm256_castpd_si256(magic))),
                         magic);
}

static AVX2 void decimals(uint64_t *x, size_t count, uint32_t scale)
{
    const struct decimal_scale *s = decimal_scale(scale);
    const __m256d divide = _mm256_set1_pd(s->divide);
    const __m256d again = _mm256_set1_pd(s->divide_again);
    const __m256d multiply = _mm256_set1_pd(s->multiply);
    const bool divides = s->divide != 1;
    const bool divides_again = s->divide_again != 1;
    size_t i = 0;
    for (; i + QUAD <= count; i += QUAD) {
        __m256d v = from_ints(load(x + i));
        if (divides) v = _mm256_div_pd(v, divide);
        if (divides_again) v = _mm256_div_pd(v, again);
        v = _mm256_mul_pd(v, multiply);
        store(x + i, _mm256_castpd_si256(v));
    }
    block_scalar.decimals(x + i, count - i, scale);
}

static const struct block_kernels kernels = {
    .name = "avx2",
    .unpack = unpack,
    .sum = sum,
    .line = line,
    .grid = grid,
    .fill = fill,
    .decimals = decimals,
};

const struct block_kernels *block_avx2(void)
{
    return __builtin_cpu_supports("avx2") ? &kernels : NULL;
}

#else

const struct block_kernels *block_avx2(void)
{
    return NULL;
}

#endif
