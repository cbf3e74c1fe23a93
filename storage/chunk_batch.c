/* chunk_batch - room, words and samples, each for all chunks before the next. */
#include "storage/chunk_batch.h"

#include "encoding/open_lanes.h"
#include "storage/chunk_parts.h"

static enum status read_lanes(const struct chunk_batch_item *items,
                              const struct stream_extent *extents, size_t count,
                              struct arena *scratch, struct open_lane *lanes)
{
    struct cells_copy copies[CHUNK_BATCH_MAX];
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += stream_bytes(extents[i]) + OPEN_LANE_SLACK_BYTES;
    uint8_t *bytes = arena_alloc(scratch, size);
    if (!bytes) return scratch->refused;
    for (size_t i = 0; i < count; i++) {
        struct columns *columns = items[i].columns;
        copies[i] = chunk_stream_begin(items[i].chunk, extents[i], bytes);
        lanes[i] = (struct open_lane){.bytes = bytes,
                                      .size = stream_bytes(extents[i]),
                                      .t_ms = columns->t_ms + columns->count,
                                      .v = columns->v + columns->count,
                                      .count = extents[i].count};
        bytes += lanes[i].size + OPEN_LANE_SLACK_BYTES;
    }
    cells_gather(copies, (uint32_t)count);
    open_lanes_decode(lanes, count);
    return OK;
}

enum status chunk_batch_read(const struct chunk_batch_item *items, size_t count, int64_t t_min_ms,
                             int64_t t_max_ms, struct arena *scratch, size_t *failed,
                             struct error *err)
{
    struct stream_extent extents[CHUNK_BATCH_MAX];
    struct open_lane lanes[CHUNK_BATCH_MAX];
    DEBUG_ASSERT(count <= CHUNK_BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        extents[i] = stream_extent_of(items[i].extent.published);
        if (!columns_reserve(items[i].columns, extents[i].count))
            return arena_error(items[i].columns->arena, err);
    }
    struct arena_mark mark = arena_mark(scratch);
    enum status st = read_lanes(items, extents, count, scratch, lanes);
    arena_rewind(scratch, mark);
    if (st) return arena_error(scratch, err);
    for (size_t i = 0; i < count; i++) {
        struct columns *columns = items[i].columns;
        size_t first = columns->count;
        if (lanes[i].status) {
            *failed = i;
            return chunk_undecodable(items[i].chunk, err);
        }
        columns->count += extents[i].count;
        columns_keep(columns, first, t_min_ms, t_max_ms);
    }
    return OK;
}
