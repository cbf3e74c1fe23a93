/* dictionary - checks once, looks up once, counts references by the thousand. */
#include "storage/dictionary.h"

#include "model/names.h"

enum { STOCK = 1024 };

bool dictionary_open(struct dictionary *d, struct symbols *symbols, const struct str *texts,
                     size_t count, struct arena *a)
{
    *d = (struct dictionary){.symbols = symbols, .texts = texts};
    d->items = arena_calloc(a, count, sizeof(*d->items));
    if (!d->items || count >= UINT32_MAX) return false;
    d->count = (uint32_t)count;
    return true;
}

void dictionary_close(struct dictionary *d)
{
    for (uint32_t i = 0; i < d->count; i++)
        if (d->items[i].symbol)
            symbols_give_back(d->symbols, d->items[i].symbol, d->items[i].stock);
    *d = (struct dictionary){0};
}

static enum status corrupt(const struct dictionary *d, uint32_t number, const char *what,
                           struct error *err)
{
    struct str text = d->texts[number];
    return error_set(err, ERR_CORRUPT, "%s: \"%.*s\"", what, STR_ARG(text));
}

static enum status check_name(struct dictionary *d, uint32_t number, struct error *err)
{
    struct dictionary_text *name = &d->items[number];
    if (name->is_name) return OK;
    if (d->texts[number].size == 0) return corrupt(d, number, "empty label name", err);
    if (!name_is_utf8(d->texts[number]))
        return error_set(err, ERR_CORRUPT, "label name is not valid UTF-8");
    name->is_name = true;
    return OK;
}

/* Names strictly ascend. */
static enum status check_order(struct dictionary *d, uint32_t before, uint32_t number,
                               struct error *err)
{
    struct dictionary_text *name = &d->items[number];
    if (name->after == before + 1) return OK;
    if (str_compare(d->texts[before], d->texts[number]) >= 0)
        return corrupt(d, number, "label names are not in order at", err);
    name->after = before + 1;
    return OK;
}

static enum status look_up(struct dictionary *d, uint32_t name, uint32_t number, struct error *err)
{
    struct dictionary_text *value = &d->items[number];
    struct label label = {.name = d->texts[name], .value = d->texts[number]};
    enum status st = check_name(d, name, err);
    if (st) return st;
    if (label.value.size == 0) return corrupt(d, name, "no value of label", err);
    if (!name_is_utf8(label.value))
        return corrupt(d, name, "value is not valid UTF-8 of label", err);
    struct symbol *symbol = symbols_refer(d->symbols, label, STOCK);
    if (!symbol) return error_set(err, ERR_NO_MEMORY, "no memory for a label");
    if (value->symbol) symbols_give_back(d->symbols, value->symbol, value->stock);
    value->symbol = symbol;
    value->name = name;
    value->stock = STOCK;
    return OK;
}

static ALWAYS_INLINE enum status take(struct dictionary *d, uint32_t name, uint32_t number,
                                      struct error *err)
{
    struct dictionary_text *value = &d->items[number];
    if (UNLIKELY(!value->symbol || value->name != name)) {
        enum status st = look_up(d, name, number, err);
        if (st) return st;
    }
    if (UNLIKELY(value->stock == 1)) {
        symbols_refer_more(value->symbol, STOCK);
        value->stock += STOCK;
    }
    value->stock--;
    return OK;
}

enum status dictionary_take(struct dictionary *d, const uint32_t *numbers, size_t count,
                            struct symbol **symbols, uint64_t *hash, struct error *err)
{
    enum status st = OK;
    size_t i = 0;
    *hash = 0;
    for (; i < count; i++) {
        uint32_t name = numbers[2 * i];
        uint32_t value = numbers[2 * i + 1];
        if (name >= d->count || value >= d->count)
            st = error_set(err, ERR_CORRUPT, "a label with a text that is not there");
        if (!st && i > 0) st = check_order(d, numbers[2 * i - 2], name, err);
        if (!st) st = take(d, name, value, err);
        if (st) break;
        symbols[i] = d->items[value].symbol;
        *hash = hash_mix(*hash, symbols[i]->hash);
    }
    if (st) dictionary_give_back(d, numbers, i, symbols);
    return st;
}

void dictionary_give_back(struct dictionary *d, const uint32_t *numbers, size_t count,
                          struct symbol *const *symbols)
{
    for (size_t i = 0; i < count; i++) {
        struct dictionary_text *value = &d->items[numbers[2 * i + 1]];
        if (value->symbol == symbols[i])
            value->stock++;
        else
            symbols_give_back(d->symbols, symbols[i], 1);
    }
}
