/* postings - the table of sets. */
#include "storage/postings.h"

#include <string.h>

#include "alloc/heap.h"
#include "base/assert.h"
#include "base/hash.h"

enum { TABLE_CAPACITY_MIN = 32 };

static uint32_t home_of(const struct symbol *symbol, uint32_t mask)
{
    return (uint32_t)hash_mix(0, (uint64_t)(uintptr_t)symbol) & mask;
}

static bool table_resize(struct postings *p, uint32_t capacity)
{
    struct postings_entry *entries = heap_alloc(capacity * sizeof(*entries), HEAP_INDEX);
    if (!entries) return false;
    memset(entries, 0, capacity * sizeof(*entries)); /* as in series_map.c */
    for (uint32_t i = 0; i < p->capacity; i++) {
        if (!p->entries[i].symbol) continue;
        uint32_t at = home_of(p->entries[i].symbol, capacity - 1);
        while (entries[at].symbol)
            at = (at + 1) & (capacity - 1);
        entries[at] = p->entries[i];
    }
    heap_free(p->entries, p->capacity * sizeof(*p->entries), HEAP_INDEX);
    p->entries = entries;
    p->capacity = capacity;
    return true;
}

static struct postings_entry *entry_find(const struct postings *p, const struct symbol *symbol)
{
    if (p->capacity == 0) return NULL;
    uint32_t mask = p->capacity - 1;
    uint32_t at = home_of(symbol, mask);
    while (p->entries[at].symbol && p->entries[at].symbol != symbol)
        at = (at + 1) & mask;
    return &p->entries[at];
}

static void entry_remove(struct postings *p, const struct postings_entry *entry)
{
    uint32_t mask = p->capacity - 1;
    uint32_t gap = (uint32_t)(entry - p->entries);
    /* Every later entry of the run that may move towards its home does (Knuth, 6.4 R). */
    for (uint32_t at = (gap + 1) & mask; p->entries[at].symbol; at = (at + 1) & mask) {
        uint32_t from_home = (at - home_of(p->entries[at].symbol, mask)) & mask;
        if (from_home < ((at - gap) & mask)) continue;
        p->entries[gap] = p->entries[at];
        gap = at;
    }
    p->entries[gap] = (struct postings_entry){0};
    p->count--;
    if (p->count == 0) {
        heap_free(p->entries, p->capacity * sizeof(*p->entries), HEAP_INDEX);
        *p = (struct postings){0};
    } else if (p->capacity > TABLE_CAPACITY_MIN && p->count < p->capacity / 4) {
        (void)table_resize(p, p->capacity / 2); /* refused: it stays large, and works */
    }
}

/* recent: a guess where the entry is. */
static bool add_one(struct postings *p, const struct symbol *symbol, uint32_t id, uint32_t *recent)
{
    if (*recent < p->capacity && p->entries[*recent].symbol == symbol)
        return id_set_add(&p->entries[*recent].ids, id);
    if ((uint64_t)(p->count + 1) * 4 > (uint64_t)p->capacity * 3 &&
        !table_resize(p, p->capacity ? p->capacity * 2 : TABLE_CAPACITY_MIN))
        return false;
    struct postings_entry *entry = entry_find(p, symbol);
    if (!id_set_add(&entry->ids, id)) return false;
    if (!entry->symbol) {
        entry->symbol = symbol;
        p->count++;
    }
    *recent = (uint32_t)(entry - p->entries);
    return true;
}

bool postings_add(struct postings *p, struct symbol *const *symbols, size_t count, uint32_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (add_one(p, symbols[i], id, &p->recent[i % POSTINGS_RECENT])) continue;
        postings_remove(p, symbols, i, id);
        return false;
    }
    return true;
}

/* The place where the entry of a symbol is or, mostly, will be found; NULL when it has been used
 * just now. */
static ALWAYS_INLINE const struct postings_entry *entry_ahead(const struct postings *p,
                                                              const struct symbol *symbol, size_t i)
{
    uint32_t recent = p->recent[i % POSTINGS_RECENT];
    if (recent < p->capacity && p->entries[recent].symbol == symbol) return NULL;
    return &p->entries[home_of(symbol, p->capacity - 1)];
}

void postings_prefetch(const struct postings *p, struct symbol *const *symbols, size_t count)
{
    for (size_t i = 0; p->capacity && i < count; i++) {
        const struct postings_entry *entry = entry_ahead(p, symbols[i], i);
        if (entry) __builtin_prefetch(entry);
    }
}

void postings_prefetch_sets(const struct postings *p, struct symbol *const *symbols, size_t count)
{
    for (size_t i = 0; p->capacity && i < count; i++) {
        const struct postings_entry *entry = entry_ahead(p, symbols[i], i);
        if (entry && entry->symbol == symbols[i]) id_set_prefetch(&entry->ids);
    }
}

void postings_remove(struct postings *p, struct symbol *const *symbols, size_t count, uint32_t id)
{
    for (size_t i = 0; i < count; i++) {
        struct postings_entry *entry = entry_find(p, symbols[i]);
        DEBUG_ASSERT(entry && entry->symbol);
        id_set_remove(&entry->ids, id);
        if (entry->ids.word == 0) entry_remove(p, entry);
    }
}

void postings_move(struct postings *p)
{
    if (heap_is_emptying(p->entries)) (void)table_resize(p, p->capacity); /* refused: it stays */
}

const struct id_set *postings_find(const struct postings *p, const struct symbol *symbol)
{
    const struct postings_entry *entry = entry_find(p, symbol);
    return entry && entry->symbol ? &entry->ids : NULL;
}

void postings_release(struct postings *p)
{
    for (uint32_t i = 0; i < p->capacity; i++)
        id_set_release(&p->entries[i].ids);
    heap_free(p->entries, p->capacity * sizeof(*p->entries), HEAP_INDEX);
    *p = (struct postings){0};
}

void postings_check(const struct postings *p)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->capacity; i++) {
        if (!p->entries[i].symbol) continue;
        count++;
        ASSERT(p->entries[i].ids.word != 0);
        id_set_check(&p->entries[i].ids);
        ASSERT(entry_find(p, p->entries[i].symbol) == &p->entries[i]);
    }
    ASSERT(count == p->count);
}
