/* varint: round trips, cuts, and numbers that are too long. */
#include "base/varint.h"

#include "tests/unit/suite.h"

START_TEST(numbers_read_back)
{
    for (int shift = 0; shift < 64; shift++) {
        for (int delta = -1; delta <= 1; delta++) {
            uint8_t bytes[VARINT_BYTES_MAX];
            uint64_t v = (UINT64_C(1) << shift) + (uint64_t)delta;
            uint64_t back = 0;
            size_t size = varint_encode(bytes, v);
            ck_assert_uint_le(size, VARINT_BYTES_MAX);
            ck_assert_uint_eq(varint_decode(bytes, bytes + size, &back), size);
            ck_assert_uint_eq(back, v);
            for (size_t cut = 0; cut < size; cut++)
                ck_assert_uint_eq(varint_decode(bytes, bytes + cut, &back), 0);
        }
    }
}
END_TEST

START_TEST(sizes_grow_every_seven_bits)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    ck_assert_uint_eq(varint_encode(bytes, 0), 1);
    ck_assert_uint_eq(varint_encode(bytes, 127), 1);
    ck_assert_uint_eq(varint_encode(bytes, 128), 2);
    ck_assert_uint_eq(varint_encode(bytes, UINT64_MAX), 10);
}
END_TEST

START_TEST(more_than_64_bits_are_refused)
{
    static const uint8_t eleven[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                     0x80, 0x80, 0x80, 0x80, 0x01};
    static const uint8_t bit_64[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02};
    uint64_t v = 42;
    ck_assert_uint_eq(varint_decode(eleven, eleven + sizeof(eleven), &v), 0);
    ck_assert_uint_eq(varint_decode(bit_64, bit_64 + sizeof(bit_64), &v), 0);
    ck_assert_uint_eq(v, 42);
}
END_TEST

SUITE(varint, numbers_read_back, sizes_grow_every_seven_bits, more_than_64_bits_are_refused)
