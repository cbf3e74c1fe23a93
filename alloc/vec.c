/* vec - doubling on an arena. */
#define PLACE_OF_CALLER
#include "alloc/vec.h"

#include <string.h>

enum { FIRST_ITEMS = 8 };

bool vec_grow(struct arena *a, void *items_field, size_t *capacity, size_t item_bytes)
{
    /* The field is a pointer to some type; copying its bytes is the way to reach all of them. */
    void *items;
    memcpy(&items, items_field, sizeof(items));
    size_t more = *capacity ? *capacity * 2 : FIRST_ITEMS;
    size_t bytes;
    if (more < *capacity || __builtin_mul_overflow(more, item_bytes, &bytes)) {
        a->refused = ERR_TOO_LARGE;
        return false;
    }
    items = arena_resize(a, items, *capacity * item_bytes, bytes);
    if (!items) return false;
    memcpy(items_field, &items, sizeof(items));
    *capacity = more;
    return true;
}
