/* remote_reference: it reads what it should, so that it can serve as one. */
#include "tests/reference/remote_reference.h"

#include <stdio.h>

#include "base/varint.h"
#include "tests/unit/suite.h"
#include "wire/frame.h"

static struct arena arena;

START_TEST(the_golden_body_reads_as_it_was_written)
{
    static char bytes[65536];
    struct str body;
    struct remote_reference r;
    struct remote_series s;
    FILE *file = fopen(BODIES "golden.bin", "rb");
    ck_assert(file != NULL);
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    arena_init(&arena, HEAP_HTTP, 1 << 20);
    ck_assert_int_eq(frame_decode((struct str){bytes, size}, 1 << 20, &arena, &body, NULL), OK);
    ck_assert_int_eq(remote_reference_decode(&r, body, &arena, NULL), OK);
    ck_assert_uint_eq(r.counts.series, 7);
    ck_assert_uint_eq(r.counts.samples, 10);
    ck_assert_uint_eq(r.counts.exemplars, 1);
    ck_assert_uint_eq(r.counts.histograms, 1);
    ck_assert_uint_eq(r.counts.metadata, 1);
    ck_assert(remote_reference_next(&r, &s));
    ck_assert_uint_eq(s.label_count, 3);
    ck_assert(str_equal(labels_get(s.sent, STR("job")), STR("node")));
    ck_assert_uint_eq(s.sample_count, 2);
    ck_assert_int_eq(s.samples[1].t_ms, 1700000015000);
    size_t count = 1;
    while (remote_reference_next(&r, &s))
        count++;
    ck_assert_uint_eq(count, 7);
    arena_release(&arena);
}
END_TEST

START_TEST(field_zero_is_refused_wherever_it_stands)
{
    static const char *const bodies[] = {"\x82\x00\x00", "\x0A\x03\x82\x00\x00",
                                         "\x0A\x05\x0A\x03\x82\x00\x00",
                                         "\x0A\x05\x12\x03\x82\x00\x00"};
    static const size_t sizes[] = {3, 5, 7, 7};
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        struct remote_reference r;
        struct error err;
        struct str body = {bodies[i], sizes[i]};
        arena_init(&arena, HEAP_HTTP, 1 << 20);
        ck_assert_int_eq(remote_reference_decode(&r, body, &arena, &err), ERR_INVALID);
        ck_assert(strstr(err.text, "not a protobuf WriteRequest") != NULL);
        arena_release(&arena);
    }
}
END_TEST

/* A field of two bytes of a WriteRequest, or of its one series, 400,000 times. */
static enum status bomb(bool in_series, uint8_t tag, uint64_t *held_bytes)
{
    enum { COUNT = 400000 };
    static uint8_t bytes[2 * COUNT + 16];
    struct remote_reference r;
    struct error err;
    size_t size = 0;
    arena_init(&arena, HEAP_HTTP, 16 << 20);
    if (in_series) {
        bytes[size++] = 0x0A;
        size += varint_encode(bytes + size, (uint64_t)2 * COUNT);
    }
    for (int i = 0; i < COUNT; i++) {
        bytes[size++] = tag;
        bytes[size++] = 0;
    }
    enum status st =
        remote_reference_decode(&r, (struct str){(const char *)bytes, size}, &arena, &err);
    *held_bytes = arena.held_bytes;
    arena_release(&arena);
    return st;
}

START_TEST(bombs_end_at_the_arenas_ceiling)
{
    uint64_t held_bytes;
    ck_assert_int_eq(bomb(false, 0x0A, &held_bytes), ERR_TOO_LARGE); /* series */
    ck_assert_uint_le(held_bytes, 16 << 20);
    ck_assert_int_eq(bomb(true, 0x0A, &held_bytes), ERR_TOO_LARGE); /* labels */
    ck_assert_uint_le(held_bytes, 16 << 20);
    ck_assert_int_eq(bomb(true, 0x12, &held_bytes), ERR_TOO_LARGE); /* samples */
    ck_assert_uint_le(held_bytes, 16 << 20);
    ck_assert_int_eq(bomb(false, 0x52, &held_bytes), ERR_TOO_LARGE); /* unknown fields */
    ck_assert_uint_le(held_bytes, 16 << 20);
}
END_TEST

SUITE(remote_reference, the_golden_body_reads_as_it_was_written,
      field_zero_is_refused_wherever_it_stands, bombs_end_at_the_arenas_ceiling)
