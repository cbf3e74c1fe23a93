/*
 * definitions - see definitions.h.
 */
#include "snapshot/definitions.h"

#include <string.h>

enum { FIRST_CAPACITY = 64, PAGE_BYTES = DEFINITION_PAGE_IDS * sizeof(struct definition_slot) };

void definitions_init(struct definitions *d)
{
    *d = (struct definitions){0};
    text_table_init(&d->texts);
    buf_init(&d->words, HEAP_SNAPSHOT, (size_t)UINT32_MAX * sizeof(uint32_t) / 2);
}

void definitions_release(struct definitions *d)
{
    for (size_t i = 0; i < d->capacity; i++)
        heap_free(d->pages[i].slots, PAGE_BYTES, HEAP_SNAPSHOT);
    heap_free(d->pages, d->capacity * sizeof(d->pages[0]), HEAP_SNAPSHOT);
    text_table_release(&d->texts);
    buf_release(&d->words);
    *d = (struct definitions){0};
}

void definitions_reset(struct definitions *d)
{
    text_table_reset(&d->texts);
    buf_reset(&d->words);
    for (size_t i = 0; i < d->capacity; i++)
        if (d->pages[i].slots) memset(d->pages[i].slots, 0, PAGE_BYTES);
}

/* Where the page is, or would be: not by a hash, so that neighbours are found side by side. */
static struct definition_page *find_page(struct definition_page *pages, size_t capacity,
                                         uint32_t number)
{
    for (size_t i = number & (capacity - 1);; i = (i + 1) & (capacity - 1))
        if (!pages[i].slots || pages[i].number == number) return &pages[i];
}

static bool grow(struct definitions *d)
{
    size_t capacity = d->capacity ? 2 * d->capacity : FIRST_CAPACITY;
    struct definition_page *pages = heap_calloc(capacity, sizeof(pages[0]), HEAP_SNAPSHOT);
    if (!pages) return false;
    for (size_t i = 0; i < d->capacity; i++)
        if (d->pages[i].slots) *find_page(pages, capacity, d->pages[i].number) = d->pages[i];
    heap_free(d->pages, d->capacity * sizeof(d->pages[0]), HEAP_SNAPSHOT);
    d->pages = pages;
    d->capacity = capacity;
    return true;
}

static uint32_t word_at(const struct definitions *d, size_t index)
{
    uint32_t word;
    memcpy(&word, d->words.data + index * sizeof(word), sizeof(word));
    return word;
}

/* The second copy of labels in a segment is the rule, not the exception: it costs no memory. */
static bool is_known(const struct definitions *d, size_t place, struct labels labels)
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
    uint32_t number = id / DEFINITION_PAGE_IDS;
    if (2 * (d->count + 1) > d->capacity && !grow(d)) return NULL;
    struct definition_page *page = find_page(d->pages, d->capacity, number);
    if (!page->slots) {
        struct definition_slot *slots = heap_calloc(1, PAGE_BYTES, HEAP_SNAPSHOT);
        if (!slots) return NULL;
        *page = (struct definition_page){.slots = slots, .number = number};
        d->count++;
    }
    return &page->slots[id % DEFINITION_PAGE_IDS];
}

enum status definitions_set(struct definitions *d, uint32_t id, struct labels labels,
                            struct error *err)
{
    struct definition_slot *slot = definitions_claim(d, id);
    if (!slot) return error_set(err, ERR_NO_MEMORY, "no memory for the labels of series %u", id);
    if (slot->what == DEFINITION_KEPT && is_known(d, slot->at, labels)) return OK;

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
    slot->what = DEFINITION_KEPT;
    slot->at = place & DEFINITION_AT_MAX; /* all of it: words has fewer */
    return OK;
}

struct definition_slot *definitions_find(const struct definitions *d, uint32_t id)
{
    if (d->capacity == 0) return NULL;
    struct definition_page *page = find_page(d->pages, d->capacity, id / DEFINITION_PAGE_IDS);
    struct definition_slot *slot = page->slots ? &page->slots[id % DEFINITION_PAGE_IDS] : NULL;
    return slot && slot->what != DEFINITION_NONE ? slot : NULL;
}

void definitions_prefetch(const struct definitions *d, uint32_t id)
{
    if (d->capacity == 0) return;
    const struct definition_page *page = &d->pages[id / DEFINITION_PAGE_IDS & (d->capacity - 1)];
    if (page->slots) __builtin_prefetch(&page->slots[id % DEFINITION_PAGE_IDS]);
}

enum status definitions_get(const struct definitions *d, uint32_t id, struct arena *a,
                            struct labels *out, struct error *err)
{
    const struct definition_slot *slot = definitions_find(d, id);
    if (!slot || slot->what != DEFINITION_KEPT)
        return error_set(err, ERR_NOT_FOUND, "series %u has no labels", id);
    size_t place = slot->at;
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
