/* symbol_table - linear probing with gaps closed on removal, behind one pointer. */
#include "storage/symbol_table.h"

#include <string.h>

#include "alloc/heap.h"

enum { CAPACITY_MIN = 16, SLOT_BYTES = sizeof(struct symbol *) + sizeof(uint32_t) };

static size_t slots_bytes(uint32_t capacity)
{
    return sizeof(struct symbol_slots) + (size_t)capacity * SLOT_BYTES;
}

static _Atomic uint32_t *hashes_of(struct symbol_slots *slots)
{
    return (_Atomic uint32_t *)(slots->items + slots->capacity);
}

static struct symbol *item_at(const struct symbol_slots *slots, uint32_t at)
{
    return atomic_load_explicit(&slots->items[at], memory_order_acquire);
}

static uint32_t hash_at(struct symbol_slots *slots, uint32_t at)
{
    return atomic_load_explicit(&hashes_of(slots)[at], memory_order_relaxed);
}

/* The hash first: who sees the item sees its hash. */
static void put(struct symbol_slots *slots, uint32_t at, struct symbol *item)
{
    if (item) atomic_store_explicit(&hashes_of(slots)[at], item->hash, memory_order_relaxed);
    atomic_store_explicit(&slots->items[at], item, memory_order_release);
}

static void put_anywhere(struct symbol_slots *slots, struct symbol *item)
{
    uint32_t mask = slots->capacity - 1;
    uint32_t at = item->hash & mask;
    while (item_at(slots, at))
        at = (at + 1) & mask;
    put(slots, at, item);
}

static struct symbol_slots *slots_of(const struct symbol_table *t)
{
    return atomic_load_explicit(&t->slots, memory_order_acquire);
}

struct symbol *symbol_table_find(const struct symbol_table *t, const struct symbol *name,
                                 struct str text, uint32_t hash)
{
    struct symbol_slots *slots = slots_of(t);
    if (!slots) return NULL;
    uint32_t mask = slots->capacity - 1;
    uint32_t at = hash & mask;
    for (uint32_t i = 0; i <= mask; i++, at = (at + 1) & mask) {
        struct symbol *item = item_at(slots, at);
        if (!item) return NULL;
        if (hash_at(slots, at) == hash && item->name == name && str_equal(symbol_text(item), text))
            return item;
    }
    return NULL;
}

static void replace(struct symbol_table *t, struct symbol_slots *slots, struct epoch *epoch)
{
    struct symbol_slots *old = slots_of(t);
    atomic_store_explicit(&t->slots, slots, memory_order_release);
    if (old) epoch_retire(epoch, EPOCH_SYMBOL_SLOTS, &old->retired);
}

static bool resize(struct symbol_table *t, uint32_t capacity, struct epoch *epoch)
{
    struct symbol_slots *old = slots_of(t);
    struct symbol_slots *slots = heap_alloc(slots_bytes(capacity), HEAP_LABELS);
    if (!slots) return false;
    memset(slots, 0, slots_bytes(capacity)); /* as in series_map.c */
    slots->capacity = capacity;
    for (uint32_t i = 0; old && i < old->capacity; i++) {
        struct symbol *item = item_at(old, i);
        if (item) put_anywhere(slots, item);
    }
    replace(t, slots, epoch);
    return true;
}

/* At a load of 3/4 at most. */
bool symbol_table_reserve(struct symbol_table *t, struct epoch *epoch)
{
    const struct symbol_slots *slots = slots_of(t);
    if (!slots) return resize(t, CAPACITY_MIN, epoch);
    if ((uint64_t)(t->count + 1) * 4 <= (uint64_t)slots->capacity * 3) return true;
    return resize(t, slots->capacity * 2, epoch);
}

void symbol_table_insert(struct symbol_table *t, struct symbol *item)
{
    put_anywhere(slots_of(t), item);
    t->count++;
}

void symbol_table_remove(struct symbol_table *t, const struct symbol *item, struct epoch *epoch)
{
    struct symbol_slots *slots = slots_of(t);
    uint32_t mask = slots->capacity - 1;
    uint32_t gap = item->hash & mask;
    while (item_at(slots, gap) != item)
        gap = (gap + 1) & mask;
    /* Every later entry of the run that may move towards its home does (Knuth, 6.4 R). */
    for (uint32_t at = (gap + 1) & mask; item_at(slots, at); at = (at + 1) & mask) {
        uint32_t from_home = (at - hash_at(slots, at)) & mask;
        if (from_home < ((at - gap) & mask)) continue;
        put(slots, gap, item_at(slots, at));
        gap = at;
    }
    put(slots, gap, NULL);
    t->count--;
    if (t->count == 0)
        replace(t, NULL, epoch);
    else if (slots->capacity > CAPACITY_MIN && t->count < slots->capacity / 4)
        (void)resize(t, slots->capacity / 2, epoch); /* refused: it stays large, and works */
}

static void slots_destroy(struct symbol_slots *slots)
{
    if (slots) heap_free(slots, slots_bytes(slots->capacity), HEAP_LABELS);
}

void symbol_table_release(struct symbol_table *t)
{
    slots_destroy(slots_of(t));
}

uint64_t symbol_table_spare(const struct symbol_table *t)
{
    const struct symbol_slots *slots = slots_of(t);
    return slots ? (uint64_t)(slots->capacity - t->count) * SLOT_BYTES : 0;
}

void symbol_table_destroy_retired(void *self, struct epoch_node *node)
{
    (void)self;
    slots_destroy((struct symbol_slots *)node); /* the node is the first field */
}
