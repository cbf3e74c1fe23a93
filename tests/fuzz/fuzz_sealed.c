/* links: encoding */
/*
 * Columns of a sealed chunk. The first byte says what the rest is:
 *
 *     0   2 bytes of count, then an encoded column of values
 *     1   2 bytes of count, then an encoded column of times
 *     2   values, 8 bytes each, to be encoded
 *
 * Both kinds of kernels decode the same, or refuse the same; what decodes encodes to something that
 * decodes to the same.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/endian.h"
#include "encoding/block.h"
#include "encoding/times.h"
#include "encoding/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COUNT_MAX = 1 << 16, CEILING_BYTES = 64 << 20 };

static double v[COUNT_MAX];
static double again_v[COUNT_MAX];
static int64_t t_ms[COUNT_MAX];
static int64_t again_t_ms[COUNT_MAX];

static void check_values(const double *values, uint32_t count)
{
    struct arena scratch;
    struct buf out;
    arena_init(&scratch, HEAP_QUERY, CEILING_BYTES);
    buf_init(&out, HEAP_QUERY, CEILING_BYTES);
    ASSERT(values_encode(values, count, &scratch, &out) == OK);
    ASSERT(values_decode(out.data, out.size, again_v, count, NULL) == OK);
    ASSERT(memcmp(again_v, values, count * sizeof(*values)) == 0);
    buf_release(&out);
    arena_release(&scratch);
}

static void check_times(const int64_t *times, uint32_t count)
{
    struct arena scratch;
    struct buf out;
    arena_init(&scratch, HEAP_QUERY, CEILING_BYTES);
    buf_init(&out, HEAP_QUERY, CEILING_BYTES);
    ASSERT(times_encode(times, count, &scratch, &out) == OK);
    ASSERT(times_decode(out.data, out.size, again_t_ms, count) == OK);
    ASSERT(memcmp(again_t_ms, times, count * sizeof(*times)) == 0);
    buf_release(&out);
    arena_release(&scratch);
}

static void decode_values(const uint8_t *bytes, size_t size, uint32_t count)
{
    block_choose(&block_scalar);
    enum status scalar = values_decode(bytes, size, again_v, count, NULL);
    block_choose(NULL);
    enum status st = values_decode(bytes, size, v, count, NULL);
    ASSERT(st == scalar);
    if (st) return;
    ASSERT(memcmp(again_v, v, count * sizeof(*v)) == 0);
    check_values(v, count);
}

static void decode_times(const uint8_t *bytes, size_t size, uint32_t count)
{
    struct times_head head;
    block_choose(&block_scalar);
    enum status scalar = times_decode(bytes, size, again_t_ms, count);
    block_choose(NULL);
    enum status st = times_decode(bytes, size, t_ms, count);
    ASSERT(st == scalar);
    if (st) return;
    ASSERT(memcmp(again_t_ms, t_ms, count * sizeof(*t_ms)) == 0);
    ASSERT(times_head(bytes, size, &head) == OK && head.count == count);
    check_times(t_ms, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) return 0;
    uint32_t count = get_le16(data + 1);
    switch (data[0]) {
    case 0: decode_values(data + 3, size - 3, count); break;
    case 1: decode_times(data + 3, size - 3, count); break;
    case 2:
        count = (uint32_t)((size - 1) / sizeof(*v));
        if (count > COUNT_MAX) count = COUNT_MAX;
        memcpy(v, data + 1, count * sizeof(*v));
        if (count) check_values(v, count);
        break;
    default: break;
    }
    return 0;
}
