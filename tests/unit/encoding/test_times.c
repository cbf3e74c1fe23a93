/* times: every strictly increasing column survives; equal ones have equal bytes; damage is found.
 */
#include "encoding/times.h"

#include "encoding/block.h"
#include "tests/unit/encoding/samples.h"
#include "tests/unit/suite.h"

enum { CEILING_BYTES = 1 << 20 };

static void encode(const int64_t *t_ms, uint32_t count, struct buf *out)
{
    struct arena scratch;
    arena_init(&scratch, HEAP_QUERY, CEILING_BYTES);
    buf_init(out, HEAP_QUERY, CEILING_BYTES);
    ck_assert_int_eq(times_encode(t_ms, count, &scratch, out), OK);
    arena_release(&scratch);
}

static size_t check_round_trip(const int64_t *t_ms, uint32_t count)
{
    struct buf out;
    struct times_head head;
    int64_t back[SAMPLES_MAX];
    encode(t_ms, count, &out);
    uint8_t *exact = malloc(out.size);
    memcpy(exact, out.data, out.size);
    for (int scalar = 0; scalar < 2; scalar++) {
        block_choose(scalar ? &block_scalar : NULL);
        ck_assert_int_eq(times_decode(exact, out.size, back, count), OK);
        ck_assert_mem_eq(back, t_ms, count * sizeof(*t_ms));
    }
    block_choose(NULL);
    ck_assert_int_eq(times_head(exact, out.size, &head), OK);
    ck_assert_uint_eq(head.count, count);
    ck_assert_int_eq(head.first_ms, t_ms[0]);
    ck_assert_int_eq(head.last_ms, t_ms[count - 1]);
    ck_assert_int_eq(times_decode(exact, out.size, back, count + 1), ERR_CORRUPT);
    ck_assert_int_eq(times_decode(exact, out.size, back, count - 1), ERR_CORRUPT);
    free(exact);
    size_t size = out.size;
    buf_release(&out);
    return size;
}

START_TEST(extreme_times_survive)
{
    const int64_t t_ms[] = {INT64_MIN, -1, 0, 1, 15000, INT64_MAX};
    const int64_t ends[] = {INT64_MIN, INT64_MAX};
    for (uint32_t count = 1; count <= 6; count++)
        (void)check_round_trip(t_ms, count);
    (void)check_round_trip(ends, 2);
}
END_TEST

START_TEST(random_times_survive)
{
    int64_t t_ms[SAMPLES_MAX];
    samples_seed();
    for (int round = 0; round < 2000; round++) {
        uint32_t count = samples_count();
        samples_times(t_ms, count);
        (void)check_round_trip(t_ms, count);
    }
}
END_TEST

START_TEST(a_grid_takes_a_byte_for_64_samples)
{
    int64_t t_ms[960];
    for (int i = 0; i < 960; i++)
        t_ms[i] = 1795177537350 + 15000 * i;
    ck_assert_uint_le(check_round_trip(t_ms, 960), 15 + 20);
    t_ms[500] += 7; /* neither side of it counts */
    ck_assert_uint_le(check_round_trip(t_ms, 960), 15 + 20 + 5);
}
END_TEST

START_TEST(equal_columns_have_equal_bytes)
{
    int64_t t_ms[300];
    struct buf a;
    struct buf b;
    samples_seed();
    samples_times(t_ms, 300);
    encode(t_ms, 300, &a);
    encode(t_ms, 300, &b);
    ck_assert_uint_eq(a.size, b.size);
    ck_assert_mem_eq(a.data, b.data, a.size);
    buf_release(&a);
    buf_release(&b);
}
END_TEST

START_TEST(times_that_do_not_increase_are_refused)
{
    const int64_t twice[] = {10, 20, 20, 30};
    const int64_t back[] = {10, 30, 20, 40};
    int64_t out_t[4];
    struct buf out;
    encode(twice, 4, &out);
    ck_assert_int_eq(times_decode(out.data, out.size, out_t, 4), ERR_CORRUPT);
    buf_release(&out);
    encode(back, 4, &out);
    ck_assert_int_eq(times_decode(out.data, out.size, out_t, 4), ERR_CORRUPT);
    buf_release(&out);
}
END_TEST

START_TEST(damaged_bytes_give_increasing_times_or_none)
{
    int64_t t_ms[200];
    int64_t back[200];
    struct buf out;
    samples_seed();
    for (int round = 0; round < 100; round++) {
        samples_times(t_ms, 200);
        encode(t_ms, 200, &out);
        uint8_t *exact = malloc(out.size);
        for (size_t i = 0; i < out.size; i++) {
            memcpy(exact, out.data, out.size);
            exact[i] ^= (uint8_t)(1 + random() % 255);
            if (times_decode(exact, out.size, back, 200)) continue;
            for (int j = 1; j < 200; j++)
                ck_assert_int_gt(back[j], back[j - 1]);
        }
        free(exact);
        for (size_t cut = 0; cut < out.size; cut++) {
            exact = malloc(cut ? cut : 1);
            memcpy(exact, out.data, cut);
            ck_assert_int_eq(times_decode(exact, cut, back, 200), ERR_CORRUPT);
            free(exact);
        }
        buf_release(&out);
    }
}
END_TEST

SUITE(times, extreme_times_survive, random_times_survive, a_grid_takes_a_byte_for_64_samples,
      equal_columns_have_equal_bytes, times_that_do_not_increase_are_refused,
      damaged_bytes_give_increasing_times_or_none)
