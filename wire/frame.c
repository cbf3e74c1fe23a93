/* frame - checks around the snappy C library, which writes only inside the room it is given. */
#include "wire/frame.h"

#include <snappy-c.h>

enum status frame_decode(struct str body, size_t decoded_bytes_max, struct arena *a,
                         struct str *out, struct error *err)
{
    size_t declared = 0;
    if (snappy_uncompressed_length(body.data, body.size, &declared) != SNAPPY_OK)
        return error_set(err, ERR_INVALID, "body is not snappy: bad length of the decoded block");
    if (declared > decoded_bytes_max)
        return error_set(err, ERR_TOO_LARGE,
                         "body declares %zu bytes decoded, at most %zu are allowed", declared,
                         decoded_bytes_max);
    char *data = arena_alloc(a, declared);
    if (!data) return arena_error(a, err);
    size_t written = declared;
    if (snappy_uncompress(body.data, body.size, data, &written) != SNAPPY_OK || written != declared)
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
