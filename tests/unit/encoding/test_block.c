/* block: the scalar kernels do what they say, and AVX2 gives the same bits, whatever comes in. */
#include "encoding/block.h"

#include "encoding/decimal.h"
#include "tests/unit/encoding/samples.h"
#include "tests/unit/suite.h"

enum { ROUNDS = 200 };

static void random_bytes(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)random();
}

START_TEST(scalar_unpack_reads_bit_by_bit)
{
    uint8_t bytes[BLOCK_BYTES_MAX];
    uint64_t out[BLOCK_COUNT];
    samples_seed();
    for (uint32_t width = 0; width <= 64; width++) {
        random_bytes(bytes, sizeof(bytes));
        block_scalar.unpack(bytes, width, out);
        for (uint32_t i = 0; i < BLOCK_COUNT; i++) {
            uint64_t expected = 0;
            for (uint32_t bit = 0; bit < width; bit++) {
                uint32_t at = i * width + bit;
                expected |= (uint64_t)(bytes[at / 8] >> at % 8 & 1) << bit;
            }
            ck_assert_uint_eq(out[i], expected);
        }
    }
}
END_TEST

/* By the definition in the header, one after the other. */
static void finish_plainly(struct block_form *form, uint64_t x[BLOCK_COUNT])
{
    for (uint32_t i = 0; i < BLOCK_COUNT; i++) {
        x[i] = form->factor * x[i] + form->bias;
        if (form->order == 2) x[i] = form->sums[1] += x[i];
        if (form->order > 0) x[i] = form->sums[0] += x[i];
    }
}

static struct block_form random_form(void)
{
    uint64_t bias = samples_u64() >> random() % 64;
    return (struct block_form){
        .factor = random() % 3 ? samples_u64() >> random() % 64 : 1,
        .bias = random() % 2 ? bias : -bias,
        .sums = {samples_u64() >> random() % 64, samples_u64() >> random() % 64},
        .order = (uint8_t)(random() % 3),
        .scale = BLOCK_INTEGERS,
    };
}

static void check_sums(const struct block_form *a, const struct block_form *b)
{
    if (a->order > 0) ck_assert_uint_eq(a->sums[0], b->sums[0]);
    if (a->order > 1) ck_assert_uint_eq(a->sums[1], b->sums[1]);
}

START_TEST(residuals_become_what_the_form_says)
{
    samples_seed();
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t a[BLOCK_COUNT];
        uint64_t b[BLOCK_COUNT];
        struct block_form form_a = random_form();
        struct block_form form_b = form_a;
        random_bytes((uint8_t *)a, sizeof(a));
        memcpy(b, a, sizeof(b));
        finish_plainly(&form_a, a);
        block_kernels()->finish(&form_b, b);
        ck_assert_mem_eq(a, b, sizeof(a));
        check_sums(&form_a, &form_b);
    }
}
END_TEST

/* The integers of a block as doubles, so many bits of them. */
static void compare_scales(const struct block_kernels *k, const uint64_t from[BLOCK_COUNT])
{
    for (uint32_t scale = 0; scale < DECIMAL_SCALES; scale++) {
        if (!decimal_scale_exists(scale)) continue;
        size_t count = (size_t)(random() % (BLOCK_COUNT + 1));
        uint64_t a[BLOCK_COUNT];
        uint64_t b[BLOCK_COUNT];
        for (uint32_t i = 0; i < BLOCK_COUNT; i++)
            a[i] = from[i] >> random() % 64;
        memcpy(b, a, sizeof(b));
        block_scalar.decimals(a, count, scale);
        k->decimals(b, count, scale);
        ck_assert_mem_eq(a, b, sizeof(a));
    }
}

/* All at once, at every scale; then the integers. */
static void compare_blocks(const struct block_kernels *k, const uint8_t *bytes, uint32_t width,
                           uint64_t out[BLOCK_COUNT])
{
    for (uint32_t scale = 0; scale <= DECIMAL_SCALES; scale++) {
        uint64_t b[BLOCK_COUNT];
        struct block_form form_a = random_form();
        if (scale < DECIMAL_SCALES && !decimal_scale_exists(scale)) continue;
        if (scale < DECIMAL_SCALES) form_a.scale = (uint8_t)scale;
        struct block_form form_b = form_a;
        block_scalar.decode(&form_a, bytes, width, out);
        k->decode(&form_b, bytes, width, b);
        ck_assert_mem_eq(out, b, sizeof(b));
        check_sums(&form_a, &form_b);
    }
}

START_TEST(avx2_gives_the_same_bits)
{
    const struct block_kernels *avx2 = block_avx2();
    if (!avx2) return; /* not on this CPU */
    samples_seed();
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t bytes[BLOCK_BYTES_MAX];
        uint64_t a[BLOCK_COUNT];
        uint64_t b[BLOCK_COUNT];
        uint32_t width = (uint32_t)(round % 65);
        random_bytes(bytes, sizeof(bytes));
        block_scalar.unpack(bytes, width, a);
        avx2->unpack(bytes, width, b);
        ck_assert_mem_eq(a, b, sizeof(a));
        compare_blocks(avx2, bytes, width, a);
        compare_scales(avx2, a);
        struct block_form form_a = random_form();
        struct block_form form_b = form_a;
        memcpy(b, a, sizeof(b));
        block_scalar.finish(&form_a, a);
        avx2->finish(&form_b, b);
        ck_assert_mem_eq(a, b, sizeof(a));
        size_t length = (size_t)(random() % (BLOCK_COUNT + 1));
        uint64_t first = samples_u64() >> random() % 64;
        uint64_t step = samples_u64() >> random() % 64;
        ck_assert_int_eq(block_scalar.grid(a, length, first, step),
                         avx2->grid(b, length, first, step));
        ck_assert_mem_eq(a, b, sizeof(a));
    }
}
END_TEST

static void compare_sums(uint32_t width, uint64_t bias, uint64_t first, uint8_t scale)
{
    uint8_t bytes[BLOCK_BYTES_MAX];
    uint64_t a[BLOCK_COUNT];
    uint64_t b[BLOCK_COUNT];
    struct block_form form_a = {
        .factor = 1, .order = 1, .scale = scale, .bias = bias, .sums = {first}};
    struct block_form form_b = form_a;
    memset(bytes, 0xFF, sizeof(bytes));
    block_scalar.decode(&form_a, bytes, width, a);
    block_kernels()->decode(&form_b, bytes, width, b);
    ck_assert_mem_eq(a, b, sizeof(b));
    check_sums(&form_a, &form_b);
}

/* Running sums of the longest numbers that fit into 32 bits, and of the first that do not. */
START_TEST(sums_of_long_numbers_do_not_overflow)
{
    for (uint32_t width = 20; width < 28; width++) {
        for (uint64_t edge = 0; edge < 5; edge++) {
            uint64_t bias = (UINT64_C(1) << 24) - 2 + edge;
            compare_sums(width, bias, (UINT64_C(1) << 49) + edge, 2);
            compare_sums(width, -bias, (UINT64_C(1) << 49) + edge, 2);
        }
    }
}
END_TEST

/* Where mantissas end, in each way to be a double. */
START_TEST(sums_begin_anywhere)
{
    for (uint32_t scale = 0; scale <= DECIMAL_SCALES; scale++) {
        if (scale < DECIMAL_SCALES && !decimal_scale_exists(scale)) continue;
        const uint8_t of = scale < DECIMAL_SCALES ? (uint8_t)scale : BLOCK_INTEGERS;
        for (uint32_t bits = 0; bits < 64; bits++) {
            const uint64_t first = UINT64_C(1) << bits;
            for (uint64_t edge = 0; edge < 3; edge++) {
                compare_sums(4, 7, first - 1 + edge, of);
                compare_sums(4, (uint64_t)-7, -first - 1 + edge, of);
            }
        }
    }
}
END_TEST

/* Strictly increasing but for one pair, anywhere. */
static void check_grid(const struct block_kernels *k)
{
    for (size_t count = 2; count <= BLOCK_COUNT; count++) {
        for (size_t at = 0; at < count; at++) {
            uint64_t x[BLOCK_COUNT] = {0};
            uint64_t y[BLOCK_COUNT] = {0};
            x[at] = 10; /* as late as the one after it */
            ck_assert_int_eq(k->grid(x, count, (uint64_t)-100, 10), at == count - 1);
            ck_assert_int_eq((int64_t)x[at], -90 + 10 * (int64_t)at);
            y[at] = 9;
            ck_assert(k->grid(y, count, (uint64_t)-100, 10));
        }
    }
}

START_TEST(a_grid_knows_whether_it_increases)
{
    check_grid(&block_scalar);
    if (block_avx2()) check_grid(block_avx2());
}
END_TEST

START_TEST(a_fill_fills_what_it_should)
{
    for (size_t count = 0; count < BLOCK_COUNT; count++) {
        uint64_t x[BLOCK_COUNT] = {0};
        block_kernels()->fill(x, count, 7);
        for (size_t i = 0; i < BLOCK_COUNT; i++)
            ck_assert_uint_eq(x[i], i < count ? 7 : 0);
    }
}
END_TEST

START_TEST(the_choice_can_be_changed_and_changed_back)
{
    const struct block_kernels *best = block_kernels();
    block_choose(&block_scalar);
    ck_assert_ptr_eq(block_kernels(), &block_scalar);
    block_choose(NULL);
    ck_assert_ptr_eq(block_kernels(), best);
}
END_TEST

SUITE(block, scalar_unpack_reads_bit_by_bit, residuals_become_what_the_form_says,
      avx2_gives_the_same_bits, sums_of_long_numbers_do_not_overflow, sums_begin_anywhere,
      a_grid_knows_whether_it_increases, a_fill_fills_what_it_should,
      the_choice_can_be_changed_and_changed_back)
