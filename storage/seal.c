/* seal - reading, encoding, comparing, putting. */
#include "storage/seal.h"

#include <string.h>

#include "encoding/times.h"
#include "encoding/values.h"

static const uint64_t arena_bytes_max = UINT64_C(1) << 32;

void sealer_init(struct sealer *s)
{
    arena_init(&s->arena, HEAP_CHUNKS, arena_bytes_max);
    buf_init(&s->last_t_ms, HEAP_CHUNKS, UINT32_MAX);
    buf_init(&s->times, HEAP_CHUNKS, UINT32_MAX);
    buf_init(&s->values, HEAP_CHUNKS, UINT32_MAX);
}

void sealer_release(struct sealer *s)
{
    arena_release(&s->arena);
    buf_release(&s->last_t_ms);
    buf_release(&s->times);
    buf_release(&s->values);
}

void sealer_reset(struct sealer *s)
{
    sealer_release(s);
    sealer_init(s);
}

static bool has_times(const struct sealer *s, const struct columns *columns)
{
    size_t bytes = columns->count * sizeof(*columns->t_ms);
    return s->last_t_ms.size == bytes && memcmp(s->last_t_ms.data, columns->t_ms, bytes) == 0;
}

/* Encode the times, unless they are those of the chunk before. */
static enum status encode_times(struct sealer *s, const struct columns *columns)
{
    uint32_t count = (uint32_t)columns->count;
    size_t bytes = count * sizeof(*columns->t_ms);
    if (has_times(s, columns)) return OK;
    buf_reset(&s->last_t_ms);
    buf_reset(&s->times);
    enum status st = times_encode(columns->t_ms, count, &s->arena, &s->times);
    if (st) return st;
    int64_t *back = arena_alloc(&s->arena, bytes);
    if (!back) return s->arena.refused;
    if (times_decode(s->times.data, s->times.size, back, count) ||
        memcmp(back, columns->t_ms, bytes) != 0)
        return ERR_CORRUPT;
    buf_append(&s->last_t_ms, columns->t_ms, bytes);
    return buf_status(&s->last_t_ms, NULL);
}

static enum status encode_values(struct sealer *s, const struct columns *columns)
{
    uint32_t count = (uint32_t)columns->count;
    size_t bytes = count * sizeof(*columns->v);
    buf_reset(&s->values);
    enum status st = values_encode(columns->v, count, &s->arena, &s->values);
    if (st) return st;
    double *back = arena_alloc(&s->arena, bytes);
    if (!back) return s->arena.refused;
    if (values_decode(s->values.data, s->values.size, back, count, NULL) ||
        memcmp(back, columns->v, bytes) != 0)
        return ERR_CORRUPT;
    return OK;
}

enum status seal_encode(struct sealer *s, const struct columns *columns, struct sealed_parts *parts)
{
    if (columns->count > UINT32_MAX) return ERR_TOO_LARGE;
    struct arena_mark mark = arena_mark(&s->arena);
    enum status st = encode_times(s, columns);
    if (st) buf_reset(&s->last_t_ms);
    if (!st) st = encode_values(s, columns);
    arena_rewind(&s->arena, mark);
    *parts = (struct sealed_parts){.times = s->times.data,
                                   .times_size = (uint32_t)s->times.size,
                                   .values = s->values.data,
                                   .values_size = (uint32_t)s->values.size};
    return st;
}

/* What was read of the chunk becomes its sealed form. */
static void seal_columns(struct sealer *s, struct regions *regions, const struct columns *columns,
                         struct sealing *item)
{
    struct sealed_parts parts;
    item->samples = (uint32_t)columns->count;
    item->status = seal_encode(s, columns, &parts);
    if (item->status) return;
    item->word = regions_put(regions, item->chunk->window, &parts);
    if (!item->word) item->status = ERR_NO_MEMORY;
}

static void seal_alone(struct sealer *s, struct regions *regions, struct sealing *item)
{
    struct arena_mark mark = arena_mark(&s->arena);
    struct columns columns = {.arena = &s->arena};
    item->status = chunk_read(item->chunk, INT64_MIN, INT64_MAX, &columns, NULL);
    if (!item->status) seal_columns(s, regions, &columns, item);
    arena_rewind(&s->arena, mark);
}

/* Those that are nothing but a stream; false when they cannot be read together. */
static bool read_plain(struct sealer *s, const struct sealing *items, size_t count,
                       struct columns *columns)
{
    struct chunk_batch_item plain[SEAL_TOGETHER];
    size_t together = 0;
    size_t failed;
    for (size_t i = 0; i < count; i++) {
        const struct chunk *c = items[i].chunk;
        columns[i] = (struct columns){.arena = &s->arena};
        if (chunk_is_plain(c))
            plain[together++] = (struct chunk_batch_item){c, chunk_extent_now(c), &columns[i]};
    }
    return chunk_batch_read(plain, together, INT64_MIN, INT64_MAX, &s->arena, &failed, NULL) == OK;
}

void seal_chunks(struct sealer *sealer, struct regions *regions, struct sealing *items,
                 size_t count)
{
    struct columns columns[SEAL_TOGETHER];
    DEBUG_ASSERT(count <= SEAL_TOGETHER);
    struct arena_mark mark = arena_mark(&sealer->arena);
    bool read = read_plain(sealer, items, count, columns);
    for (size_t i = 0; i < count; i++) {
        items[i].word = 0;
        if (read && columns[i].count > 0)
            seal_columns(sealer, regions, &columns[i], &items[i]);
        else
            seal_alone(sealer, regions, &items[i]);
    }
    arena_rewind(&sealer->arena, mark);
}
