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

SUITE(crc32c, known_vectors, continues_over_pieces)
