/*
 * definitions - see definitions.h.
 */
#include "snapshot/definitions.h"

#include <string.h>

#include "base/hash.h"

enum { FIRST_SLOTS = 1024 };

void definitions_init(struct definitions *d)
{
    *d = (struct definitions){0};
    text_table_init(&d->texts);
    buf_init(&d->words, HEAP_SNAPSHOT, (size_t)UINT32_MAX * sizeof(uint32_t) / 2);
}

void definitions_release(struct definitions *d)
{
    text_table_release(&d->texts);
    buf_release(&d->words);
    heap_free(d->slots, d->slot_count * sizeof(d->slots[0]), HEAP_SNAPSHOT);
    *d = (struct definitions){0};
}

void definitions_reset(struct definitions *d)
{
    text_table_reset(&d->texts);
    buf_reset(&d->words);
    if (d->slot_count) memset(d->slots, 0, d->slot_count * sizeof(d->slots[0]));
    d->used = 0;
}

static struct definition_slot *find_slot(struct definition_slot *slots, size_t count, uint32_t id)
{
    for (size_t i = hash_mix(1, id) & (count - 1);; i = (i + 1) & (count - 1))
        if (slots[i].what == DEFINITION_NONE || slots[i].id == id) return &slots[i];
}

static bool grow(struct definitions *d)
{
    size_t count = d->slot_count ? 2 * d->slot_count : FIRST_SLOTS;
    struct definition_slot *slots = heap_calloc(count, sizeof(slots[0]), HEAP_SNAPSHOT);
    if (!slots) return false;
    for (size_t i = 0; i < d->slot_count; i++)
        if (d->slots[i].what) *find_slot(slots, count, d->slots[i].id) = d->slots[i];
    heap_free(d->slots, d->slot_count * sizeof(d->slots[0]), HEAP_SNAPSHOT);
    d->slots = slots;
    d->slot_count = count;
    return true;
}

static uint32_t word_at(const struct definitions *d, size_t index)
{
    uint32_t word;
    memcpy(&word, d->words.data + index * sizeof(word), sizeof(word));
    return word;
}

/* The second copy of labels in a segment is the rule, not the exception: it costs no memory. */
static bool is_known(const struct definitions *d, uint32_t place, struct labels labels)
{
    if (word_at(d, place) != labels.count) return false;
    for (size_t i = 0; i < labels.count; i++) {
        const struct str *texts = d->texts.items;
        if (!str_equal(texts[word_at(d, place + 1 + 2 * i)], labels.items[i].name) ||
            !str_equal(texts[word_at(d, place + 2 + 2 * i)], labels.items[i].value))
            return false;
    }
    return true;
}

struct definition_slot *definitions_claim(struct definitions *d, uint32_t id)
{
    if (4 * (d->used + 1) > 3 * d->slot_count && !grow(d)) return NULL;
    struct definition_slot *slot = find_slot(d->slots, d->slot_count, id);
    if (slot->what == DEFINITION_NONE) {
        slot->id = id;
        d->used++;
    }
    return slot;
}

enum status definitions_set(struct definitions *d, uint32_t id, struct labels labels,
                            struct error *err)
{
    struct definition_slot *slot = definitions_claim(d, id);
    if (!slot)
        return error_set(err, ERR_NO_MEMORY, "no memory for the labels of %zu series", d->used);
    if (slot->what >= DEFINITION_KEPT && is_known(d, slot->what - DEFINITION_KEPT, labels))
        return OK;

    size_t place = d->words.size / sizeof(uint32_t);
    uint32_t count = (uint32_t)labels.count;
    buf_append(&d->words, &count, sizeof(count));
    for (size_t i = 0; i < labels.count; i++) {
        uint32_t pair[2];
        enum status st = text_table_intern(&d->texts, labels.items[i].name, &pair[0], err);
        if (st == OK) st = text_table_intern(&d->texts, labels.items[i].value, &pair[1], err);
        if (st) return st;
        buf_append(&d->words, pair, sizeof(pair));
    }
    enum status st = buf_status(&d->words, err);
    if (st) return st;
    *slot = (struct definition_slot){.id = id, .what = (uint32_t)place + DEFINITION_KEPT};
    return OK;
}

struct definition_slot *definitions_find(const struct definitions *d, uint32_t id)
{
    struct definition_slot *slot = d->slot_count ? find_slot(d->slots, d->slot_count, id) : NULL;
    return slot && slot->what ? slot : NULL;
}

void definitions_prefetch(const struct definitions *d, uint32_t id)
{
    if (d->slot_count) __builtin_prefetch(&d->slots[hash_mix(1, id) & (d->slot_count - 1)]);
}

enum status definitions_get(const struct definitions *d, uint32_t id, struct arena *a,
                            struct labels *out, struct error *err)
{
    const struct definition_slot *slot = definitions_find(d, id);
    if (!slot || slot->what < DEFINITION_KEPT)
        return error_set(err, ERR_NOT_FOUND, "series %u has no labels", id);
    size_t place = slot->what - DEFINITION_KEPT;
    size_t count = word_at(d, place);
    struct label *items = arena_alloc_array(a, count, sizeof(items[0]));
    if (!items) return arena_error(a, err);
    for (size_t i = 0; i < count; i++) {
        items[i].name = d->texts.items[word_at(d, place + 1 + 2 * i)];
        items[i].value = d->texts.items[word_at(d, place + 2 + 2 * i)];
    }
    *out = (struct labels){.items = items, .count = count};
    return OK;
}
