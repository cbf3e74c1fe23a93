/*
 * text_table - see text_table.h.
 */
#include "snapshot/text_table.h"

#include <string.h>

#include "base/hash.h"

enum { FIRST_CAPACITY = 512 };

/* Two slots for every text there is room for. */
static size_t table_bytes(uint32_t capacity)
{
    return 2 * (size_t)capacity * sizeof(uint32_t);
}

void text_table_init(struct text_table *s)
{
    *s = (struct text_table){0};
    arena_init(&s->arena, HEAP_SNAPSHOT, UINT64_MAX);
}

void text_table_release(struct text_table *s)
{
    arena_release(&s->arena);
    heap_free(s->items, s->capacity * sizeof(s->items[0]), HEAP_SNAPSHOT);
    heap_free(s->table, table_bytes(s->capacity), HEAP_SNAPSHOT);
    *s = (struct text_table){0};
}

void text_table_reset(struct text_table *s)
{
    arena_reset(&s->arena);
    s->count = 0;
    if (s->capacity) memset(s->table, 0, table_bytes(s->capacity));
}

/* The slot where text is, or where it belongs. */
static uint32_t *find_slot(const struct text_table *s, struct str text)
{
    size_t mask = 2 * (size_t)s->capacity - 1;
    for (size_t i = hash_bytes(text.data, text.size, 0) & mask;; i = (i + 1) & mask) {
        uint32_t *slot = &s->table[i];
        if (*slot == 0 || str_equal(s->items[*slot - 1], text)) return slot;
    }
}

static bool grow(struct text_table *s)
{
    uint32_t capacity = s->capacity ? 2 * s->capacity : FIRST_CAPACITY;
    if (capacity > UINT32_MAX / 4) return false;
    uint32_t *table = heap_calloc(1, table_bytes(capacity), HEAP_SNAPSHOT);
    if (!table) return false;
    struct str *items = heap_resize(s->items, s->capacity * sizeof(items[0]),
                                    capacity * sizeof(items[0]), HEAP_SNAPSHOT);
    if (!items) {
        heap_free(table, table_bytes(capacity), HEAP_SNAPSHOT);
        return false;
    }
    heap_free(s->table, table_bytes(s->capacity), HEAP_SNAPSHOT);
    s->table = table;
    s->items = items;
    s->capacity = capacity;
    for (uint32_t i = 0; i < s->count; i++)
        *find_slot(s, items[i]) = i + 1;
    return true;
}

enum status text_table_intern(struct text_table *s, struct str text, uint32_t *out,
                              struct error *err)
{
    if (s->count == s->capacity && !grow(s))
        return error_set(err, ERR_NO_MEMORY, "no memory for a table of %u texts", s->count);
    uint32_t *slot = find_slot(s, text);
    if (*slot == 0) {
        struct str copy = arena_copy(&s->arena, text);
        if (!copy.data) return arena_error(&s->arena, err);
        s->items[s->count++] = copy;
        *slot = s->count;
    }
    *out = *slot - 1;
    return OK;
}
