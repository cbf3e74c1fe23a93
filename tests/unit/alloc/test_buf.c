/* buf: growth, ceiling, sticky failure. */
#include "alloc/buf.h"

#include <string.h>

#include "alloc/memstats.h"
#include "alloc/poison.h"
#include "tests/unit/alloc/death.h"
#include "tests/unit/suite.h"

START_TEST(bytes_are_kept_while_it_grows)
{
    struct buf b;
    buf_init(&b, HEAP_HTTP, 1 << 20);
    ck_assert_ptr_null(b.data);
    for (int i = 0; i < 100000; i++)
        buf_append_byte(&b, (uint8_t)(i % 251));
    ck_assert_int_eq(buf_status(&b, NULL), OK);
    ck_assert_uint_eq(b.size, 100000);
    for (int i = 0; i < 100000; i++)
        if (b.data[i] != i % 251) ck_abort_msg("byte %d changed", i);
    buf_release(&b);
    ck_assert_ptr_null(b.data);
    struct memstats s;
    memstats_read(&s);
    ck_assert_uint_eq(s.heap_objects, 0);
}
END_TEST

START_TEST(pieces_follow_each_other)
{
    struct buf b;
    buf_init(&b, HEAP_HTTP, 100);
    buf_append_str(&b, STR("one,"));
    buf_append(&b, "two", 3);
    buf_append(&b, NULL, 0);
    buf_append_byte(&b, ',');
    buf_printf(&b, "%s %d", "three", 4);
    buf_printf(&b, "%s", "");
    ck_assert_uint_eq(b.size, 15);
    ck_assert_mem_eq(b.data, "one,two,three 4", 15);
    buf_reset(&b);
    ck_assert_uint_eq(b.size, 0);
    ck_assert_uint_gt(b.capacity, 0);
    buf_release(&b);
}
END_TEST

START_TEST(exactly_the_ceiling_fits)
{
    struct buf b;
    struct error err;
    buf_init(&b, HEAP_HTTP, 10);
    buf_append(&b, "0123456789", 10);
    ck_assert_int_eq(buf_status(&b, &err), OK);
    buf_append_byte(&b, 'x');
    ck_assert_int_eq(buf_status(&b, &err), ERR_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(err.text, "10 bytes"));
    ck_assert_uint_eq(b.size, 10);
    buf_release(&b);
}
END_TEST

START_TEST(printed_text_may_fill_the_buffer_to_the_last_byte)
{
    /* 64 is the first capacity and a class: the NUL of vsnprintf has no place of its own there. */
    struct buf b;
    buf_init(&b, HEAP_HTTP, 64);
    buf_printf(&b, "%064d", 7);
    ck_assert_int_eq(buf_status(&b, NULL), OK);
    ck_assert_uint_eq(b.size, 64);
    ck_assert_int_eq(b.data[63], '7');
    buf_printf(&b, "%s", "");
    ck_assert_int_eq(buf_status(&b, NULL), OK);
    buf_release(&b);
}
END_TEST

START_TEST(a_refusal_sticks_until_reset)
{
    struct buf b;
    struct error err;
    buf_init(&b, HEAP_HTTP, SIZE_MAX);
    buf_append_str(&b, STR("kept"));
    heap_fail_after(0);
    buf_append(&b, &(char[1000]){0}, 1000);
    heap_fail_after(UINT64_MAX);
    ck_assert_int_eq(buf_status(&b, &err), ERR_NO_MEMORY);
    buf_append_str(&b, STR("dropped"));
    buf_printf(&b, "dropped");
    buf_append_byte(&b, 'd');
    ck_assert_ptr_null(buf_reserve(&b, 0));
    ck_assert_uint_eq(b.size, 4);
    ck_assert_mem_eq(b.data, "kept", 4);
    buf_reset(&b);
    buf_append_byte(&b, 'x');
    ck_assert_int_eq(buf_status(&b, NULL), OK);
    ck_assert_ptr_null(buf_reserve(&b, SIZE_MAX));
    ck_assert_int_eq(buf_status(&b, NULL), ERR_TOO_LARGE);
    buf_release(&b);
}
END_TEST

START_TEST(reserved_room_is_there)
{
    struct buf b;
    buf_init(&b, HEAP_HTTP, 1 << 20);
    ck_assert_ptr_nonnull(buf_reserve(&b, 0));
    uint8_t *at = buf_reserve(&b, 70000);
    ck_assert_ptr_nonnull(at);
    memset(at, 9, 70000);
    b.size += 70000;
    ck_assert_uint_eq(b.data[69999], 9);
    buf_release(&b);
}
END_TEST

static void write_behind_what_was_reserved(void)
{
    struct buf b;
    buf_init(&b, HEAP_HTTP, 1 << 20);
    volatile uint8_t *at = buf_reserve(&b, 100);
    at[99] = 1;
    at[100] = 1; /* there would be room */
    buf_release(&b);
}

static void read_behind_the_end(void)
{
    struct buf b;
    buf_init(&b, HEAP_HTTP, 1 << 20);
    buf_append(&b, "some text", 9);
    const volatile uint8_t *data = b.data;
    (void)data[9];
    buf_release(&b);
}

START_TEST(all_room_that_is_there_may_be_written_to)
{
    struct buf b;
    size_t room;
    buf_init(&b, HEAP_HTTP, 1 << 20);
    (void)buf_room(&b, &room);
    ck_assert_uint_eq(room, 0);
    buf_append(&b, "some text", 9);
    uint8_t *at = buf_room(&b, &room);
    ck_assert_ptr_eq(at, b.data + 9);
    ck_assert_uint_eq(room, b.capacity - 9);
    memset(at, 1, room);
    b.size += room;
    ck_assert_ptr_nonnull(buf_reserve(&b, 0));
    ck_assert_uint_eq(b.data[b.capacity - 1], 1);
    buf_release(&b);
}
END_TEST

START_TEST(what_is_behind_the_end_is_nobodys)
{
    if (!POISON_ACTIVE) return;
    ck_assert(dies_saying(write_behind_what_was_reserved, "use-after-poison"));
    ck_assert(dies_saying(read_behind_the_end, "use-after-poison"));
}
END_TEST

SUITE(buf, all_room_that_is_there_may_be_written_to, what_is_behind_the_end_is_nobodys,
      bytes_are_kept_while_it_grows, pieces_follow_each_other, exactly_the_ceiling_fits,
      printed_text_may_fill_the_buffer_to_the_last_byte, a_refusal_sticks_until_reset,
      reserved_room_is_there)
