/* label_bytes - the bytes of remote write, and telling them apart. */
#include "model/label_bytes.h"

#include "tests/unit/suite.h"

START_TEST(a_label_is_field_1_with_name_and_value)
{
    static const char expected[] = "\x0A\x0B\x0A\x03job\x12\x04node";
    struct label label = {STR("job"), STR("node")};
    uint8_t bytes[64];
    ck_assert_uint_eq(label_bytes_head(label) + 4, sizeof(expected) - 1);
    label_bytes_put(label, bytes);
    ck_assert_mem_eq(bytes, expected, sizeof(expected) - 1);
}
END_TEST

START_TEST(sizes_beyond_127_take_two_bytes)
{
    static char text[300];
    static uint8_t bytes[400];
    memset(text, 'v', sizeof(text));
    struct label label = {STR("a"), {text, 300}};
    ck_assert_uint_eq(label_bytes_head(label), 1 + 2 + 3 + 1 + 2);
    label_bytes_put(label, bytes);
    ck_assert_mem_eq(bytes,
                     "\x0A\xB2\x02\x0A\x01"
                     "a\x12\xAC\x02vv",
                     11);
    ck_assert_uint_eq(bytes[9 + 299], 'v');
    ck_assert_uint_eq(bytes[9 + 300], 0);
}
END_TEST

START_TEST(labels_lie_one_behind_the_other)
{
    static const char expected[] = "\x0A\x0B\x0A\x03job\x12\x04node\x0A\x06\x0A\x01z\x12\x01y";
    struct label items[] = {{STR("job"), STR("node")}, {STR("z"), STR("y")}};
    struct arena a;
    arena_init(&a, HEAP_HTTP, 1 << 20);
    struct str bytes = label_bytes_of((struct labels){.items = items, .count = 2}, &a);
    ck_assert_uint_eq(bytes.size, sizeof(expected) - 1);
    ck_assert_mem_eq(bytes.data, expected, bytes.size);
    for (size_t i = 1; i <= LABEL_BYTES_FRONT; i++)
        ck_assert_int_eq(bytes.data[-(ptrdiff_t)i], 0);
    ck_assert_uint_eq(label_bytes_of((struct labels){0}, &a).size, 0);
    arena_release(&a);
    arena_init(&a, HEAP_HTTP, 0);
    ck_assert_ptr_null(label_bytes_of((struct labels){.items = items, .count = 2}, &a).data);
    arena_release(&a);
}
END_TEST

START_TEST(every_differing_byte_is_seen)
{
    uint8_t a[100];
    uint8_t b[100];
    for (size_t size = LABEL_BYTES_MIN; size < sizeof(a); size++) {
        for (size_t i = 0; i < sizeof(a); i++)
            a[i] = b[i] = (uint8_t)(i * 7);
        ck_assert(label_bytes_equal(a, b, size));
        for (size_t i = 0; i < sizeof(a); i++) {
            b[i] ^= 0x80;
            if (label_bytes_equal(a, b, size) != (i >= size))
                ck_abort_msg("size %zu, byte %zu", size, i);
            b[i] ^= 0x80;
        }
    }
}
END_TEST

SUITE(label_bytes, a_label_is_field_1_with_name_and_value, sizes_beyond_127_take_two_bytes,
      labels_lie_one_behind_the_other, every_differing_byte_is_seen)
