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

#    include "base/bits.h"
#    include "base/compiler.h"
#    include "encoding/decimal.h"

#    define AVX2 __attribute__((target("avx2,fma")))

enum { SHUFFLE_BITS_MAX = 57, GROUP = 8, QUAD = 4 };

/* How to get four numbers of a group. */
struct quad {
    uint32_t low;  /* byte where the first two start */
    uint32_t high; /* and the last two */
    __m256i shuffle;
    __m256i shift;
};

static AVX2 ALWAYS_INLINE struct quad quad_for(uint32_t width, uint32_t first)
{
    const __m256i eight = _mm256_set1_epi64x(0x0706050403020100);
    const __m256i numbers = _mm256_set_epi32(3, 3, 2, 2, 1, 1, 0, 0);
    __m256i number = _mm256_add_epi32(numbers, _mm256_set1_epi32((int)first));
    __m256i bit = _mm256_mullo_epi32(number, _mm256_set1_epi32((int)width));
    __m256i byte = _mm256_srli_epi32(bit, 3);
    __m256i start = _mm256_shuffle_epi32(byte, 0); /* of the two */
    __m256i offset =
        _mm256_mullo_epi32(_mm256_sub_epi32(byte, start), _mm256_set1_epi32(0x01010101));
    return (struct quad){
        .low = first * width / 8,
        .high = (first + 2) * width / 8,
        .shuffle = _mm256_add_epi8(eight, offset),
        .shift = _mm256_and_si256(bit, _mm256_set1_epi64x(7)),
    };
}

static AVX2 ALWAYS_INLINE __m256i load_lanes(const uint8_t *low, const uint8_t *high)
{
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)low)),
        _mm_loadu_si128((const __m128i *)(const void *)high), 1);
}

static AVX2 ALWAYS_INLINE __m256i load_quad(const uint8_t *group, const struct quad *q,
                                            __m256i mask)
{
    __m256i bytes = load_lanes(group + q->low, group + q->high);
    bytes = _mm256_shuffle_epi8(bytes, q->shuffle);
    return _mm256_and_si256(_mm256_srlv_epi64(bytes, q->shift), mask);
}

static AVX2 ALWAYS_INLINE void store(uint64_t *at, __m256i v)
{
    _mm256_storeu_si256((__m256i *)(void *)at, v);
}

static AVX2 ALWAYS_INLINE __m256i load(const uint64_t *at)
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

static AVX2 ALWAYS_INLINE __m256i set1(uint64_t v)
{
    return _mm256_set1_epi64x((long long)v);
}

/* What numbers become: integers, or doubles in one of the ways of encoding/decimal.h, which are in
 * their order. */
enum kind { INTEGERS, WHOLE, DIVIDED, MULTIPLIED, DIVIDED_TWICE };

static enum kind kind_of(uint32_t scale)
{
    if (scale == BLOCK_INTEGERS) return INTEGERS;
    if (scale == 0) return WHOLE;
    return DIVIDED + (scale >> DECIMAL_WAY_SHIFT);
}

/* A scale in registers. */
struct scaling {
    __m256d multiply;
    __m256d high[2]; /* of the inverses */
    __m256d low[2];
};

static AVX2 ALWAYS_INLINE struct scaling scaling_of(uint32_t scale, enum kind kind)
{
    struct scaling s = {0};
    if (kind == MULTIPLIED) s.multiply = _mm256_set1_pd(decimal_scale(scale)->multiply);
    for (int i = 0; i < 2 && (kind == DIVIDED || kind == DIVIDED_TWICE); i++) {
        const struct decimal_inverse *inverse = decimal_inverse(scale, i > 0);
        s.high[i] = _mm256_set1_pd(inverse->high);
        s.low[i] = _mm256_set1_pd(inverse->low);
    }
    return s;
}

static AVX2 ALWAYS_INLINE __m256d divide(__m256d v, const struct scaling *s, int i)
{
    return _mm256_fmadd_pd(v, s->high[i], _mm256_mul_pd(v, s->low[i]));
}

static AVX2 ALWAYS_INLINE __m256d scaled(__m256d v, enum kind kind, const struct scaling *s)
{
    if (kind == MULTIPLIED) return _mm256_mul_pd(v, s->multiply);
    if (kind == DIVIDED || kind == DIVIDED_TWICE) v = divide(v, s, 0);
    return kind == DIVIDED_TWICE ? divide(v, s, 1) : v;
}

/* From integers with the bits of DECIMAL_MAGIC added. */
static AVX2 ALWAYS_INLINE __m256i doubles(__m256i shifted, enum kind kind, const struct scaling *s)
{
    __m256d v = _mm256_sub_pd(_mm256_castsi256_pd(shifted), _mm256_set1_pd(DECIMAL_MAGIC));
    return _mm256_castpd_si256(scaled(v, kind, s));
}

static AVX2 void decimals(uint64_t *x, size_t count, uint32_t scale)
{
    const __m256i shift = set1(bits_from_double(DECIMAL_MAGIC));
    const enum kind kind = kind_of(scale);
    const struct scaling scaling = scaling_of(scale, kind);
    size_t i = 0;
    for (; i + QUAD <= count; i += QUAD)
        store(x + i, doubles(_mm256_add_epi64(load(x + i), shift), kind, &scaling));
    block_scalar.decimals(x + i, count - i, scale);
}

static AVX2 ALWAYS_INLINE __m256i multiply(__m256i v, uint64_t factor)
{
    const __m256i low = set1(factor);
    __m256i cross = _mm256_add_epi64(_mm256_mul_epu32(v, set1(factor >> 32)),
                                     _mm256_mul_epu32(_mm256_srli_epi64(v, 32), low));
    return _mm256_add_epi64(_mm256_mul_epu32(v, low), _mm256_slli_epi64(cross, 32));
}

/* Sums within the vector take two steps; what goes on to the next one is one addition. */
static AVX2 ALWAYS_INLINE __m256i sum(__m256i v, __m256i *total)
{
    v = _mm256_add_epi64(v, _mm256_slli_si256(v, 8));
    __m256i low = _mm256_permute4x64_epi64(v, 0x50);
    v = _mm256_add_epi64(v, _mm256_blend_epi32(_mm256_setzero_si256(), low, 0xF0));
    __m256i sums = _mm256_add_epi64(v, *total);
    *total = _mm256_add_epi64(*total, _mm256_permute4x64_epi64(v, 0xFF));
    return sums;
}

/* A block_form in registers. */
struct finish {
    __m256i bias;
    __m256i sums[2];
    uint64_t factor;
    struct scaling scaling;
};

static AVX2 ALWAYS_INLINE __m256i finish_quad(struct finish *f, __m256i v, uint32_t order,
                                              enum kind kind)
{
    if (f->factor != 1) v = multiply(v, f->factor);
    v = _mm256_add_epi64(v, f->bias);
    if (order == 2) v = sum(v, &f->sums[1]);
    if (order > 0) v = sum(v, &f->sums[0]);
    return kind == INTEGERS ? v : doubles(v, kind, &f->scaling);
}

/* From the packed bytes or, without, from x itself. */
static AVX2 ALWAYS_INLINE void run(struct block_form *form, const uint8_t *packed, uint32_t width,
                                   uint64_t x[BLOCK_COUNT], uint32_t order, enum kind kind)
{
    /* The integers are shifted for `doubles` from the start. */
    const uint64_t shift = kind == INTEGERS ? 0 : bits_from_double(DECIMAL_MAGIC);
    const __m256i mask = set1((UINT64_C(1) << width) - 1);
    const struct quad front = quad_for(width, 0);
    const struct quad back = quad_for(width, QUAD);
    struct finish f = {.bias = set1(form->bias + (order == 0 ? shift : 0)),
                       .sums = {set1(form->sums[0] + shift), set1(form->sums[1])},
                       .factor = form->factor,
                       .scaling = scaling_of(form->scale, kind)};
    for (uint32_t i = 0; i < BLOCK_COUNT; i += GROUP) {
        __m256i a = packed ? load_quad(packed, &front, mask) : load(x + i);
        __m256i b = packed ? load_quad(packed, &back, mask) : load(x + i + QUAD);
        if (packed) packed += width;
        store(x + i, finish_quad(&f, a, order, kind));
        store(x + i + QUAD, finish_quad(&f, b, order, kind));
    }
    form->sums[0] = (uint64_t)_mm256_extract_epi64(f.sums[0], 0) - shift;
    form->sums[1] = (uint64_t)_mm256_extract_epi64(f.sums[1], 0);
}

/* ---- Narrow: running sums of 32 bits ---- */

enum {
    NARROW_BITS_MAX = 24, /* 64 times so much and as large a bias have 32 bits */
    HALF_COUNT = BLOCK_COUNT / 2,
    STRIDE_COUNT = QUAD, /* of each half at a time */
    STRIDES = HALF_COUNT / STRIDE_COUNT
};

static bool is_narrow(const struct block_form *form, uint32_t width)
{
    const uint64_t limit = UINT64_C(1) << NARROW_BITS_MAX;
    const uint64_t exact = UINT64_C(1) << DECIMAL_MANTISSA_BITS;
    return form->order == 1 && form->factor == 1 && width <= NARROW_BITS_MAX &&
           form->bias + limit < 2 * limit &&
           (form->scale == BLOCK_INTEGERS || form->sums[0] + exact < 2 * exact);
}

/* As quad_for, of four numbers in a lane. */
struct stride {
    __m256i shuffle;
    __m256i shift;
};

static AVX2 ALWAYS_INLINE struct stride stride_for(uint32_t width, uint32_t first_bit)
{
    const __m256i four = _mm256_set1_epi32(0x03020100);
    const __m256i number = _mm256_set_epi32(3, 2, 1, 0, 3, 2, 1, 0);
    const __m256i four_times = _mm256_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12,
                                                0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
    __m256i bit = _mm256_mullo_epi16(number, _mm256_set1_epi32((int)width));
    bit = _mm256_add_epi32(bit, _mm256_set1_epi32((int)first_bit));
    __m256i offset = _mm256_shuffle_epi8(_mm256_srli_epi32(bit, 3), four_times);
    return (struct stride){.shuffle = _mm256_add_epi8(four, offset),
                           .shift = _mm256_and_si256(bit, _mm256_set1_epi32(7))};
}

/* Numbers become running sums from `total` on, the two halves of the block apart, in the two lanes:
 * so nothing has to cross from one lane to the other. */
static AVX2 ALWAYS_INLINE void sum_halves(const uint8_t *packed, uint32_t width, uint64_t bias,
                                          __m256i total, __m256i sums[STRIDES])
{
    const __m256i mask = _mm256_set1_epi32((1 << width) - 1);
    const __m256i step = _mm256_set1_epi32((int32_t)bias);
    const struct stride strides[2] = {stride_for(width, 0), stride_for(width, 4 * width % 8)};
#    pragma GCC unroll 8
    for (uint32_t i = 0; i < STRIDES; i++) {
        const uint8_t *at = packed + (size_t)i * width / 2; /* 4 * width bits are width / 2 bytes */
        __m256i v = load_lanes(at, at + (size_t)4 * width);
        v = _mm256_shuffle_epi8(v, strides[i % 2].shuffle);
        v = _mm256_and_si256(_mm256_srlv_epi32(v, strides[i % 2].shift), mask);
        v = _mm256_add_epi32(v, step);
        v = _mm256_add_epi32(v, _mm256_slli_si256(v, 4));
        v = _mm256_add_epi32(v, _mm256_slli_si256(v, 8));
        v = _mm256_add_epi32(v, total);
        total = _mm256_shuffle_epi32(v, 0xFF);
        sums[i] = v;
    }
}

/* What is behind each half, of sums from `zero` on; *second: before the second one. */
static AVX2 ALWAYS_INLINE void add_halves(struct block_form *form, const __m256i sums[STRIDES],
                                          int32_t zero, uint64_t *second)
{
    const __m256i last = _mm256_sub_epi32(sums[STRIDES - 1], _mm256_set1_epi32(zero));
    *second = form->sums[0] + (uint64_t)(int64_t)_mm256_extract_epi32(last, 3);
    form->sums[0] = *second + (uint64_t)(int64_t)_mm256_extract_epi32(last, 7);
}

static AVX2 ALWAYS_INLINE void run_narrow_integers(struct block_form *form, const uint8_t *packed,
                                                   uint32_t width, uint64_t x[BLOCK_COUNT])
{
    const __m256i first = set1(form->sums[0]);
    uint64_t second;
    __m256i sums[STRIDES];
    sum_halves(packed, width, form->bias, _mm256_setzero_si256(), sums);
    add_halves(form, sums, 0, &second);
#    pragma GCC unroll 8
    for (uint32_t i = 0; i < STRIDES; i++, x += STRIDE_COUNT) {
        __m256i low = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(sums[i]));
        __m256i high = _mm256_cvtepi32_epi64(_mm256_extracti128_si256(sums[i], 1));
        store(x, _mm256_add_epi64(low, first));
        store(x + HALF_COUNT, _mm256_add_epi64(high, set1(second)));
    }
}

/* A sum of 32 bits is a double as soon as it stands in the low bits of 2^52: subtracting that also
 * adds what is before the half. Sums begin at 2^31, so that none is below zero. */
static AVX2 ALWAYS_INLINE void run_narrow_kind(struct block_form *form, const uint8_t *packed,
                                               uint32_t width, uint64_t x[BLOCK_COUNT],
                                               enum kind kind)
{
    const __m256i exponent = _mm256_set1_epi32((int32_t)(bits_from_double(0x1p52) >> 32));
    const int64_t zero = (INT64_C(1) << 52) + (INT64_C(1) << 31);
    const struct scaling scaling = scaling_of(form->scale, kind);
    const __m256d first = _mm256_set1_pd((double)(zero - (int64_t)form->sums[0]));
    uint64_t second_sum;
    __m256i sums[STRIDES];
    sum_halves(packed, width, form->bias, _mm256_set1_epi32(INT32_MIN), sums);
    add_halves(form, sums, INT32_MIN, &second_sum);
    const __m256d second = _mm256_set1_pd((double)(zero - (int64_t)second_sum));
#    pragma GCC unroll 8
    for (uint32_t i = 0; i < STRIDES; i++, x += STRIDE_COUNT) {
        __m256i pairs = _mm256_permute4x64_epi64(sums[i], 0xD8); /* of either half in turn */
        __m256d low = _mm256_castsi256_pd(_mm256_unpacklo_epi32(pairs, exponent));
        __m256d high = _mm256_castsi256_pd(_mm256_unpackhi_epi32(pairs, exponent));
        low = scaled(_mm256_sub_pd(low, first), kind, &scaling);
        high = scaled(_mm256_sub_pd(high, second), kind, &scaling);
        store(x, _mm256_castpd_si256(low));
        store(x + HALF_COUNT, _mm256_castpd_si256(high));
    }
}

static AVX2 void run_narrow(struct block_form *form, const uint8_t *packed, uint32_t width,
                            uint64_t x[BLOCK_COUNT])
{
    switch (kind_of(form->scale)) {
    case INTEGERS: run_narrow_integers(form, packed, width, x); break;
    case WHOLE: run_narrow_kind(form, packed, width, x, WHOLE); break;
    case DIVIDED: run_narrow_kind(form, packed, width, x, DIVIDED); break;
    case MULTIPLIED: run_narrow_kind(form, packed, width, x, MULTIPLIED); break;
    case DIVIDED_TWICE: run_narrow_kind(form, packed, width, x, DIVIDED_TWICE); break;
    }
}

/* A loop for each kind of column. */
static AVX2 ALWAYS_INLINE void run_order(struct block_form *form, const uint8_t *packed,
                                         uint32_t width, uint64_t x[BLOCK_COUNT], uint32_t order)
{
    switch (kind_of(form->scale)) {
    case INTEGERS: run(form, packed, width, x, order, INTEGERS); break;
    case WHOLE: run(form, packed, width, x, order, WHOLE); break;
    case DIVIDED: run(form, packed, width, x, order, DIVIDED); break;
    case MULTIPLIED: run(form, packed, width, x, order, MULTIPLIED); break;
    case DIVIDED_TWICE: run(form, packed, width, x, order, DIVIDED_TWICE); break;
    }
}

static AVX2 ALWAYS_INLINE void run_form(struct block_form *form, const uint8_t *packed,
                                        uint32_t width, uint64_t x[BLOCK_COUNT])
{
    switch (form->order) {
    case 0: run_order(form, packed, width, x, 0); break;
    case 1: run_order(form, packed, width, x, 1); break;
    default: run_order(form, packed, width, x, 2); break;
    }
}

static AVX2 void finish(struct block_form *form, uint64_t x[BLOCK_COUNT])
{
    run_form(form, NULL, 0, x);
}

static AVX2 void decode(struct block_form *form, const uint8_t *from, uint32_t width,
                        uint64_t out[BLOCK_COUNT])
{
    if (is_narrow(form, width)) {
        run_narrow(form, from, width, out);
        return;
    }
    if (width <= SHUFFLE_BITS_MAX) {
        run_form(form, from, width, out);
        return;
    }
    block_scalar.unpack(from, width, out);
    finish(form, out);
}

static const struct block_kernels kernels = {
    .name = "avx2",
    .unpack = unpack,
    .finish = finish,
    .decode = decode,
    .grid = grid,
    .fill = fill,
    .decimals = decimals,
};

const struct block_kernels *block_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kernels : NULL;
}

#else

const struct block_kernels *block_avx2(void)
{
    return NULL;
}

#endif
