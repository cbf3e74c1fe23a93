/* head: round trip, every bit flipped, versions. */
#include "snapshot/head.h"

#include "base/crc32c.h"
#include "base/endian.h"
#include "tests/unit/suite.h"

START_TEST(a_head_comes_back_and_every_flip_is_seen)
{
    const struct head head = {.kind = HEAD_WINDOW,
                              .identity = {{1, 2, 3}},
                              .number = (uint64_t)INT64_C(-5),
                              .sequence = 9,
                              .chunk_ms = 60000};
    uint8_t bytes[HEAD_BYTES];
    struct head out;
    head_encode(&head, bytes);
    ck_assert_int_eq(head_decode(bytes, sizeof(bytes), HEAD_WINDOW, &out, NULL), OK);
    ck_assert_int_eq((int64_t)out.number, -5);
    ck_assert_uint_eq(out.sequence, 9);
    ck_assert_int_eq(out.chunk_ms, 60000);
    ck_assert_uint_eq(head_seed(&out), head_seed(&head));
    ck_assert_int_eq(head_decode(bytes, sizeof(bytes), HEAD_SEGMENT, &out, NULL), ERR_CORRUPT);
    for (size_t size = 0; size < sizeof(bytes); size++)
        ck_assert_int_eq(head_decode(bytes, size, HEAD_WINDOW, &out, NULL), ERR_CORRUPT);
    for (size_t bit = 0; bit < 480; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_int_eq(head_decode(bytes, sizeof(bytes), HEAD_WINDOW, &out, NULL), ERR_CORRUPT);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    struct error err;
    put_le32(bytes + 8, 2);
    put_le32(bytes + 56, crc32c(0, bytes, 56));
    ck_assert_int_eq(head_decode(bytes, sizeof(bytes), HEAD_WINDOW, &out, &err), ERR_UNSUPPORTED);
    ck_assert_str_eq(err.text, "format version 2, and this program reads version 1");
}
END_TEST

SUITE(head, a_head_comes_back_and_every_flip_is_seen)
