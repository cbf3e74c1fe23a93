/* links: storage */
/*
 * A chunk from outside: 4 bytes of sample count, little-endian, then the stream. The description
 * that goes with it (first and last time, size) is made to agree, as far as the stream decodes; one
 * bit of the count chooses to leave it wrong, others the encodings of former versions, or to have
 * the state of the encoder from the input and call it verified. What is imported must read, grow,
 * and export to itself; after a lie about the state, it must only be harmless.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/endian.h"
#include "encoding/open_former.h"
#include "storage/chunk.h"
#include "storage/import_former.h"
#include "storage/xor_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    HEADER_BYTES = 4,
    SAMPLES_MAX = 1 << 20,
    LIE_BIT = 1 << 24,
    XOR_BIT = 1 << 25,
    FORMER_BIT = 1 << 26,
    STATE_BIT = 1 << 27,
    STATE_BYTES = 32
};

static struct columns read_all(const struct chunk *c, struct arena *a)
{
    struct columns columns = {.arena = a};
    ASSERT(chunk_read(c, INT64_MIN, INT64_MAX, &columns, NULL) == OK);
    ASSERT(columns.count == chunk_sample_count(c));
    for (size_t i = 1; i < columns.count; i++)
        ASSERT(columns.t_ms[i - 1] < columns.t_ms[i]);
    return columns;
}

/* One sample behind the last and one in front of the first, where there is room in time. */
static void grow(struct chunk *c, const struct columns *before)
{
    int64_t first_ms = before->t_ms[0];
    int64_t last_ms = before->t_ms[before->count - 1];
    if (last_ms < INT64_MAX) ASSERT(chunk_add(c, last_ms + 1, 1.5) == CHUNK_APPENDED);
    if (first_ms > INT64_MIN) ASSERT(chunk_add(c, first_ms - 1, -1.5) == CHUNK_LATE);
    ASSERT(chunk_add(c, first_ms, before->v[0]) == CHUNK_DUPLICATE);
    chunk_check(c);
}

static void check_round_trip(const struct chunk *c, struct arena *a)
{
    struct chunk_image image = {0};
    struct chunk *again;
    struct columns columns = read_all(c, a);
    ASSERT(chunk_export(c, NULL, a, &image, NULL) == OK);
    ASSERT(image.sample_count == columns.count);
    ASSERT(chunk_import(&image, INT64_MIN, INT64_MAX, &again, NULL) == OK);
    struct columns back = read_all(again, a);
    ASSERT(back.count == columns.count);
    for (size_t i = 0; i < columns.count; i++) {
        ASSERT(back.t_ms[i] == columns.t_ms[i]);
        ASSERT(bits_from_double(back.v[i]) == bits_from_double(columns.v[i]));
    }
    chunk_destroy(again);
}

/* Samples that decode, into columns with room for them; *bits of the stream they are. */
static uint32_t decode(struct chunk_image *image, struct columns *all, uint32_t *bits)
{
    uint32_t count = image->sample_count;
    if (image->encoding == CHUNK_XOR) {
        struct xor_state state = {.count = 0};
        (void)!xor_decode(image->bytes, image->size, count, INT64_MIN, INT64_MAX, all, &state);
        *bits = state.bits;
        return state.count;
    }
    if (image->encoding == CHUNK_OPEN_FORMER) {
        bool whole =
            !open_former_decode(image->bytes, image->size, &count, all->t_ms, all->v, bits);
        return whole ? count : 0;
    }
    bool whole = !open_decode(image->bytes, image->size, &count, all->t_ms, all->v, &image->state);
    *bits = image->state.bits;
    return whole ? count : 0;
}

/* Make the description agree with the bytes, as far as they decode. */
static void describe(struct chunk_image *image, struct columns *all)
{
    uint32_t bits = 0;
    if (!columns_reserve(all, image->sample_count)) return;
    uint32_t count = decode(image, all, &bits);
    if (count < image->sample_count || count == 0) return;
    image->t_first_ms = all->t_ms[0];
    image->t_last_ms = all->t_ms[count - 1];
    image->size = (bits + 7) / 8;
}

/* The encoder's state from the end of the input. */
static void lie(struct chunk_image *image, const uint8_t *data, size_t size)
{
    if (size < HEADER_BYTES + STATE_BYTES) return;
    const uint8_t *at = data + size - STATE_BYTES;
    image->verified = true;
    image->state.step_ms = (int32_t)get_le32(at);
    image->state.slope = (int32_t)get_le32(at + 4);
    image->state.v_bits = get_le64(at + 8);
    image->state.mantissa = (int64_t)get_le64(at + 16);
    image->state.bits ^= get_le32(at + 24);
    image->state.scale = at[28] & 63u;
    image->state.pages = (unsigned)at[28] >> 6 & 3u;
    image->state.late_ms = (int8_t)at[29];
    image->state.leading = at[30];
    image->state.trailing = at[31];
}

static void use(struct chunk *c, struct arena *a)
{
    struct columns columns = {.arena = a};
    struct chunk_image image = {0};
    for (int i = 0; i < 4; i++) {
        uint64_t step = i % 2 ? (uint64_t)c->state.step_ms : (uint64_t)i - 1;
        (void)!chunk_add(c, (int64_t)((uint64_t)c->state.t_ms + step), i * 0.1);
    }
    (void)!chunk_read(c, INT64_MIN, INT64_MAX, &columns, NULL);
    (void)!chunk_export(c, NULL, a, &image, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chunk_image image = {.encoding = CHUNK_OPEN};
    struct columns first = {0};
    struct arena a;
    struct chunk *c;
    if (size < HEADER_BYTES) return 0;
    uint32_t count = get_le32(data);
    image.sample_count = count % SAMPLES_MAX;
    image.bytes = data + HEADER_BYTES;
    image.size = (uint32_t)(size - HEADER_BYTES);
    arena_init(&a, HEAP_QUERY, 64 << 20);
    first.arena = &a;
    if (count & FORMER_BIT) image.encoding = CHUNK_OPEN_FORMER;
    if (count & XOR_BIT) image.encoding = CHUNK_XOR;
    if (!(count & LIE_BIT)) describe(&image, &first);
    if (count & STATE_BIT) lie(&image, data, size);
    struct chunk_image former = image;
    if (import_is_former(former.encoding) && import_former(&former, &a, &image, NULL))
        image.sample_count = 0;
    enum status st = chunk_import(&image, INT64_MIN, INT64_MAX, &c, NULL);
    if (st == OK && image.verified) {
        use(c, &a);
        chunk_destroy(c);
    } else if (st == OK) {
        struct columns columns = read_all(c, &a);
        check_round_trip(c, &a);
        grow(c, &columns);
        check_round_trip(c, &a);
        chunk_destroy(c);
    }
    arena_release(&a);
    return 0;
}
