/* resolve - a walk over two sets that are in order of name, most often the same names. */
#include "storage/resolve.h"

enum { ROOM_MIN = 64 };

void resolver_init(struct resolver *r, const struct symbols *symbols, struct arena *a)
{
    *r = (struct resolver){.symbols = symbols, .arena = a};
}

/* The set before is forgotten when there is no room for the next one. */
static bool reserve(struct resolver *r, size_t count)
{
    if (LIKELY(count <= r->room)) return true;
    size_t room = r->room ? r->room * 2 : ROOM_MIN;
    if (room < count) room = count;
    struct symbol **items = arena_alloc_array(r->arena, 2 * room, sizeof(*items));
    if (!items) return false;
    r->items = items;
    r->room = room;
    r->count = 0;
    return true;
}

/* Names and values are short: loads that overlap instead of a call. */
static bool text_equal(struct str a, struct str b)
{
    const uint8_t *x = (const uint8_t *)a.data;
    const uint8_t *y = (const uint8_t *)b.data;
    size_t size = a.size;
    if (size != b.size) return false;
    if (size >= LABEL_BYTES_MIN) return label_bytes_equal(x, y, size);
    if (size >= 4) return memcmp(x, y, 4) == 0 && memcmp(x + size - 4, y + size - 4, 4) == 0;
    return size == 0 || (x[0] == y[0] && x[size / 2] == y[size / 2] && x[size - 1] == y[size - 1]);
}

/* The labels of the set before, from where a label's name may be. */
struct before {
    struct symbol *const *at;
    struct symbol *const *end;
};

/* The symbol under this name in the set before; NULL: it had none. */
static struct symbol *name_before(struct before *before, struct str name)
{
    for (; before->at < before->end; before->at++) {
        struct symbol *value = *before->at;
        if (!value) continue;
        if (LIKELY(text_equal(symbol_text(value->name), name))) return value;
        if (str_compare(symbol_text(value->name), name) > 0) break;
    }
    return NULL;
}

/* The label's symbol, NULL when there is none; its hash in any case. */
static struct symbol *find(const struct symbols *s, struct before *before, const struct label *l,
                           uint32_t *hash)
{
    struct symbol *there = name_before(before, l->name);
    if (there && text_equal(symbol_text(there), l->value)) {
        *hash = there->hash;
        return there;
    }
    const struct symbol *name = there ? there->name : NULL;
    uint32_t name_hash = name ? name->hash : symbol_hash(0, l->name);
    if (!name) name = symbols_peek(s, NULL, l->name, name_hash);
    *hash = symbol_hash(name_hash, l->value);
    return name ? symbols_peek(s, name, l->value, *hash) : NULL;
}

bool resolve(struct resolver *r, struct labels labels, struct resolved *out)
{
    if (!reserve(r, labels.count)) return false;
    struct symbol **last = r->second ? r->items + r->room : r->items;
    struct symbol **next = r->second ? r->items : r->items + r->room;
    struct before before = {.at = last, .end = last + r->count};
    *out = (struct resolved){.labels = labels, .symbols = next, .complete = true};
    for (size_t i = 0; i < labels.count; i++) {
        uint32_t hash;
        next[i] = find(r->symbols, &before, &labels.items[i], &hash);
        out->hash = hash_mix(out->hash, hash);
        if (!next[i]) out->complete = false;
    }
    r->second = !r->second;
    r->count = labels.count;
    return true;
}

bool resolved_keep(struct resolved *set, struct arena *a)
{
    size_t count = set->labels.count;
    struct symbol **symbols = arena_alloc_array(a, count, sizeof(*symbols));
    if (!symbols) return false;
    if (count) memcpy(symbols, set->symbols, count * sizeof(*symbols));
    set->symbols = symbols;
    return true;
}
