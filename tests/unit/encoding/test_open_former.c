/* open_former: what former versions wrote is read to the bit; damaged bytes are an error, never an
 * overrun. */
#include "encoding/open_former.h"

#include <stdlib.h>

#include "tests/unit/encoding/former_stream.h"
#include "tests/unit/suite.h"

START_TEST(every_form_is_read)
{
    int64_t t_ms[FORMER_SAMPLES];
    double v[FORMER_SAMPLES];
    for (uint32_t wanted = 0; wanted <= FORMER_SAMPLES; wanted++) {
        uint32_t count = wanted;
        uint32_t bits = 0;
        ck_assert_int_eq(open_former_decode(former_stream, FORMER_BYTES, &count, t_ms, v, &bits),
                         OK);
        ck_assert_uint_eq(count, wanted);
        for (uint32_t i = 0; i < count; i++) {
            ck_assert_int_eq(t_ms[i], former_t_ms[i]);
            ck_assert_uint_eq(bits_from_double(v[i]), bits_from_double(former_v(i)));
        }
        if (wanted == FORMER_SAMPLES) ck_assert_uint_eq(bits, FORMER_BITS);
    }
}
END_TEST

START_TEST(damaged_bytes_are_refused_or_read_in_order)
{
    int64_t t_ms[FORMER_SAMPLES];
    double v[FORMER_SAMPLES];
    uint32_t bits;
    for (size_t size = 0; size < FORMER_BYTES; size++) {
        uint8_t *exact = malloc(size ? size : 1); /* so that ASan sees a read past the end */
        memcpy(exact, former_stream, size);
        uint32_t count = FORMER_SAMPLES;
        ck_assert_int_eq(open_former_decode(exact, size, &count, t_ms, v, &bits), ERR_CORRUPT);
        ck_assert_uint_lt(count, FORMER_SAMPLES);
        free(exact);
    }
    for (size_t bit = 0; bit < FORMER_BYTES * 8; bit++) {
        uint8_t bytes[FORMER_BYTES];
        uint32_t count = FORMER_SAMPLES;
        memcpy(bytes, former_stream, FORMER_BYTES);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum status st = open_former_decode(bytes, FORMER_BYTES, &count, t_ms, v, &bits);
        ck_assert(st == OK || st == ERR_CORRUPT);
        for (uint32_t i = 1; i < count; i++)
            ck_assert_int_gt(t_ms[i], t_ms[i - 1]);
    }
}
END_TEST

SUITE(open_former, every_form_is_read, damaged_bytes_are_refused_or_read_in_order)
