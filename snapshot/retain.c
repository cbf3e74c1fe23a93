/*
 * retain - see retain.h.
 */
#include "snapshot/retain.h"

bool retain_manifest(const struct retain *r, uint64_t snapshot)
{
    for (size_t i = 0; i < RETAIN_GENERATIONS; i++)
        if (r->generations[i]->snapshot && r->generations[i]->snapshot == snapshot) return true;
    return false;
}

bool retain_window(const struct retain *r, int64_t window, uint64_t snapshot)
{
    for (size_t i = 0; i < RETAIN_GENERATIONS; i++) {
        if (!r->generations[i]->snapshot) continue;
        const struct window_entry *entry = manifest_find(r->generations[i], window);
        if (entry && entry->snapshot == snapshot) return true;
    }
    return false;
}

bool retain_segment(const struct retain *r, uint64_t number)
{
    for (size_t i = 0; i < RETAIN_GENERATIONS; i++)
        if (!r->generations[i]->snapshot || number >= r->generations[i]->first_segment) return true;
    return false;
}
