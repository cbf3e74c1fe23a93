/* frame - the declared length, then the elements by ourselves; encoding is the snappy library's. */
#include "wire/frame.h"

#include <snappy-c.h>
#include <string.h>

#include "base/varint.h"
#include "wire/snappy_block.h"

enum { LENGTH_BYTES_MAX = 5 };

enum status frame_decode(struct str body, size_t decoded_bytes_max, struct arena *a,
                         struct str *out, struct error *err)
{
    uint64_t declared = 0;
    const uint8_t *start = (const uint8_t *)body.data;
    size_t length = varint_decode(start, start + body.size, &declared);
    if (length == 0 || length > LENGTH_BYTES_MAX || declared > UINT32_MAX)
        return error_set(err, ERR_INVALID, "body is not snappy: bad length of the decoded block");
    if (declared > decoded_bytes_max)
        return error_set(err, ERR_TOO_LARGE,
                         "body declares %zu bytes decoded, at most %zu are allowed", declared,
                         decoded_bytes_max);
    char *data = arena_alloc(a, FRAME_FRONT_BYTES + declared);
    if (!data) return arena_error(a, err);
    memset(data, 0, FRAME_FRONT_BYTES);
    data += FRAME_FRONT_BYTES;
    struct str elements = {.data = body.data + length, .size = body.size - length};
    if (!snappy_block_decode(elements, (uint8_t *)data, declared))
        return error_set(err, ERR_INVALID, "body is not snappy: the block is damaged");
    *out = (struct str){.data = data, .size = declared};
    return OK;
}

enum status frame_encode(struct str data, struct arena *a, struct str *out, struct error *err)
{
    if (data.size > UINT32_MAX)
        return error_set(err, ERR_TOO_LARGE, "%zu bytes do not fit one snappy block", data.size);
    size_t written = snappy_max_compressed_length(data.size);
    char *encoded = arena_alloc(a, written);
    if (!encoded) return arena_error(a, err);
    if (snappy_compress(data.data, data.size, encoded, &written) != SNAPPY_OK)
        return error_set(err, ERR_INVALID, "snappy refused to encode %zu bytes", data.size);
    *out = (struct str){.data = encoded, .size = written};
    return OK;
}
