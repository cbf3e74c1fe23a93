/* links: storage */
/*
 * The image of a sealed chunk: flags, 2 bytes of sample count, 2 of the size of the times, both
 * little-endian, then the column of times and that of values. What the image says of its times is
 * what their head says, unless a flag leaves it wrong; another one makes the window narrow.
 *
 * What reads is in order and within the window, and seals to an image that reads the same.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/endian.h"
#include "encoding/times.h"
#include "storage/image.h"
#include "storage/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER_BYTES = 5, LIE = 1, NARROW = 2, COUNT_LIE = 4, CEILING_BYTES = 64 << 20 };
enum { WINDOW_MS = 4 * 3600 * 1000 };

static void check_samples(const struct columns *c, int64_t t_min_ms, int64_t t_max_ms)
{
    ASSERT(c->count > 0 && c->t_ms[0] >= t_min_ms && c->t_ms[c->count - 1] <= t_max_ms);
    for (size_t i = 1; i < c->count; i++)
        ASSERT(c->t_ms[i - 1] < c->t_ms[i]);
}

/* As storage would write it. */
static void check_sealed_again(const struct columns *columns, struct arena *a)
{
    struct sealer sealer;
    struct sealed_parts parts;
    struct columns again = {.arena = a};
    sealer_init(&sealer);
    ASSERT(seal_encode(&sealer, columns, &parts) == OK);
    struct chunk_image image = {.encoding = CHUNK_SEALED,
                                .sample_count = (uint32_t)columns->count,
                                .bytes = parts.values,
                                .size = parts.values_size,
                                .times = parts.times,
                                .times_size = parts.times_size,
                                .t_first_ms = columns->t_ms[0],
                                .t_last_ms = columns->t_ms[columns->count - 1]};
    ASSERT(image_read(&image, INT64_MIN, INT64_MAX, &again, NULL) == OK);
    ASSERT(again.count == columns->count);
    ASSERT(memcmp(again.t_ms, columns->t_ms, again.count * sizeof(*again.t_ms)) == 0);
    ASSERT(memcmp(again.v, columns->v, again.count * sizeof(*again.v)) == 0);
    sealer_release(&sealer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chunk_image image = {.encoding = CHUNK_SEALED};
    struct times_head head;
    struct arena a;
    if (size < HEADER_BYTES) return 0;
    uint8_t flags = data[0];
    size_t left = size - HEADER_BYTES;
    size_t times_size = get_le16(data + 3);
    if (times_size > left) times_size = left;
    image.sample_count = get_le16(data + 1);
    image.times = data + HEADER_BYTES;
    image.times_size = (uint32_t)times_size;
    image.bytes = image.times + times_size;
    image.size = (uint32_t)(left - times_size);
    if (!(flags & LIE) && times_head(image.times, times_size, &head) == OK) {
        image.t_first_ms = head.first_ms;
        image.t_last_ms = head.last_ms;
        if (!(flags & COUNT_LIE)) image.sample_count = head.count;
    }
    int64_t t_min_ms = flags & NARROW ? 0 : INT64_MIN;
    int64_t t_max_ms = flags & NARROW ? WINDOW_MS - 1 : INT64_MAX;
    arena_init(&a, HEAP_QUERY, CEILING_BYTES);
    struct columns columns = {.arena = &a};
    if (image_read(&image, t_min_ms, t_max_ms, &columns, NULL) == OK) {
        check_samples(&columns, t_min_ms, t_max_ms);
        check_sealed_again(&columns, &a);
    } else {
        ASSERT(columns.count == 0);
    }
    arena_release(&a);
    return 0;
}
