/* hash - the one door to libxxhash. */
#include "base/hash.h"

#include "base/assert.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_xxh64(const void *data, size_t size)
{
    if (!size) data = "";
    ASSERT(data);
    return XXH64(data, size, 0);
}

uint64_t hash_bytes(const void *data, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(size ? data : "", size, seed);
}
