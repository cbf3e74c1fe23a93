/*
 * querier - which series have the same labels under some names, or but for some.
 *
 *     key of a series: the value symbols under the names (NULL: none), or all but those
 *     key  --hash-->  number of the class
 *
 * Keys are compared by the addresses of symbols; no text is looked at, but the names' of a series
 * that has none of the symbols asked for.
 */
#include <string.h>

#include "base/hash.h"
#include "storage/select.h"

struct class_name {
    const struct symbol *symbol; /* NULL: there is none now */
    struct str text;
    size_t seen_at; /* where the last series had it among its labels */
};

struct class_slot {
    uint32_t number_plus_one; /* 0: free */
    uint32_t key_count;
    uint64_t hash;
    const struct symbol *const *key;
};

struct series_classes {
    struct arena *arena;
    struct class_name *names;
    size_t name_count;
    bool without;
    const struct symbol **key; /* of the series that is looked at */
    size_t key_count;
    size_t key_capacity;
    struct class_slot *slots;
    size_t capacity; /* a power of two */
    uint32_t count;
};

enum { CLASSES_FIRST = 64 };

enum status series_classes_create(struct querier *q, const struct series_classes_request *request,
                                  struct arena *a, struct series_classes **out, struct error *err)
{
    struct series_classes *c = arena_calloc(a, 1, sizeof(*c));
    if (!c) return arena_error(a, err);
    *c = (struct series_classes){
        .arena = a,
        .name_count = request->name_count,
        .without = request->without,
        .capacity = CLASSES_FIRST,
        .key_capacity = request->name_count,
    };
    c->names = arena_calloc(a, c->name_count, sizeof(*c->names));
    c->key = arena_alloc_array(a, c->key_capacity, sizeof(const struct symbol *));
    c->slots = arena_calloc(a, c->capacity, sizeof(*c->slots));
    if (!c->names || !c->key || !c->slots) return arena_error(a, err);
    for (size_t i = 0; i < c->name_count; i++) {
        c->names[i].text = request->names[i];
        c->names[i].symbol = symbols_find_name(&q->db->symbols, request->names[i]);
    }
    *out = c;
    return OK;
}

/* A name may have had two symbols, when its last series was forgotten and a new one came. */
static bool is_named(const struct symbol *value, const struct class_name *name)
{
    return value->name == name->symbol || str_equal(symbol_text(value->name), name->text);
}

static const struct symbol *value_under(const struct series *s, struct class_name *name)
{
    struct symbol *const *symbols = series_symbols(s);
    size_t guess = name->seen_at;
    if (guess < s->label_count && symbols[guess]->name == name->symbol) return symbols[guess];
    for (size_t i = 0; i < s->label_count; i++) {
        if (!is_named(symbols[i], name)) continue;
        name->seen_at = i;
        return symbols[i];
    }
    return NULL;
}

static bool is_listed(const struct series_classes *c, const struct symbol *value)
{
    for (size_t i = 0; i < c->name_count; i++)
        if (is_named(value, &c->names[i])) return true;
    return false;
}

static enum status make_key(struct series_classes *c, const struct series *s, struct error *err)
{
    struct symbol *const *symbols = series_symbols(s);
    c->key_count = 0;
    if (!c->without) {
        for (size_t i = 0; i < c->name_count; i++)
            c->key[c->key_count++] = value_under(s, &c->names[i]);
        return OK;
    }
    if (s->label_count > c->key_capacity) {
        c->key_capacity = 2 * (size_t)s->label_count;
        c->key = arena_alloc_array(c->arena, c->key_capacity, sizeof(const struct symbol *));
        if (!c->key) return arena_error(c->arena, err);
    }
    for (size_t i = 0; i < s->label_count; i++)
        if (!is_listed(c, symbols[i])) c->key[c->key_count++] = symbols[i];
    return OK;
}

static uint64_t hash_key(const struct series_classes *c)
{
    uint64_t hash = c->key_count;
    for (size_t i = 0; i < c->key_count; i++)
        hash = hash_mix(hash, (uintptr_t)c->key[i]);
    return hash;
}

/* The slot of the key, or the free one where it belongs. */
static struct class_slot *find_slot(const struct series_classes *c, uint64_t hash)
{
    size_t bytes = c->key_count * sizeof(c->key[0]);
    for (size_t at = hash & (c->capacity - 1);; at = (at + 1) & (c->capacity - 1)) {
        struct class_slot *slot = &c->slots[at];
        if (!slot->number_plus_one) return slot;
        if (slot->hash == hash && slot->key_count == c->key_count &&
            (bytes == 0 || memcmp(slot->key, c->key, bytes) == 0))
            return slot;
    }
}

static bool grow(struct series_classes *c)
{
    size_t capacity = c->capacity * 2;
    struct class_slot *slots = arena_calloc(c->arena, capacity, sizeof(*slots));
    if (!slots) return false;
    for (size_t i = 0; i < c->capacity; i++) {
        if (!c->slots[i].number_plus_one) continue;
        size_t at = c->slots[i].hash & (capacity - 1);
        while (slots[at].number_plus_one)
            at = (at + 1) & (capacity - 1);
        slots[at] = c->slots[i];
    }
    c->slots = slots;
    c->capacity = capacity;
    return true;
}

enum status series_classes_find(struct series_classes *c, const struct series *s, uint32_t *number,
                                bool *is_new, struct error *err)
{
    enum status st = make_key(c, s, err);
    if (st) return st;
    uint64_t hash = hash_key(c);
    struct class_slot *slot = find_slot(c, hash);
    *is_new = !slot->number_plus_one;
    if (!*is_new) {
        *number = slot->number_plus_one - 1;
        return OK;
    }
    if (2 * ((size_t)c->count + 1) > c->capacity) {
        if (!grow(c)) return arena_error(c->arena, err);
        slot = find_slot(c, hash);
    }
    const struct symbol **key = arena_alloc_array(c->arena, c->key_count, sizeof(*key));
    if (!key) return arena_error(c->arena, err);
    if (c->key_count) memcpy(key, c->key, c->key_count * sizeof(*key));
    *number = c->count++;
    *slot = (struct class_slot){
        .number_plus_one = c->count, .key_count = (uint32_t)c->key_count, .hash = hash, .key = key};
    return OK;
}
