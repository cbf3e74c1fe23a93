/* series - life of the record, and comparing label sets through shared symbols. */
#include "storage/series.h"

#include "base/assert.h"

static size_t bytes_of(uint32_t slots, size_t labels)
{
    return sizeof(struct series) + slots * sizeof(uint64_t) + labels * sizeof(struct symbol *);
}

struct series *series_create(const struct resolved *set, uint32_t slots)
{
    size_t count = set->labels.count;
    DEBUG_ASSERT(count <= SERIES_LABELS_MAX);
    struct series *s = heap_calloc(1, bytes_of(slots, count), HEAP_SERIES);
    if (!s) return NULL;
    s->hash = (uint32_t)set->hash;
    s->label_count = (uint16_t)count;
    s->slots = (uint8_t)slots;
    if (count) memcpy(series_symbols(s), set->symbols, count * sizeof(*set->symbols));
    return s;
}

size_t series_bytes(const struct series *s)
{
    return bytes_of(s->slots, s->label_count);
}

void series_destroy(struct series *s)
{
    heap_free(s, series_bytes(s), HEAP_SERIES);
}

bool series_has_labels(const struct series *s, const struct resolved *set)
{
    struct symbol *const *symbols = series_symbols(s);
    if (s->label_count != set->labels.count) return false;
    for (size_t i = 0; i < s->label_count; i++) {
        const struct symbol *symbol = set->symbols[i];
        if (symbols[i] == symbol) continue;
        /* Perhaps it was not there yet, or its last series went and a new one came since. */
        struct label label = symbol ? symbol_label(symbol) : set->labels.items[i];
        if (!str_equal(symbol_text(symbols[i]), label.value)) return false;
        if (!str_equal(symbol_text(symbols[i]->name), label.name)) return false;
    }
    return true;
}

void series_prefetch(const struct series *s)
{
    enum { BYTES_BLIND = 4 * CACHE_LINE_BYTES }; /* how long it is, it would have to tell itself */
    for (size_t at = 0; at < BYTES_BLIND; at += CACHE_LINE_BYTES)
        __builtin_prefetch((const char *)s + at);
}

bool series_is_empty(const struct series *s)
{
    for (uint32_t slot = 0; slot < s->slots; slot++) {
        if (series_word(s, slot)) return false;
    }
    return true;
}

struct symbol *series_find_symbol(const struct series *s, const struct symbol *name)
{
    struct symbol *const *symbols = series_symbols(s);
    for (size_t i = 0; i < s->label_count; i++) {
        if (symbols[i]->name == name) return symbols[i];
    }
    return NULL;
}
