/* symbols - interning, counting references, listing. */
#include "storage/symbols.h"

#include <string.h>

#include "base/assert.h"

enum { LIST_CAPACITY_MIN = 2, LOOKUPS_AT_ONCE = 256, CREDIT_MAX = 64 };

static struct symbol_table *table_of(struct symbols *s, uint32_t hash)
{
    return &s->tables[hash >> SYMBOL_TABLE_SHIFT];
}

/* Grow *items to hold count + 1 elements. */
static bool list_reserve(void **items, uint32_t count, uint32_t *capacity, size_t item_bytes)
{
    if (count < *capacity) return true;
    uint32_t wanted = *capacity ? *capacity * 2 : LIST_CAPACITY_MIN;
    void *grown = heap_resize(*items, *capacity * item_bytes, wanted * item_bytes, HEAP_LABELS);
    if (!grown) return false;
    *items = grown;
    *capacity = wanted;
    return true;
}

static void list_shrink(void **items, uint32_t count, uint32_t *capacity, size_t item_bytes)
{
    if (count == 0) {
        heap_free(*items, *capacity * item_bytes, HEAP_LABELS);
        *items = NULL;
        *capacity = 0;
    } else if (*capacity > LIST_CAPACITY_MIN && count * 8 < *capacity * 3) {
        void *shrunk =
            heap_resize(*items, *capacity * item_bytes, *capacity / 2 * item_bytes, HEAP_LABELS);
        if (!shrunk) return; /* it stays large, and works */
        *items = shrunk;
        *capacity /= 2;
    }
}

static size_t values_bytes(const struct symbol_family *f)
{
    return f->capacity * sizeof(f->values[0]);
}

static bool families_reserve(struct symbols *s)
{
    void *items = s->families;
    bool ok = list_reserve(&items, s->family_count, &s->family_capacity, sizeof(*s->families));
    s->families = items;
    return ok;
}

static bool values_reserve(struct symbol_family *f)
{
    void *items = f->values;
    bool ok = list_reserve(&items, f->count, &f->capacity, sizeof(struct symbol *));
    f->values = items;
    return ok;
}

/* A family for a name, without values; the room was reserved. */
static void family_add(struct symbols *s, struct symbol *name)
{
    name->position = s->family_count;
    s->families[s->family_count++] = (struct symbol_family){.name = name};
}

/* Put a value into the family of its name; the room was reserved. */
static void value_add(struct symbols *s, struct symbol *item)
{
    struct symbol_family *f = &s->families[item->name->position];
    item->position = f->count;
    f->values[f->count++] = item;
    f->value_bytes += item->size;
    f->generation = ++s->generation;
    atomic_fetch_add_explicit(&item->name->refs, 1, memory_order_relaxed);
    gauge_add(&s->pair_count, 1);
}

/* The family of a name that has no values any more goes; the last one takes its place. */
static void family_remove(struct symbols *s, const struct symbol *name)
{
    struct symbol_family *gone = &s->families[name->position];
    DEBUG_ASSERT(gone->count == 0);
    heap_free(gone->values, values_bytes(gone), HEAP_LABELS); /* reserved, never used */
    *gone = s->families[--s->family_count];
    gone->name->position = name->position;
    void *items = s->families;
    list_shrink(&items, s->family_count, &s->family_capacity, sizeof(*s->families));
    s->families = items;
}

/* Take a value out of the family of its name; the last one takes its place. */
static void value_remove(struct symbols *s, const struct symbol *item)
{
    struct symbol_family *f = &s->families[item->name->position];
    struct symbol *last = f->values[--f->count];
    f->values[item->position] = last;
    last->position = item->position;
    f->value_bytes -= item->size;
    f->generation = ++s->generation;
    void *items = f->values;
    list_shrink(&items, f->count, &f->capacity, sizeof(struct symbol *));
    f->values = items;
    gauge_add(&s->pair_count, -1);
}

/* A new symbol without references, in table and list. NULL at the limit, nothing changed. */
static struct symbol *symbol_create(struct symbols *s, struct symbol *name, struct str text,
                                    uint32_t hash)
{
    struct symbol_table *t = table_of(s, hash);
    if (!symbol_table_reserve(t, s->epoch)) return NULL;
    if (name ? !values_reserve(&s->families[name->position]) : !families_reserve(s)) return NULL;
    struct label label = {.name = name ? symbol_text(name) : (struct str){0}, .value = text};
    size_t head = name ? label_bytes_head(label) : 0;
    struct symbol *item = heap_alloc(sizeof(*item) + head + text.size, HEAP_LABELS);
    if (!item) return NULL;
    *item = (struct symbol){.name = name,
                            .hash = hash,
                            .size = (uint32_t)text.size,
                            .bytes_size = (uint32_t)(head + text.size)};
    seen_init(&item->seen);
    if (name)
        label_bytes_put(label, item->bytes);
    else if (text.size)
        memcpy(item->bytes, text.data, text.size);
    if (name)
        value_add(s, item);
    else
        family_add(s, item);
    symbol_table_insert(t, item);
    gauge_add(&s->symbol_count, 1);
    gauge_add(&s->text_bytes, (int64_t)text.size);
    return item;
}

/* Out of table and list, and retired. */
static void symbol_remove(struct symbols *s, struct symbol *item)
{
    symbol_table_remove(table_of(s, item->hash), item, s->epoch);
    if (item->name)
        value_remove(s, item);
    else
        family_remove(s, item);
    gauge_add(&s->symbol_count, -1);
    gauge_add(&s->text_bytes, -(int64_t)item->size);
    epoch_retire(s->epoch, EPOCH_SYMBOL, &item->retired);
}

/* Nobody refers to it any more: it goes, and with the last value its name. */
static void symbol_forget(struct symbols *s, struct symbol *item)
{
    struct symbol *name = item->name;
    symbol_remove(s, item);
    if (name && atomic_fetch_sub_explicit(&name->refs, 1, memory_order_relaxed) == 1)
        symbol_remove(s, name);
}

static struct symbol *find_name_locked(const struct symbols *s, struct str name)
{
    return symbols_peek(s, NULL, name, symbol_hash(0, name));
}

/* So many more references, unless there is none any more. */
static bool refer(struct symbol *item, uint32_t times)
{
    uint32_t refs = atomic_load_explicit(&item->refs, memory_order_relaxed);
    while (refs > 0) {
        if (atomic_compare_exchange_weak_explicit(&item->refs, &refs, refs + times,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    }
    return false;
}

/* So many references less, unless the last one is among them. */
static bool drop_unless_last(struct symbol *item, uint32_t times)
{
    uint32_t refs = atomic_load_explicit(&item->refs, memory_order_relaxed);
    DEBUG_ASSERT(refs >= times);
    while (refs > times) {
        if (atomic_compare_exchange_weak_explicit(&item->refs, &refs, refs - times,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    }
    return false;
}

/* The value symbol of a label, with so many more references. */
static struct symbol *acquire_locked(struct symbols *s, struct label label, uint32_t times)
{
    uint32_t hash = symbol_hash(0, label.name);
    struct symbol *name = symbols_peek(s, NULL, label.name, hash);
    bool name_is_new = !name;
    if (!name) name = symbol_create(s, NULL, label.name, hash);
    if (!name) return NULL;

    hash = symbol_hash(name->hash, label.value);
    struct symbol *value = symbols_peek(s, name, label.value, hash);
    if (!value) value = symbol_create(s, name, label.value, hash);
    if (value) {
        atomic_fetch_add_explicit(&value->refs, times, memory_order_relaxed);
    } else if (name_is_new) {
        symbol_forget(s, name);
    }
    return value;
}

static void drop_locked(struct symbols *s, struct symbol *item, uint32_t times)
{
    uint32_t before = atomic_fetch_sub_explicit(&item->refs, times, memory_order_relaxed);
    DEBUG_ASSERT(before >= times);
    if (before == times) symbol_forget(s, item);
}

/* Those of the set for which there is no reference yet; at the limit, all are given back. */
static bool acquire_missing(struct symbols *s, struct labels set, struct symbol **items)
{
    size_t at = 0;
    rwlock_write_lock(&s->lock);
    for (; at < set.count; at++) {
        if (!items[at]) items[at] = acquire_locked(s, set.items[at], 1);
        if (!items[at]) break;
    }
    for (size_t i = 0; at < set.count && i < set.count; i++)
        if (items[i]) drop_locked(s, items[i], 1);
    rwlock_write_unlock(&s->lock);
    return at == set.count;
}

bool symbols_acquire(struct symbols *s, struct labels set, struct symbol **items)
{
    bool all = true;
    for (size_t i = 0; i < set.count; i++) {
        if (items[i] && refer(items[i], 1)) continue;
        items[i] = NULL;
        all = false;
    }
    return all || acquire_missing(s, set, items);
}

static bool refer_next(struct symbols *s, struct symbol_credit *credit, struct symbol *item)
{
    bool stays = credit->symbol == item;
    if (stays && credit->left > 0) {
        credit->left--;
        return true;
    }
    if (credit->left > 0) symbols_give_back(s, credit->symbol, credit->left);
    uint32_t times = !stays ? 1 : credit->taken < CREDIT_MAX ? credit->taken * 2 : CREDIT_MAX;
    *credit = (struct symbol_credit){0};
    if (!refer(item, times)) return false;
    *credit = (struct symbol_credit){.symbol = item, .left = times - 1, .taken = times};
    return true;
}

bool symbols_acquire_next(struct symbols *s, struct symbol_credits *credits, struct labels set,
                          struct symbol **items)
{
    bool all = true;
    for (size_t i = 0; i < set.count; i++) {
        struct symbol *item = items[i];
        if (item && (i < SYMBOL_CREDITS ? refer_next(s, &credits->items[i], item) : refer(item, 1)))
            continue;
        items[i] = NULL;
        all = false;
    }
    return all || acquire_missing(s, set, items);
}

void symbols_settle(struct symbols *s, struct symbol_credits *credits)
{
    for (size_t i = 0; i < SYMBOL_CREDITS; i++)
        symbols_give_back(s, credits->items[i].symbol, credits->items[i].left);
    *credits = (struct symbol_credits){0};
}

void symbols_drop(struct symbols *s, struct symbol *const *items, size_t count)
{
    bool locked = false;
    for (size_t i = 0; i < count; i++) {
        if (drop_unless_last(items[i], 1)) continue;
        if (!locked) rwlock_write_lock(&s->lock);
        locked = true;
        drop_locked(s, items[i], 1);
    }
    if (locked) rwlock_write_unlock(&s->lock);
}

struct symbol *symbols_refer(struct symbols *s, struct label label, uint32_t times)
{
    uint32_t hash = symbol_hash(0, label.name);
    struct symbol *name = symbols_peek(s, NULL, label.name, hash);
    struct symbol *value = NULL;
    if (name) value = symbols_peek(s, name, label.value, symbol_hash(name->hash, label.value));
    if (value && refer(value, times)) return value;
    rwlock_write_lock(&s->lock);
    value = acquire_locked(s, label, times);
    rwlock_write_unlock(&s->lock);
    return value;
}

void symbols_give_back(struct symbols *s, struct symbol *value, uint32_t times)
{
    if (times == 0 || drop_unless_last(value, times)) return;
    rwlock_write_lock(&s->lock);
    drop_locked(s, value, times);
    rwlock_write_unlock(&s->lock);
}

static void mark_locked(struct symbol *value, int64_t window)
{
    if (seen_within(&value->seen, window, window)) return;
    seen_mark(&value->seen, window);
    if (!seen_within(&value->name->seen, window, window)) seen_mark(&value->name->seen, window);
}

void symbols_mark_seen(struct symbols *s, struct symbol *const *items, size_t count, int64_t window)
{
    size_t known = 0;
    while (known < count && seen_within(&items[known]->seen, window, window))
        known++;
    if (LIKELY(known == count)) return;
    rwlock_write_lock(&s->lock);
    for (size_t i = known; i < count; i++)
        mark_locked(items[i], window);
    rwlock_write_unlock(&s->lock);
}

struct symbol *symbols_find_name(struct symbols *s, struct str name)
{
    rwlock_read_lock(&s->lock);
    struct symbol *found = find_name_locked(s, name);
    rwlock_read_unlock(&s->lock);
    return found;
}

struct symbol_name symbols_look_up(struct symbols *s, struct str name)
{
    struct symbol_name out = {0};
    rwlock_read_lock(&s->lock);
    out.symbol = find_name_locked(s, name);
    if (out.symbol) {
        const struct symbol_family *f = &s->families[out.symbol->position];
        out.generation = f->generation;
        out.values = f->count;
    }
    rwlock_read_unlock(&s->lock);
    return out;
}

size_t symbols_find_values(struct symbols *s, const struct symbol *name, const struct str *texts,
                           size_t count, struct symbol **items)
{
    size_t found = 0;
    for (size_t at = 0; at < count;) {
        size_t end = count - at > LOOKUPS_AT_ONCE ? at + LOOKUPS_AT_ONCE : count;
        rwlock_read_lock(&s->lock);
        for (; at < end; at++) {
            uint32_t hash = symbol_hash(name->hash, texts[at]);
            struct symbol *value = symbols_peek(s, name, texts[at], hash);
            if (value) items[found++] = value;
        }
        rwlock_read_unlock(&s->lock);
    }
    return found;
}

enum status symbols_values(struct symbols *s, struct str name, struct arena *a,
                           struct symbol_list *out, struct error *err)
{
    enum status st = OK;
    *out = (struct symbol_list){0};
    rwlock_read_lock(&s->lock);
    struct symbol *found = find_name_locked(s, name);
    if (found) {
        const struct symbol_family *f = &s->families[found->position];
        out->items = arena_alloc_array(a, f->count, sizeof(*out->items));
        if (out->items) {
            memcpy(out->items, f->values, f->count * sizeof(*out->items));
            out->count = f->count;
            out->generation = f->generation;
        } else {
            st = arena_error(a, err);
        }
    }
    rwlock_read_unlock(&s->lock);
    return st;
}

enum status symbols_names(struct symbols *s, struct arena *a, struct symbol_list *out,
                          struct error *err)
{
    enum status st = OK;
    *out = (struct symbol_list){0};
    rwlock_read_lock(&s->lock);
    out->items = arena_alloc_array(a, s->family_count, sizeof(*out->items));
    if (out->items) {
        for (size_t i = 0; i < s->family_count; i++)
            out->items[out->count++] = s->families[i].name;
    } else {
        st = arena_error(a, err);
    }
    rwlock_read_unlock(&s->lock);
    return st;
}

enum status symbols_sizes(struct symbols *s, struct arena *a, struct symbol_family_sizes *out,
                          struct error *err)
{
    enum status st = OK;
    *out = (struct symbol_family_sizes){0};
    rwlock_read_lock(&s->lock);
    out->items = arena_alloc_array(a, s->family_count, sizeof(*out->items));
    if (out->items) {
        for (size_t i = 0; i < s->family_count; i++) {
            const struct symbol_family *f = &s->families[i];
            out->items[out->count++] = (struct symbol_family_size){
                .name = f->name, .values = f->count, .value_bytes = f->value_bytes};
        }
    } else {
        st = arena_error(a, err);
    }
    rwlock_read_unlock(&s->lock);
    return st;
}

void symbols_init(struct symbols *s, struct epoch *epoch)
{
    *s = (struct symbols){.epoch = epoch};
    rwlock_init(&s->lock, LOCK_SYMBOLS);
}

static void symbol_destroy(struct symbol *item)
{
    heap_free(item, sizeof(*item) + item->bytes_size, HEAP_LABELS);
}

void symbols_release(struct symbols *s)
{
    for (size_t i = 0; i < s->family_count; i++) {
        struct symbol_family *f = &s->families[i];
        for (size_t v = 0; v < f->count; v++)
            symbol_destroy(f->values[v]);
        heap_free(f->values, values_bytes(f), HEAP_LABELS);
        symbol_destroy(f->name);
    }
    heap_free(s->families, s->family_capacity * sizeof(*s->families), HEAP_LABELS);
    for (size_t i = 0; i < SYMBOL_TABLES; i++)
        symbol_table_release(&s->tables[i]);
    rwlock_release(&s->lock);
}

void symbols_destroy_retired(void *self, struct epoch_node *node)
{
    (void)self;
    symbol_destroy((struct symbol *)node); /* the node is the first field */
}

static void check_symbol(struct symbols *s, const struct symbol *item)
{
    uint32_t above = item->name ? item->name->hash : 0;
    ASSERT(atomic_load_explicit(&item->refs, memory_order_relaxed) > 0);
    ASSERT(item->hash == symbol_hash(above, symbol_text(item)));
    ASSERT(symbols_peek(s, item->name, symbol_text(item), item->hash) == item);
}

void symbols_check(struct symbols *s)
{
    uint64_t listed = 0;
    uint64_t stored = 0;
    rwlock_read_lock(&s->lock);
    for (uint32_t i = 0; i < s->family_count; i++) {
        const struct symbol_family *f = &s->families[i];
        uint64_t bytes = 0;
        ASSERT(f->name->position == i && !f->name->name);
        ASSERT(atomic_load_explicit(&f->name->refs, memory_order_relaxed) == f->count);
        check_symbol(s, f->name);
        for (uint32_t v = 0; v < f->count; v++) {
            ASSERT(f->values[v]->position == v && f->values[v]->name == f->name);
            check_symbol(s, f->values[v]);
            bytes += f->values[v]->size;
        }
        ASSERT(bytes == f->value_bytes);
        listed += 1 + f->count;
    }
    for (size_t i = 0; i < SYMBOL_TABLES; i++)
        stored += s->tables[i].count;
    ASSERT(listed == stored);
    ASSERT((uint64_t)gauge_read(&s->symbol_count) == stored);
    rwlock_read_unlock(&s->lock);
}
