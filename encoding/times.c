/* times - a grid, and how far from it. */
#include "encoding/times.h"

#include "base/bits.h"
#include "base/varint.h"
#include "encoding/ints.h"

enum { HEAD_FIELDS = 4, HEAD_BYTES_MAX = HEAD_FIELDS * VARINT_BYTES_MAX };

/* The step that more than half of the samples have, if there is one (Boyer and Moore's vote). */
static uint64_t usual_step(const int64_t *t_ms, uint32_t count)
{
    uint64_t step = 0;
    uint32_t votes = 0;
    for (uint32_t i = 1; i < count; i++) {
        uint64_t this_step = (uint64_t)t_ms[i] - (uint64_t)t_ms[i - 1];
        if (votes == 0) step = this_step;
        votes += this_step == step ? 1 : -1;
    }
    return step;
}

enum status times_encode(const int64_t *t_ms, uint32_t count, struct arena *scratch,
                         struct buf *out)
{
    struct arena_mark mark = arena_mark(scratch);
    uint64_t *residuals = arena_alloc_array(scratch, 2 * (size_t)count, sizeof(*residuals));
    if (!residuals) return scratch->refused;
    uint64_t first = (uint64_t)t_ms[0];
    uint64_t step = usual_step(t_ms, count);
    for (uint32_t i = 0; i < count; i++)
        residuals[i] = (uint64_t)t_ms[i] - first - i * step;

    uint8_t *at = buf_reserve(out, HEAD_BYTES_MAX);
    if (at) {
        size_t n = varint_encode(at, count);
        n += varint_encode(at + n, bits_zigzag(t_ms[0]));
        n += varint_encode(at + n, (uint64_t)t_ms[count - 1] - first);
        n += varint_encode(at + n, step);
        out->size += n;
    }
    ints_encode(residuals, count, residuals + count, out);
    arena_rewind(scratch, mark);
    return buf_status(out, NULL);
}

/* The head, and the bytes of it; 0: there is none. */
static size_t head_decode(const uint8_t *bytes, size_t size, struct times_head *head,
                          uint64_t *step)
{
    const uint8_t *end = bytes + size;
    uint64_t fields[HEAD_FIELDS];
    size_t at = 0;
    for (int i = 0; i < HEAD_FIELDS; i++) {
        size_t n = varint_decode(bytes + at, end, &fields[i]);
        if (n == 0) return 0;
        at += n;
    }
    if (fields[0] == 0 || fields[0] > UINT32_MAX) return 0;
    head->count = (uint32_t)fields[0];
    head->first_ms = bits_unzigzag(fields[1]);
    head->last_ms = (int64_t)((uint64_t)head->first_ms + fields[2]);
    *step = fields[3];
    return head->last_ms < head->first_ms ? 0 : at;
}

enum status times_head(const uint8_t *bytes, size_t size, struct times_head *head)
{
    uint64_t step;
    return head_decode(bytes, size, head, &step) ? OK : ERR_CORRUPT;
}

enum status times_decode(const uint8_t *bytes, size_t size, int64_t *t_ms, uint32_t count)
{
    struct times_head head;
    uint64_t step;
    size_t n = head_decode(bytes, size, &head, &step);
    if (n == 0 || head.count != count) return ERR_CORRUPT;
    const uint8_t *at = bytes + n;
    if (!ints_decode(&at, bytes + size, (uint64_t *)t_ms, count, BLOCK_INTEGERS, NULL) ||
        at != bytes + size)
        return ERR_CORRUPT;
    if (!block_kernels()->grid((uint64_t *)t_ms, count, (uint64_t)head.first_ms, step) ||
        t_ms[0] != head.first_ms || t_ms[count - 1] != head.last_ms)
        return ERR_CORRUPT;
    return OK;
}
