/* sealed - reading what never changes. */
#include "storage/sealed.h"

#include <endian.h>
#include <string.h>

#include "base/assert.h"
#include "encoding/open_codec.h"

/* Behind what the columns have, which have room for all. */
static enum status decode(const struct sealed *s, struct columns *columns)
{
    struct open_state state;
    size_t first = columns->count;
    columns->count += s->sample_count;
    return open_decode(s->bytes, s->size, s->sample_count, columns->t_ms + first,
                       columns->v + first, &state);
}

enum status sealed_read(const struct sealed *s, int64_t t_min_ms, int64_t t_max_ms,
                        struct columns *columns, struct error *err)
{
    size_t first = columns->count;
    enum status st = decode(s, columns);
    if (st) return error_set(err, st, "a sealed chunk does not decode");
    columns_keep(columns, first, t_min_ms, t_max_ms);
    return OK;
}

enum status sealed_find(const struct sealed *s, int64_t t_ms, bool *found, double *v)
{
    size_t bytes = s->sample_count * (sizeof(int64_t) + sizeof(double));
    int64_t *scratch = heap_alloc(bytes, HEAP_CHUNKS);
    if (!scratch) return ERR_NO_MEMORY;
    struct columns all = {.t_ms = scratch, .v = (double *)(void *)(scratch + s->sample_count)};
    enum status st = decode(s, &all);
    ASSERT(st == OK);
    columns_keep(&all, 0, t_ms, t_ms);
    *found = all.count == 1;
    if (*found) *v = all.v[0];
    heap_free(scratch, bytes, HEAP_CHUNKS);
    return OK;
}

enum status sealed_export(const struct sealed *s, struct chunk_image *image, struct error *err)
{
    struct open_state state;
    uint64_t t_first;
    if (open_decode(s->bytes, s->size, s->sample_count, NULL, NULL, &state))
        return error_set(err, ERR_CORRUPT, "a sealed chunk does not decode");
    memcpy(&t_first, s->bytes, sizeof(t_first));
    image->encoding = CHUNK_OPEN;
    image->sample_count = s->sample_count;
    image->size = s->size;
    image->bytes = s->bytes;
    image->t_first_ms = (int64_t)be64toh(t_first);
    image->t_last_ms = state.t_ms;
    return OK;
}
