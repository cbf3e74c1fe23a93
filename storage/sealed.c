/* sealed - the layout, and reading what never changes. */
#include "storage/sealed.h"

#include <string.h>

#include "alloc/region.h"
#include "base/assert.h"
#include "base/varint.h"
#include "encoding/times.h"
#include "encoding/values.h"
#include "storage/columns_chain.h"
#include "storage/times_cache.h"

enum { COLUMN_BYTES = 5, SIZE_BYTES_MAX = 5 };

_Static_assert(REGION_REF_BITS <= COLUMN_BYTES * 8, "a column's name fits");

uint32_t sealed_bytes_for(uint32_t values_size)
{
    uint8_t size[VARINT_BYTES_MAX];
    return (uint32_t)offsetof(struct sealed, bytes) + COLUMN_BYTES +
           (uint32_t)varint_encode(size, values_size) + values_size;
}

void sealed_write(struct sealed *s, uint64_t column, const struct sealed_parts *parts)
{
    uint8_t size[VARINT_BYTES_MAX];
    uint8_t *at = s->bytes;
    size_t n = varint_encode(size, parts->values_size);
    s->users = 0;
    for (uint32_t i = 0; i < COLUMN_BYTES; i++)
        *at++ = (uint8_t)(column >> 8 * i);
    memcpy(at, size, n);
    memcpy(at + n, parts->values, parts->values_size);
}

uint64_t sealed_column(const struct sealed *s)
{
    uint64_t column = 0;
    for (uint32_t i = 0; i < COLUMN_BYTES; i++)
        column |= (uint64_t)s->bytes[i] << 8 * i;
    return column;
}

struct sealed_parts sealed_parts(const struct sealed *s)
{
    const struct sealed_times *times = region_at(sealed_column(s));
    const uint8_t *at = s->bytes + COLUMN_BYTES;
    uint64_t size;
    size_t n = varint_decode(at, at + SIZE_BYTES_MAX, &size);
    ASSERT(n > 0);
    return (struct sealed_parts){.times = times->bytes,
                                 .times_size = times->size,
                                 .values = at + n,
                                 .values_size = (uint32_t)size};
}

uint32_t sealed_bytes(const struct sealed *s)
{
    struct sealed_parts parts = sealed_parts(s);
    return (uint32_t)(parts.values - (const uint8_t *)s) + parts.values_size;
}

uint32_t sealed_sample_count(const struct sealed *s)
{
    struct sealed_parts parts = sealed_parts(s);
    struct times_head head;
    enum status st = times_head(parts.times, parts.times_size, &head);
    ASSERT(st == OK);
    return head.count;
}

/* The times, decoded: where they are to go, or known already. */
static enum status read_times(const struct sealed_parts *parts, uint32_t count,
                              struct columns *columns, const int64_t **t_ms)
{
    if (columns->times)
        return times_cache_get(columns->times, parts->times, parts->times_size, count, t_ms);
    *t_ms = columns->t_ms + columns->count;
    return times_decode(parts->times, parts->times_size, columns->t_ms + columns->count, count);
}

enum status sealed_read(const struct sealed *s, int64_t t_min_ms, int64_t t_max_ms,
                        struct columns *columns, struct error *err)
{
    struct sealed_parts parts = sealed_parts(s);
    struct times_head head;
    const int64_t *t_ms;
    enum status st = times_head(parts.times, parts.times_size, &head);
    if (!st && (head.last_ms < t_min_ms || head.first_ms > t_max_ms)) return OK;
    if (!st) st = read_times(&parts, head.count, columns, &t_ms);
    if (st == ERR_NO_MEMORY || st == ERR_TOO_LARGE) return arena_error(columns->arena, err);
    if (st) return error_set(err, st, "a sealed chunk does not decode");

    size_t from = columns_lower_bound(t_ms, 0, head.count, t_min_ms);
    size_t end = head.count;
    if (t_max_ms < head.last_ms) end = columns_lower_bound(t_ms, from, end, t_max_ms + 1);
    if (from == end) return OK;
    double *v = columns->v + columns->count;
    if (values_decode(parts.values, parts.values_size, v, head.count, NULL))
        return error_set(err, ERR_CORRUPT, "a sealed chunk does not decode");
    memmove(columns->t_ms + columns->count, t_ms + from, (end - from) * sizeof(*t_ms));
    if (from > 0) memmove(v, v + from, (end - from) * sizeof(*v));
    columns->count += end - from;
    return OK;
}

enum status sealed_read_chained(const struct sealed *s, const int64_t range_ms[2],
                                struct columns *columns, struct error *err)
{
    struct sealed_parts parts = sealed_parts(s);
    if (!columns_may_chain(columns)) {
        if (!columns_reserve(columns, sealed_sample_count(s)))
            return arena_error(columns->arena, err);
        return sealed_read(s, range_ms[0], range_ms[1], columns, err);
    }
    enum status st = columns_add_link(columns, &parts, range_ms);
    if (st == ERR_NO_MEMORY || st == ERR_TOO_LARGE) return arena_error(columns->arena, err);
    return st ? error_set(err, st, "a sealed chunk does not decode") : OK;
}

enum status sealed_find(const struct sealed *s, int64_t t_ms, bool *found, double *v)
{
    struct sealed_parts parts = sealed_parts(s);
    struct times_head head;
    enum status st = times_head(parts.times, parts.times_size, &head);
    ASSERT(st == OK);
    *found = false;
    if (t_ms < head.first_ms || t_ms > head.last_ms) return OK;
    size_t bytes = head.count * (sizeof(int64_t) + sizeof(double));
    int64_t *scratch = heap_alloc(bytes, HEAP_CHUNKS);
    if (!scratch) return ERR_NO_MEMORY;
    struct columns all = {
        .t_ms = scratch, .v = (double *)(void *)(scratch + head.count), .count = head.count};
    size_t at;
    st = times_decode(parts.times, parts.times_size, all.t_ms, head.count);
    *found = !st && columns_find(&all, t_ms, &at);
    if (*found) { /* most that come late are new: no need for the values */
        st = values_decode(parts.values, parts.values_size, all.v, head.count, NULL);
        *v = all.v[at];
    }
    ASSERT(st == OK);
    heap_free(scratch, bytes, HEAP_CHUNKS);
    return OK;
}

enum status sealed_export(const struct sealed *s, struct chunk_image *image, struct error *err)
{
    struct sealed_parts parts = sealed_parts(s);
    struct times_head head;
    if (times_head(parts.times, parts.times_size, &head))
        return error_set(err, ERR_CORRUPT, "a sealed chunk does not decode");
    image->encoding = CHUNK_SEALED;
    image->sample_count = head.count;
    image->bytes = parts.values;
    image->size = parts.values_size;
    image->times = parts.times;
    image->times_size = parts.times_size;
    image->t_first_ms = head.first_ms;
    image->t_last_ms = head.last_ms;
    return OK;
}
