/* window_block: chunks with shared symbols, out and in, and what damage behind a checksum does. */
#include "snapshot/window_block.h"

#include "base/varint.h"
#include "tests/unit/suite.h"

enum { CHUNKS = 20 };
static const struct window_span span = {.window = 100, .start_ms = 6000000, .chunk_ms = 60000};

static void join(const struct window_block *b, struct buf *out)
{
    uint8_t count[VARINT_BYTES_MAX];
    buf_append(out, count, varint_encode(count, b->texts.count));
    buf_append(out, b->symbols.data, b->symbols.size);
    buf_append(out, b->chunks.data, b->chunks.size);
    ck_assert_int_eq(buf_status(out, NULL), OK);
}

/* Something else in each field. */
static struct open_state state_of(uint32_t i)
{
    return (struct open_state){.t_ms = span.start_ms + (int64_t)2 * i,
                               .step_ms = INT32_MAX - (int32_t)i,
                               .v_bits = UINT64_MAX / (i + 1),
                               .mantissa = INT64_MIN + i,
                               .slope = INT32_MIN + (int32_t)i,
                               .bits = i ? 8 * i - i % 8 : 0,
                               .scale = i & 63,
                               .pages = i & 3,
                               .late_ms = (int8_t)(1 - i),
                               .leading = (uint8_t)(i + 2),
                               .trailing = (uint8_t)(i + 3)};
}

static void check_state(const struct open_state *state, uint32_t i)
{
    struct open_state expected = state_of(i);
    ck_assert_mem_eq(state, &expected, sizeof(expected));
}

/* The text of a number, as long as it is a short one. */
static char letter(const struct window_cursor *c, uint32_t number)
{
    ck_assert_uint_lt(number, c->text_count);
    ck_assert_uint_eq(c->texts[number].size, 1);
    return c->texts[number].data[0];
}

static void make(struct buf *out)
{
    static const char *const values[] = {"a", "b", "c"};
    struct window_block b;
    window_block_init(&b);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        const struct label labels[] = {{LABEL_METRIC_NAME, STR("metric")},
                                       {STR("x"), str_from(values[i % 3])}};
        const struct chunk_image image = {.labels = {labels, 2},
                                          .window = span.window,
                                          /* Every other one is sealed, and they share a column. */
                                          .encoding = i % 2 ? CHUNK_SEALED : CHUNK_OPEN,
                                          .times = i % 2 ? (const uint8_t *)"the column" : NULL,
                                          .times_size = i % 2 ? 10 : 0,
                                          .sample_count = i + 1,
                                          .size = i,
                                          .bytes = (const uint8_t *)"abcdefghijklmnopqrstuvwxyz",
                                          .t_first_ms = span.start_ms + i,
                                          .t_last_ms = span.start_ms + (int64_t)2 * i,
                                          .state = state_of(i)};
        ck_assert_int_eq(window_block_add(&b, &span, &image, NULL), OK);
    }
    ck_assert_uint_eq(b.count, CHUNKS);
    ck_assert_uint_eq(b.texts.count, 7);
    join(&b, out);
    window_block_release(&b);
}

START_TEST(chunks_come_back_with_their_labels)
{
    struct buf payload;
    struct arena arena;
    struct window_cursor c;
    struct chunk_image image;
    bool more;
    buf_init(&payload, HEAP_SNAPSHOT, 1 << 20);
    arena_init(&arena, HEAP_SNAPSHOT, 1 << 20);
    make(&payload);
    ck_assert_int_eq(window_cursor_open(&c, payload.data, payload.size, &span, &arena, NULL), OK);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        ck_assert_int_eq(window_cursor_next(&c, &arena, &image, &more, NULL), OK);
        ck_assert(more);
        ck_assert_uint_eq(image.labels.count, 2);
        ck_assert(str_equal(c.texts[image.numbers[0]], LABEL_METRIC_NAME));
        ck_assert(str_equal(c.texts[image.numbers[1]], STR("metric")));
        ck_assert_int_eq(letter(&c, image.numbers[2]), 'x');
        ck_assert_int_eq(letter(&c, image.numbers[3]), (int)('a' + i % 3));
        ck_assert_int_eq(image.window, 100);
        ck_assert_uint_eq(image.sample_count, i + 1);
        ck_assert_uint_eq(image.size, i);
        ck_assert_mem_eq(image.bytes, "abcdefghijklmnopqrstuvwxyz", i);
        ck_assert_uint_eq(image.encoding, i % 2 ? CHUNK_SEALED : CHUNK_OPEN);
        ck_assert_uint_eq(image.times_size, i % 2 ? 10 : 0);
        if (i % 2) ck_assert_mem_eq(image.times, "the column", 10);
        if (i % 2 == 0) check_state(&image.state, i);
        ck_assert_int_eq(image.t_first_ms, span.start_ms + i);
        ck_assert_int_eq(image.t_last_ms, span.start_ms + (int64_t)2 * i);
    }
    ck_assert_int_eq(window_cursor_next(&c, &arena, &image, &more, NULL), OK);
    ck_assert(!more);
    arena_release(&arena);
    buf_release(&payload);
}
END_TEST

static void walk(const uint8_t *bytes, size_t size)
{
    struct arena arena;
    struct window_cursor c;
    bool more = true;
    size_t count = 0;
    arena_init(&arena, HEAP_SNAPSHOT, 1 << 22);
    enum status st = window_cursor_open(&c, bytes, size, &span, &arena, NULL);
    while (more && (st == OK || st == ERR_INVALID)) {
        struct chunk_image image;
        st = window_cursor_next(&c, &arena, &image, &more, NULL);
        count++;
    }
    ck_assert(st == OK || st == ERR_CORRUPT);
    ck_assert_uint_le(count, size + 1);
    arena_release(&arena);
}

START_TEST(no_prefix_and_no_flip_is_dangerous)
{
    struct buf payload;
    buf_init(&payload, HEAP_SNAPSHOT, 1 << 20);
    make(&payload);
    for (size_t cut = 0; cut <= payload.size; cut++) {
        uint8_t *copy = heap_alloc(cut, HEAP_SNAPSHOT);
        memcpy(copy, payload.data, cut);
        walk(copy, cut);
        heap_free(copy, cut, HEAP_SNAPSHOT);
    }
    for (size_t bit = 0; bit < 8 * payload.size; bit++) {
        payload.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        walk(payload.data, payload.size);
        payload.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    buf_release(&payload);
}
END_TEST

START_TEST(a_chunk_with_illegal_times_does_not_hide_the_next)
{
    struct window_block b;
    struct buf payload;
    struct arena arena;
    struct window_cursor c;
    struct chunk_image image = {
        .encoding = CHUNK_SEALED, .t_first_ms = INT64_MAX, .t_last_ms = INT64_MIN};
    bool more;
    const struct label good[] = {{STR("a"), STR("1")}};
    window_block_init(&b);
    buf_init(&payload, HEAP_SNAPSHOT, 1 << 20);
    arena_init(&arena, HEAP_SNAPSHOT, 1 << 20);
    image.labels = (struct labels){good, 1};
    ck_assert_int_eq(window_block_add(&b, &span, &image, NULL), OK);
    image.t_first_ms = image.t_last_ms = span.start_ms;
    ck_assert_int_eq(window_block_add(&b, &span, &image, NULL), OK);
    join(&b, &payload);
    ck_assert_int_eq(window_cursor_open(&c, payload.data, payload.size, &span, &arena, NULL), OK);
    ck_assert_int_eq(window_cursor_next(&c, &arena, &image, &more, NULL), ERR_INVALID);
    ck_assert_int_eq(window_cursor_next(&c, &arena, &image, &more, NULL), OK);
    ck_assert(more);
    window_block_release(&b);
    buf_release(&payload);
    arena_release(&arena);
}
END_TEST

SUITE(window_block, chunks_come_back_with_their_labels, no_prefix_and_no_flip_is_dangerous,
      a_chunk_with_illegal_times_does_not_hide_the_next)
