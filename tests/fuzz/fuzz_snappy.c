/* links: wire */
/*
 * A snappy block, decoded by us and by the snappy library: both must find the same bytes, or refuse
 * it. And whatever the library encodes, the input as it is, we decode.
 */
#include <snappy-c.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DECODED_BYTES_MAX = 1 << 20, ARENA_BYTES = 8 << 20 };

static void compare_decoded(struct str block, struct arena *a)
{
    struct str ours;
    size_t declared = 0;
    bool known = snappy_uncompressed_length(block.data, block.size, &declared) == SNAPPY_OK;
    enum status st = frame_decode(block, DECODED_BYTES_MAX, a, &ours, NULL);
    if (known && declared > DECODED_BYTES_MAX) {
        ASSERT(st == ERR_TOO_LARGE);
        return;
    }
    char *theirs = known ? arena_alloc(a, declared) : NULL;
    size_t written = declared;
    bool good = theirs && snappy_uncompress(block.data, block.size, theirs, &written) == SNAPPY_OK;
    /* A literal of 2^32 bytes is one of none to the library. */
    if (good && st == ERR_INVALID && memmem(block.data, block.size, "\xFC\xFF\xFF\xFF\xFF", 5))
        return;
    ASSERT(good == (st == OK));
    if (!good) return;
    ASSERT(ours.size == written && memcmp(ours.data, theirs, written) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str input = {.data = (const char *)data, .size = size};
    struct str encoded;
    struct str decoded;
    struct arena a;
    arena_init(&a, HEAP_HTTP, ARENA_BYTES);
    compare_decoded(input, &a);
    if (size <= DECODED_BYTES_MAX) {
        ASSERT(frame_encode(input, &a, &encoded, NULL) == OK);
        ASSERT(frame_decode(encoded, size, &a, &decoded, NULL) == OK);
        ASSERT(str_equal(input, decoded));
    }
    arena_release(&a);
    return 0;
}
