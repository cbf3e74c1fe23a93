/* sealed - reading what never changes. */
#include "storage/sealed.h"

#include <endian.h>
#include <string.h>

#include "base/assert.h"
#include "storage/xor_codec.h"

static enum status decode(const struct sealed *s, int64_t t_min_ms, int64_t t_max_ms,
                          struct columns *columns, struct xor_state *state)
{
    return xor_decode(s->bytes, s->size, s->sample_count, t_min_ms, t_max_ms, columns, state);
}

enum status sealed_read(const struct sealed *s, int64_t t_min_ms, int64_t t_max_ms,
                        struct columns *columns, struct error *err)
{
    struct xor_state state;
    enum status st = decode(s, t_min_ms, t_max_ms, columns, &state);
    return st ? error_set(err, st, "a sealed chunk does not decode") : OK;
}

bool sealed_find(const struct sealed *s, int64_t t_ms, double *v)
{
    int64_t t_found;
    struct columns one = {.t_ms = &t_found, .v = v, .capacity = 1};
    struct xor_state state;
    enum status st = decode(s, t_ms, t_ms, &one, &state);
    ASSERT(st == OK);
    return one.count == 1;
}

enum status sealed_export(const struct sealed *s, struct chunk_image *image, struct error *err)
{
    struct xor_state state;
    uint64_t t_first;
    if (decode(s, INT64_MIN, INT64_MAX, NULL, &state))
        return error_set(err, ERR_CORRUPT, "a sealed chunk does not decode");
    memcpy(&t_first, s->bytes, sizeof(t_first));
    image->encoding = CHUNK_XOR;
    image->sample_count = s->sample_count;
    image->size = s->size;
    image->bytes = s->bytes;
    image->t_first_ms = (int64_t)be64toh(t_first);
    image->t_last_ms = state.t_ms;
    return OK;
}
