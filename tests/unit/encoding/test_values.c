/* values: every double survives, in the form that is meant for its kind; damage is refused or
 * decodes to something, never past the end. */
#include "encoding/values.h"

#include "encoding/block.h"
#include "encoding/values_form.h"
#include "tests/unit/encoding/samples.h"
#include "tests/unit/suite.h"

enum { CEILING_BYTES = 1 << 20 };

static void encode(const double *v, uint32_t count, struct buf *out)
{
    struct arena scratch;
    arena_init(&scratch, HEAP_QUERY, CEILING_BYTES);
    buf_init(out, HEAP_QUERY, CEILING_BYTES);
    ck_assert_int_eq(values_encode(v, count, &scratch, out), OK);
    arena_release(&scratch);
}

static bool ascends(const double *v, uint32_t count)
{
    if (isnan(v[0])) return false;
    for (uint32_t i = 1; i < count; i++)
        if (!(v[i] >= v[i - 1])) return false;
    return true;
}

struct encoded {
    size_t size;
    uint8_t form;
    bool ascends; /* is known */
};

static struct encoded check_round_trip(const double *v, uint32_t count)
{
    struct buf out;
    encode(v, count, &out);
    uint8_t *exact = malloc(out.size);
    double *back = malloc((count + 1) * sizeof(*back));
    struct encoded e = {.size = out.size, .form = out.data[0]};
    memcpy(exact, out.data, out.size);
    for (int scalar = 0; scalar < 2; scalar++) {
        block_choose(scalar ? &block_scalar : NULL);
        ck_assert_int_eq(values_decode(exact, out.size, back, count, &e.ascends), OK);
        ck_assert_mem_eq(back, v, count * sizeof(*v));
        ck_assert(!e.ascends || ascends(v, count));
    }
    block_choose(NULL);
    free(exact);
    free(back);
    buf_release(&out);
    return e;
}

START_TEST(odd_values_survive_in_any_company)
{
    samples_seed();
    for (uint32_t count = 1; count < 200; count++) {
        double v[200];
        for (uint32_t i = 0; i < count; i++)
            v[i] = samples_odd_value();
        (void)check_round_trip(v, count);
    }
}
END_TEST

START_TEST(random_values_survive)
{
    double v[SAMPLES_MAX];
    samples_seed();
    for (int round = 0; round < 3000; round++) {
        uint32_t count = samples_count();
        samples_values(v, count);
        struct encoded e = check_round_trip(v, count);
        ck_assert_uint_le(e.size, 8 * (size_t)count + 2 * (count / BLOCK_COUNT + 1) + 50);
    }
}
END_TEST

START_TEST(a_constant_takes_its_value_and_a_byte)
{
    double v[960];
    for (int i = 0; i < 960; i++)
        v[i] = 1;
    ck_assert_uint_eq(check_round_trip(v, 960).size, 2);
    for (int i = 0; i < 960; i++)
        v[i] = bits_to_double(STALE_NAN_BITS);
    ck_assert_uint_eq(check_round_trip(v, 960).size, 9);
    for (int i = 0; i < 960; i++)
        v[i] = -0.0;
    ck_assert_uint_eq(check_round_trip(v, 960).size, 9);
}
END_TEST

START_TEST(rare_changes_are_told_by_their_positions)
{
    double v[960];
    for (int i = 0; i < 960; i++)
        v[i] = 1000 + i / 300;
    struct encoded e = check_round_trip(v, 960);
    ck_assert_uint_eq(e.form, VALUES_GAPS | VALUES_DECIMAL);
    ck_assert_uint_le(e.size, 20);
}
END_TEST

START_TEST(frequent_changes_are_told_by_a_bitmap)
{
    double v[960];
    srandom(1);
    for (int i = 0; i < 960; i++)
        v[i] = i > 0 && random() % 2 ? v[i - 1] : (double)(random() % 1000);
    struct encoded e = check_round_trip(v, 960);
    ck_assert_uint_eq(e.form, VALUES_BITMAP | VALUES_DECIMAL);
    ck_assert_uint_le(e.size, 960 / 8 + 500 * 10 / 8 + 40);
}
END_TEST

START_TEST(decimals_of_each_way_take_the_bytes_of_their_mantissas)
{
    double v[640];
    srandom(1);
    for (int way = 0; way < 3; way++) {
        for (int i = 0; i < 640; i++) {
            double m = (double)(random() % 4096);
            v[i] = way == 0 ? m / 1e6 : way == 1 ? m * 1e-6 : m / 1000 / 1e3;
        }
        struct encoded e = check_round_trip(v, 640);
        ck_assert_uint_eq(e.form & VALUES_NUMBERS, VALUES_DECIMAL);
        ck_assert_uint_le(e.size, 640 * 12 / 8 + 40);
    }
}
END_TEST

START_TEST(a_few_strays_do_not_spoil_decimals)
{
    double v[640];
    srandom(1);
    for (int i = 0; i < 640; i++)
        v[i] = i % 64 == 7 ? NAN : (double)(random() % 256);
    struct encoded e = check_round_trip(v, 640);
    ck_assert_uint_eq(e.form, VALUES_DECIMAL | VALUES_STRAYS);
    ck_assert_uint_le(e.size, 640 + 10 * 9 + 40);
}
END_TEST

START_TEST(running_sums_are_near_decimals)
{
    double v[640];
    double sum = 0;
    srandom(1);
    for (int i = 0; i < 640; i++)
        v[i] = sum += (double)(random() % 5000) / 1e9;
    struct encoded e = check_round_trip(v, 640);
    ck_assert_uint_eq(e.form, VALUES_DECIMAL_NEAR);
    ck_assert_uint_le(e.size, 640 * 3);
}
END_TEST

START_TEST(real_numbers_take_no_more_than_their_bits)
{
    double v[640];
    srandom(1);
    for (int i = 0; i < 640; i++)
        v[i] = exp((double)(random() % 1200 - 600) + sin((double)i));
    struct encoded e = check_round_trip(v, 640);
    ck_assert_uint_eq(e.form & VALUES_NUMBERS, VALUES_RAW);
    ck_assert_uint_le(e.size, 640 * 8 + 60);
}
END_TEST

/* In a form of each kind: varints, blocks, and with a bit for each sample. */
START_TEST(that_a_counter_ascends_is_known)
{
    static const uint32_t counts[] = {1, 60, 640, 960};
    double v[960];
    srandom(1);
    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        for (int rarely = 1; rarely < 4; rarely++) {
            int64_t m = 123456;
            for (uint32_t i = 0; i < counts[c]; i++) {
                if (random() % rarely == 0) m += 700 + random() % 300;
                v[i] = (double)m / 100;
            }
            ck_assert(check_round_trip(v, counts[c]).ascends);
            if (counts[c] == 1) continue;
            v[counts[c] / 2] = 0.07;
            ck_assert(!check_round_trip(v, counts[c]).ascends);
            v[counts[c] / 2] = (double)NAN;
            ck_assert(!check_round_trip(v, counts[c]).ascends);
        }
    }
}
END_TEST

START_TEST(cut_bytes_are_refused)
{
    double v[200];
    double back[200];
    struct buf out;
    samples_seed();
    for (int round = 0; round < 200; round++) {
        samples_values(v, 200);
        encode(v, 200, &out);
        for (size_t cut = 0; cut < out.size; cut++) {
            uint8_t *exact = malloc(cut ? cut : 1);
            memcpy(exact, out.data, cut);
            ck_assert_int_eq(values_decode(exact, cut, back, 200, NULL), ERR_CORRUPT);
            free(exact);
        }
        buf_append_byte(&out, 0); /* and so is a byte too many */
        ck_assert_int_eq(values_decode(out.data, out.size, back, 200, NULL), ERR_CORRUPT);
        buf_release(&out);
    }
}
END_TEST

START_TEST(damaged_bytes_never_read_past_the_end)
{
    double v[200];
    struct buf out;
    samples_seed();
    for (int round = 0; round < 200; round++) {
        samples_values(v, 200);
        encode(v, 200, &out);
        uint8_t *exact = malloc(out.size);
        uint32_t count = random() % 2 ? 200 : 1 + (uint32_t)(random() % 300);
        double *back = malloc(count * sizeof(*back)); /* so that ASan sees a write past it */
        for (size_t i = 0; i < out.size; i++) {
            memcpy(exact, out.data, out.size);
            exact[i] ^= (uint8_t)(1 + random() % 255);
            enum status st = values_decode(exact, out.size, back, count, NULL);
            ck_assert(st == OK || st == ERR_CORRUPT);
        }
        free(back);
        free(exact);
        buf_release(&out);
    }
}
END_TEST

START_TEST(no_memory_is_told)
{
    double v[960];
    struct arena scratch;
    struct buf out;
    for (int i = 0; i < 960; i++)
        v[i] = sin(i);
    arena_init(&scratch, HEAP_QUERY, 1000);
    buf_init(&out, HEAP_QUERY, CEILING_BYTES);
    ck_assert_int_eq(values_encode(v, 960, &scratch, &out), ERR_TOO_LARGE);
    arena_release(&scratch);
    arena_init(&scratch, HEAP_QUERY, CEILING_BYTES);
    for (size_t ceiling = 0; ceiling < 20000; ceiling += 100) {
        buf_release(&out);
        buf_init(&out, HEAP_QUERY, ceiling);
        if (values_encode(v, 960, &scratch, &out) != ERR_TOO_LARGE) break;
    }
    ck_assert_int_eq(buf_status(&out, NULL), OK);
    buf_release(&out);
    arena_release(&scratch);
}
END_TEST

SUITE(values, odd_values_survive_in_any_company, random_values_survive,
      that_a_counter_ascends_is_known, a_constant_takes_its_value_and_a_byte,
      rare_changes_are_told_by_their_positions, frequent_changes_are_told_by_a_bitmap,
      decimals_of_each_way_take_the_bytes_of_their_mantissas, a_few_strays_do_not_spoil_decimals,
      running_sums_are_near_decimals, real_numbers_take_no_more_than_their_bits,
      cut_bytes_are_refused, damaged_bytes_never_read_past_the_end, no_memory_is_told)
