/* ints: every column survives, in few bytes where there is a pattern; damaged bytes are refused or
 * decode to something, never past the end. */
#include "encoding/ints.h"

#include "base/varint.h"
#include "tests/unit/encoding/samples.h"
#include "tests/unit/suite.h"

enum { CEILING_BYTES = 1 << 20 };

static struct buf encode(const uint64_t *x, uint32_t count)
{
    uint64_t used[SAMPLES_MAX];
    uint64_t residuals[SAMPLES_MAX];
    struct buf out;
    buf_init(&out, HEAP_QUERY, CEILING_BYTES);
    memcpy(used, x, count * sizeof(*x));
    ints_encode(used, count, residuals, &out);
    ck_assert_int_eq(buf_status(&out, NULL), OK);
    return out;
}

/* Encode, decode with both kernels, and compare; returns the bytes it took. */
static size_t check_round_trip(const uint64_t *x, uint32_t count)
{
    struct buf out = encode(x, count);
    uint8_t *exact = malloc(out.size); /* so that ASan sees a read past the end */
    uint64_t back[SAMPLES_MAX];
    memcpy(exact, out.data, out.size);
    for (int scalar = 0; scalar < 2; scalar++) {
        const uint8_t *at = exact;
        block_choose(scalar ? &block_scalar : NULL);
        ck_assert(ints_decode(&at, exact + out.size, back, count, BLOCK_INTEGERS, NULL));
        ck_assert_ptr_eq(at, exact + out.size);
        ck_assert_mem_eq(back, x, count * sizeof(*x));
    }
    block_choose(NULL);
    free(exact);
    size_t size = out.size;
    buf_release(&out);
    return size;
}

START_TEST(extreme_columns_survive)
{
    const uint64_t x[] = {0, UINT64_MAX, INT64_MAX, (uint64_t)INT64_MIN, 1, 0, 1u << 31};
    const uint64_t far[] = {0, UINT64_C(1) << 63, 0, UINT64_C(1) << 63};
    for (uint32_t count = 1; count <= 7; count++)
        (void)check_round_trip(x, count);
    (void)check_round_trip(far, 4);
}
END_TEST

/* Of every shape that an order, a factor, a bias or patches are for. */
static void random_column(uint64_t *x, uint32_t count)
{
    int kind = (int)(random() % 7);
    uint64_t value = samples_u64() >> random() % 64;
    uint64_t step = samples_u64() >> random() % 64;
    uint32_t noise = (uint32_t)(random() % 62);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t r = samples_u64() >> (63 - noise);
        switch (kind) {
        case 0: x[i] = r; break;
        case 1: x[i] = value += r; break;
        case 2: x[i] = value += step += r; break;
        case 3: x[i] = 4096 * (r % 100000); break;
        case 4: x[i] = value += (random() % 30 ? 3 : r); break;
        case 5: x[i] = (uint64_t) - (int64_t)(r % 1000 * 7); break;
        default: x[i] = samples_u64(); break;
        }
    }
}

START_TEST(random_columns_survive)
{
    uint64_t x[SAMPLES_MAX];
    samples_seed();
    for (int round = 0; round < 2000; round++) {
        uint32_t count = samples_count();
        random_column(x, count);
        size_t size = check_round_trip(x, count);
        ck_assert_uint_le(size, 8 * (size_t)count + 2 * (count / BLOCK_COUNT + 1) + 40);
    }
}
END_TEST

START_TEST(patterns_take_few_bytes)
{
    uint64_t x[640];
    for (uint32_t i = 0; i < 640; i++)
        x[i] = 1000000007 + 15000 * i;
    ck_assert_uint_le(check_round_trip(x, 640), 24); /* one byte a block, and the head */
    for (uint32_t i = 0; i < 640; i++)
        x[i] = 1000000007 + 3 * i * i;
    ck_assert_uint_le(check_round_trip(x, 640), 24);
    for (uint32_t i = 0; i < 640; i++)
        x[i] = i * 2654435761 % 1024 * 4096;
    ck_assert_uint_le(check_round_trip(x, 640), 640 * 10 / 8 + 40); /* 10 bits of 22 */
    for (uint32_t i = 0; i < 640; i++)
        x[i] = i % 64 == 5 ? UINT64_C(1) << 40 : i % 4;
    ck_assert_uint_le(check_round_trip(x, 640), 640 * 2 / 8 + 10 * (3 + 6) + 30);
}
END_TEST

START_TEST(few_numbers_are_varints)
{
    const uint64_t x[] = {100, 101, 99, 105};
    ck_assert_uint_eq(check_round_trip(x, 4), 1 + 2 + 3);
}
END_TEST

START_TEST(cut_bytes_are_refused)
{
    uint64_t x[300];
    uint64_t back[300];
    srandom(3);
    for (int round = 0; round < 30; round++) {
        random_column(x, 300);
        struct buf out = encode(x, 300);
        for (size_t cut = 0; cut < out.size; cut++) {
            uint8_t *exact = malloc(cut ? cut : 1);
            const uint8_t *at = exact;
            memcpy(exact, out.data, cut);
            ck_assert(!ints_decode(&at, exact + cut, back, 300, BLOCK_INTEGERS, NULL));
            free(exact);
        }
        buf_release(&out);
    }
}
END_TEST

START_TEST(damaged_bytes_never_read_past_the_end)
{
    uint64_t x[200];
    uint64_t back[200];
    samples_seed();
    for (int round = 0; round < 100; round++) {
        random_column(x, 200);
        struct buf out = encode(x, 200);
        uint8_t *exact = malloc(out.size);
        for (size_t i = 0; i < out.size; i++) {
            const uint8_t *at = exact;
            memcpy(exact, out.data, out.size);
            exact[i] ^= (uint8_t)(1 + random() % 255);
            if (ints_decode(&at, exact + out.size, back, 200, BLOCK_INTEGERS, NULL))
                ck_assert(at > exact && at <= exact + out.size);
        }
        free(exact);
        buf_release(&out);
    }
}
END_TEST

START_TEST(a_form_that_no_encoder_writes_is_refused)
{
    uint64_t out[100];
    const uint8_t bad[][16] = {
        {3, 0},                /* order 3 */
        {32, 0},               /* an unknown bit */
        {16, 0, 0},            /* varints of order 0 */
        {0, 0, 65},            /* a width of 65 */
        {0, 0, 0x80, 65, 10},  /* 65 patches */
        {0, 0, 0x80, 1, 6, 0}, /* patches of nothing but a position */
        {0, 0, 0x80, 1, 65, 0},
        {0, 0, 0x80, 1, 8, 63}, /* a patch behind the last number */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const uint8_t *at = bad[i];
        ck_assert(!ints_decode(&at, at + sizeof(bad[i]), out, 3, BLOCK_INTEGERS, NULL));
    }
}
END_TEST

SUITE(ints, extreme_columns_survive, random_columns_survive, patterns_take_few_bytes,
      few_numbers_are_varints, cut_bytes_are_refused, damaged_bytes_never_read_past_the_end,
      a_form_that_no_encoder_writes_is_refused)
