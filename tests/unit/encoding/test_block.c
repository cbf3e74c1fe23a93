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

START_TEST(scalar_sums_and_lines_are_what_they_say)
{
    uint64_t x[BLOCK_COUNT];
    uint64_t carry = 100;
    for (uint32_t i = 0; i < BLOCK_COUNT; i++)
        x[i] = i;
    block_scalar.sum(x, 1, &carry);
    ck_assert_uint_eq(x[0], 101);
    ck_assert_uint_eq(x[3], 110);
    ck_assert_uint_eq(carry, 100 + 64 * 65 / 2);
    ck_assert_uint_eq(x[BLOCK_COUNT - 1], carry);
    block_scalar.line(x, 5, 3);
    ck_assert_uint_eq(x[0], 308);
}
END_TEST

START_TEST(avx2_gives_the_same_bits)
{
    const struct block_kernels *avx2 = block_avx2();
    if (!avx2) return; /* not on this CPU */
    samples_seed();
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t bytes[BLOCK_BYTES_MAX];
        uint64_t a[BLOCK_COUNT];
        uint64_t b[BLOCK_COUNT];
        uint64_t carry_a = samples_u64();
        uint64_t carry_b = carry_a;
        uint64_t bias = samples_u64() >> random() % 64;
        uint64_t factor = random() % 3 ? samples_u64() >> random() % 64 : 1;
        uint32_t width = (uint32_t)(round % 65);
        random_bytes(bytes, sizeof(bytes));
        block_scalar.unpack(bytes, width, a);
        avx2->unpack(bytes, width, b);
        ck_assert_mem_eq(a, b, sizeof(a));
        block_scalar.sum(a, bias, &carry_a);
        avx2->sum(b, bias, &carry_b);
        ck_assert_mem_eq(a, b, sizeof(a));
        ck_assert_uint_eq(carry_a, carry_b);
        block_scalar.line(a, bias, factor);
        avx2->line(b, bias, factor);
        ck_assert_mem_eq(a, b, sizeof(a));
        size_t length = (size_t)(random() % (BLOCK_COUNT + 1));
        uint64_t step = samples_u64() >> random() % 64;
        ck_assert_int_eq(block_scalar.grid(a, length, bias, step),
                         avx2->grid(b, length, bias, step));
        ck_assert_mem_eq(a, b, sizeof(a));
        for (uint32_t scale = 0; scale < DECIMAL_SCALES; scale++) {
            if (!decimal_scale_exists(scale)) continue;
            size_t count = (size_t)(random() % (BLOCK_COUNT + 1));
            uint64_t c[BLOCK_COUNT];
            for (uint32_t i = 0; i < BLOCK_COUNT; i++)
                c[i] = a[i] >> random() % 64;
            memcpy(b, c, sizeof(b));
            block_scalar.decimals(c, count, scale);
            avx2->decimals(b, count, scale);
            ck_assert_mem_eq(b, c, sizeof(b));
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

SUITE(block, scalar_unpack_reads_bit_by_bit, scalar_sums_and_lines_are_what_they_say,
      avx2_gives_the_same_bits, a_grid_knows_whether_it_increases, a_fill_fills_what_it_should,
      the_choice_can_be_changed_and_changed_back)
