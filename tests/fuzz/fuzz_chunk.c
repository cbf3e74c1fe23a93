/* links: storage */
/*
 * A chunk from outside: 4 bytes of sample count, little-endian, then the stream. The description
 * that goes with it (first and last time, size) is made to agree, as far as the stream decodes; one
 * bit of the count chooses to leave it wrong, another one the encoding of version 1. What is
 * imported must read, grow, and export to itself.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/endian.h"
#include "storage/chunk.h"
#include "storage/import_xor.h"
#include "storage/xor_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER_BYTES = 4, SAMPLES_MAX = 1 << 20, LIE_BIT = 1 << 24, XOR_BIT = 1 << 25 };

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
    ASSERT(chunk_export(c, a, &image, NULL) == OK);
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

/* Make the description agree with the bytes, as far as they decode. */
static void describe(struct chunk_image *image, struct columns *all)
{
    struct open_state state = {.bits = 0};
    uint32_t count = image->sample_count;
    struct xor_state xors = {.count = 0};
    bool is_xor = image->encoding == CHUNK_XOR;
    if (!columns_reserve(all, image->sample_count)) return;
    if (is_xor ? xor_decode(image->bytes, image->size, image->sample_count, INT64_MIN, INT64_MAX,
                            all, &xors)
               : open_decode(image->bytes, image->size, &count, all->t_ms, all->v, &state))
        return;
    if (is_xor ? xors.count == 0 : count == 0) return;
    image->t_first_ms = all->t_ms[0];
    image->t_last_ms = is_xor ? xors.t_ms : state.t_ms;
    image->size = ((is_xor ? xors.bits : state.bits) + 7) / 8;
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
    if (count & XOR_BIT) image.encoding = CHUNK_XOR;
    if (!(count & LIE_BIT)) describe(&image, &first);
    struct chunk_image xor_image = image;
    if (count & XOR_BIT && import_xor(&xor_image, &a, &image, NULL)) image.sample_count = 0;
    if (chunk_import(&image, INT64_MIN, INT64_MAX, &c, NULL) == OK) {
        struct columns columns = read_all(c, &a);
        check_round_trip(c, &a);
        grow(c, &columns);
        check_round_trip(c, &a);
        chunk_destroy(c);
    }
    arena_release(&a);
    return 0;
}
