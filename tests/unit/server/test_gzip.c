/* gzip: round trips, and what happens when there is no room. */
#include "server/gzip.h"

#include <string.h>
#include <zlib.h>

#include "tests/unit/suite.h"

enum { DATA_BYTES = 300000 };

static uint8_t data[DATA_BYTES];
static uint8_t back[DATA_BYTES + 1];

static void expect_round_trip(size_t size)
{
    struct buf out;
    struct error err;
    buf_init(&out, HEAP_HTTP, 1 << 20);
    ck_assert_int_eq(gzip_encode(data, size, &out, &err), OK);
    z_stream stream = {.next_in = out.data,
                       .avail_in = (uInt)out.size,
                       .next_out = back,
                       .avail_out = sizeof(back)};
    ck_assert_int_eq(inflateInit2(&stream, 15 + 16), Z_OK);
    ck_assert_int_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
    ck_assert_uint_eq(stream.total_out, size);
    ck_assert_mem_eq(data, back, size);
    inflateEnd(&stream);
    buf_release(&out);
}

START_TEST(text_and_noise_come_back)
{
    for (size_t i = 0; i < DATA_BYTES; i++)
        data[i] = (uint8_t)("abcdef"[i % 6]);
    expect_round_trip(0);
    expect_round_trip(1);
    expect_round_trip(DATA_BYTES);
    uint64_t noise = 1;
    for (size_t i = 0; i < DATA_BYTES; i++) {
        noise = noise * 6364136223846793005u + 1442695040888963407u;
        data[i] = (uint8_t)(noise >> 56);
    }
    expect_round_trip(DATA_BYTES);
    expect_round_trip(16384);
}
END_TEST

START_TEST(a_full_buffer_is_an_error)
{
    struct buf out;
    struct error err;
    buf_init(&out, HEAP_HTTP, 1024);
    ck_assert_int_eq(gzip_encode(data, DATA_BYTES, &out, &err), ERR_TOO_LARGE);
    buf_release(&out);
}
END_TEST

START_TEST(refused_memory_is_an_error)
{
    for (uint64_t allowed = 0; allowed < 6; allowed++) {
        struct buf out;
        struct error err;
        buf_init(&out, HEAP_HTTP, 1 << 20);
        heap_fail_after(allowed);
        enum status st = gzip_encode(data, DATA_BYTES, &out, &err);
        heap_fail_after(UINT64_MAX);
        ck_assert_int_eq(st, ERR_NO_MEMORY);
        buf_release(&out);
    }
}
END_TEST

SUITE(gzip, text_and_noise_come_back, a_full_buffer_is_an_error, refused_memory_is_an_error)
