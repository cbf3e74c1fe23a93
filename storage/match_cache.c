/* match_cache - a table of atomic pointers. */
#include "storage/match_cache.h"

#include "alloc/heap.h"

struct match_entry {
    struct epoch_node retired; /* first: destroyed through it */
    size_t bytes;
    const struct symbol *name; /* only compared: it may be gone */
    uint64_t generation;
    enum matcher_type type;
    bool any;
    struct str pattern; /* behind the values */
    size_t count;
    struct symbol *values[];
};

static _Atomic(struct match_entry *) *slot_of(struct match_cache *c, const struct match_question *q)
{
    const struct str pattern = q->matcher->value;
    uint64_t seed = hash_mix((uint64_t)q->matcher->type, (uint64_t)(uintptr_t)q->name);
    return &c->slots[hash_bytes(pattern.data, pattern.size, seed) % MATCH_CACHE_SLOTS];
}

static bool answers(const struct match_entry *entry, const struct match_question *q)
{
    return entry->name == q->name && entry->generation == q->generation &&
           entry->type == q->matcher->type && str_equal(entry->pattern, q->matcher->value);
}

/* Put an entry, or nothing, where another one may be. */
static void replace(struct match_cache *c, _Atomic(struct match_entry *) *slot,
                    struct match_entry *entry)
{
    struct match_entry *old = atomic_exchange_explicit(slot, entry, memory_order_acq_rel);
    if (!old) return;
    atomic_fetch_sub_explicit(&c->bytes, old->bytes, memory_order_relaxed);
    epoch_retire(c->epoch, EPOCH_MATCHES, &old->retired);
}

/* Count so many bytes, after making room for them: one round over all slots makes as much as there
 * can be. */
static void reserve(struct match_cache *c, size_t bytes)
{
    uint64_t held = atomic_fetch_add_explicit(&c->bytes, bytes, memory_order_relaxed) + bytes;
    for (int i = 0; i < MATCH_CACHE_SLOTS && held > MATCH_CACHE_BYTES_MAX; i++) {
        uint32_t at = atomic_fetch_add_explicit(&c->hand, 1, memory_order_relaxed);
        replace(c, &c->slots[at % MATCH_CACHE_SLOTS], NULL);
        held = atomic_load_explicit(&c->bytes, memory_order_relaxed);
    }
}

void match_cache_init(struct match_cache *c, struct epoch *epoch)
{
    *c = (struct match_cache){.epoch = epoch};
}

static void entry_destroy(struct match_entry *entry)
{
    if (entry) heap_free(entry, entry->bytes, HEAP_INDEX);
}

void match_cache_release(struct match_cache *c)
{
    for (size_t i = 0; i < MATCH_CACHE_SLOTS; i++)
        entry_destroy(atomic_load_explicit(&c->slots[i], memory_order_relaxed));
}

bool match_cache_find(struct match_cache *c, const struct match_question *q,
                      struct match_answer *out)
{
    struct match_entry *entry = atomic_load_explicit(slot_of(c, q), memory_order_acquire);
    if (!entry || !answers(entry, q)) {
        counter_add(&c->misses, 1);
        return false;
    }
    counter_add(&c->hits, 1);
    *out = (struct match_answer){.any = entry->any, .values = entry->values, .count = entry->count};
    return true;
}

void match_cache_put(struct match_cache *c, const struct match_question *q,
                     const struct match_answer *answer)
{
    const struct str pattern = q->matcher->value;
    size_t bytes =
        sizeof(struct match_entry) + answer->count * sizeof(*answer->values) + pattern.size;
    if (bytes > MATCH_CACHE_ANSWER_BYTES_MAX || atomic_load(&c->closed)) return;
    struct match_entry *entry = heap_alloc(bytes, HEAP_INDEX);
    if (!entry) return;
    char *text = (char *)(entry->values + answer->count);
    *entry = (struct match_entry){.bytes = bytes,
                                  .name = q->name,
                                  .generation = q->generation,
                                  .type = q->matcher->type,
                                  .any = answer->any,
                                  .pattern = {.data = text, .size = pattern.size},
                                  .count = answer->count};
    if (answer->count)
        memcpy(entry->values, answer->values, answer->count * sizeof(*answer->values));
    if (pattern.size) memcpy(text, pattern.data, pattern.size);
    reserve(c, bytes);
    replace(c, slot_of(c, q), entry);
    if (atomic_load(&c->closed)) replace(c, slot_of(c, q), NULL); /* closed meanwhile */
}

void match_cache_close(struct match_cache *c, bool closed)
{
    atomic_store(&c->closed, closed);
    for (size_t i = 0; closed && i < MATCH_CACHE_SLOTS; i++) {
        if (atomic_load_explicit(&c->slots[i], memory_order_relaxed))
            replace(c, &c->slots[i], NULL);
    }
}

void match_cache_destroy_retired(void *self, struct epoch_node *node)
{
    (void)self;
    entry_destroy((struct match_entry *)node); /* the node is the first field */
}
