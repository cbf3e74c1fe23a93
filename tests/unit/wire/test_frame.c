/* frame: round trips, and every way a snappy block can lie. */
#include "wire/frame.h"

#include "tests/unit/suite.h"

static struct arena arena;

static void begin(uint64_t ceiling_bytes)
{
    arena_init(&arena, HEAP_HTTP, ceiling_bytes);
}

static enum status decode(const char *bytes, size_t size, struct error *err)
{
    struct str out;
    return frame_decode((struct str){bytes, size}, FRAME_DECODED_BYTES_MAX, &arena, &out, err);
}

START_TEST(what_is_encoded_decodes)
{
    begin(16 << 20);
    static char text[100000];
    unsigned seed = 5;
    for (size_t size = 0; size < sizeof(text); size = size * 3 + 1) {
        struct str encoded;
        struct str decoded;
        for (size_t i = 0; i < size; i++) {
            seed = seed * 1664525u + 1013904223u;
            text[i] = (char)(seed >> (i % 7 ? 30 : 24));
        }
        struct str plain = {text, size};
        ck_assert_int_eq(frame_encode(plain, &arena, &encoded, NULL), OK);
        ck_assert_int_eq(frame_decode(encoded, size, &arena, &decoded, NULL), OK);
        ck_assert(str_equal(plain, decoded));
    }
    arena_release(&arena);
}
END_TEST

START_TEST(damaged_blocks_are_invalid)
{
    begin(1 << 20);
    struct error err;
    ck_assert_int_eq(decode("", 0, &err), ERR_INVALID);
    ck_assert_int_eq(decode("\x80", 1, &err), ERR_INVALID);                     /* cut length */
    ck_assert_int_eq(decode("\xFF\xFF\xFF\xFF\xFF\x01", 6, &err), ERR_INVALID); /* over 32 bits */
    ck_assert_int_eq(decode("\x05\x08"
                            "abc",
                            5, &err),
                     ERR_INVALID); /* holds less than declared */
    ck_assert_int_eq(decode("\x02\x08"
                            "abc",
                            5, &err),
                     ERR_INVALID); /* holds more */
    ck_assert_int_eq(decode("\x05\x10"
                            "a",
                            3, &err),
                     ERR_INVALID); /* literal past the end */
    ck_assert_int_eq(decode("\x05\x00"
                            "a\x01\x00",
                            5, &err),
                     ERR_INVALID); /* copy, offset 0 */
    ck_assert_int_eq(decode("\x05\x00"
                            "a\x01\x09",
                            5, &err),
                     ERR_INVALID); /* before the start */
    ck_assert_int_eq(decode("\xFF\x06\x00\x00sNaPpY", 10, &err), ERR_INVALID); /* framed stream */
    ck_assert_str_eq(err.text, "body is not snappy: the block is damaged");
    arena_release(&arena);
}
END_TEST

START_TEST(a_declared_length_is_checked_before_allocating)
{
    begin(4096);
    struct error err;
    ck_assert_int_eq(decode("\xFF\xFF\xFF\xFF\x0F\x00\x00\x00\x00\x00", 10, &err), ERR_TOO_LARGE);
    ck_assert_str_eq(err.text,
                     "body declares 4294967295 bytes decoded, at most 33554432 are allowed");
    ck_assert_int_eq(decode("\x80\x80\x80\x10\x00\x00\x00\x00\x00\x00", 10, &err), ERR_TOO_LARGE);
    ck_assert_uint_eq(arena.held_bytes, 0);
    arena_release(&arena);
}
END_TEST

START_TEST(an_empty_block_is_an_empty_text)
{
    begin(4096);
    struct str out;
    ck_assert_int_eq(frame_decode((struct str){"\0", 1}, 0, &arena, &out, NULL), OK);
    ck_assert_uint_eq(out.size, 0);
    arena_release(&arena);
}
END_TEST

SUITE(frame, what_is_encoded_decodes, damaged_blocks_are_invalid,
      a_declared_length_is_checked_before_allocating, an_empty_block_is_an_empty_text)
