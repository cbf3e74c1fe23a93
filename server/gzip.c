/* gzip - one deflate stream per body, at the fastest level: bodies are text that repeats itself. */
#include "server/gzip.h"

#include <zlib.h>

#include "base/assert.h"

enum {
    GZIP_WINDOW_BITS = 15 + 16, /* the largest window; 16 asks for the gzip header */
    GZIP_MEMORY_LEVEL = 8,
    OUTPUT_STEP_BYTES = 16 << 10,
    INPUT_BYTES_MAX = 1 << 30 /* zlib counts input in unsigned int */
};

static void *take(void *unused, unsigned count, unsigned size)
{
    (void)unused;
    /* zlib forgets the size. Its numbers are small: the product fits. */
    return heap_calloc(1, heap_good_size((size_t)count * size), HEAP_HTTP);
}

static void give(void *unused, void *p)
{
    (void)unused;
    heap_free_unsized(p, HEAP_HTTP);
}

enum status gzip_encode(const uint8_t *data, size_t size, struct buf *out, struct error *err)
{
    z_stream stream = {.zalloc = take, .zfree = give};
    if (size > INPUT_BYTES_MAX)
        return error_set(err, ERR_TOO_LARGE, "%zu bytes are too many to compress at once", size);
    if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return error_set(err, ERR_NO_MEMORY, "no memory to compress the answer");
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)size;
    int result = Z_OK;
    while (result == Z_OK) {
        uint8_t *at = buf_reserve(out, OUTPUT_STEP_BYTES);
        if (!at) break;
        stream.next_out = at;
        stream.avail_out = OUTPUT_STEP_BYTES;
        result = deflate(&stream, Z_FINISH);
        out->size += OUTPUT_STEP_BYTES - stream.avail_out;
    }
    ASSERT(result == Z_STREAM_END || out->refused != OK);
    deflateEnd(&stream);
    return buf_status(out, err);
}
