/* crc32c: the vectors of RFC 3720, B.4, and continuation. */
#include "base/crc32c.h"

#include <string.h>

#include "tests/unit/suite.h"

START_TEST(known_vectors)
{
    uint8_t zeros[32] = {0};
    uint8_t ones[32];
    uint8_t rising[32];
    memset(ones, 0xFF, sizeof(ones));
    for (int i = 0; i < 32; i++)
        rising[i] = (uint8_t)i;
    ck_assert_uint_eq(crc32c(0, zeros, 32), 0x8A9136AA);
    ck_assert_uint_eq(crc32c(0, ones, 32), 0x62A8AB43);
    ck_assert_uint_eq(crc32c(0, rising, 32), 0x46DD794E);
    ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xE3069283);
}
END_TEST

START_TEST(continues_over_pieces)
{
    const char text[] = "the quick brown fox jumps over the lazy dog";
    uint32_t whole = crc32c(0, text, sizeof(text));
    for (size_t cut = 0; cut <= sizeof(text); cut++)
        ck_assert_uint_eq(crc32c(crc32c(0, text, cut), text + cut, sizeof(text) - cut), whole);
}
END_TEST

/* Bit by bit, as the polynomial says. */
static uint32_t by_bits(const uint8_t *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < 8 * size; i++) {
        uint32_t bit = (crc ^ bytes[i / 8] >> i % 8) & 1;
        crc = crc >> 1 ^ (bit ? 0x82F63B78 : 0);
    }
    return ~crc;
}

START_TEST(long_texts_agree_with_the_polynomial)
{
    enum { SIZE = 5000 };
    static uint8_t bytes[SIZE];
    uint32_t state = 1;
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)((state = state * 1664525 + 1013904223) >> 24);
    for (size_t size = 0; size <= SIZE; size += size < 1600 ? 1 : 97)
        ck_assert_uint_eq(crc32c(0, bytes + SIZE - size, size), by_bits(bytes + SIZE - size, size));
    for (size_t cut = 0; cut <= SIZE; cut += 331)
        ck_assert_uint_eq(crc32c(crc32c(0, bytes, cut), bytes + cut, SIZE - cut),
                          by_bits(bytes, SIZE));
}
END_TEST

SUITE(crc32c, known_vectors, continues_over_pieces, long_texts_agree_with_the_polynomial)
