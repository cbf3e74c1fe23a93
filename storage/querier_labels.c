/*
 * querier - listing label names and values.
 *
 * Without matchers the answer is the list of symbols, those left out that were not seen in the
 * range. Else it is the set of symbols of the series that are selected, collected by address.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "storage/select.h"

/* Symbols seen; open addressing on the arena. */
struct symbol_set {
    const struct symbol **places;
    size_t capacity; /* 0 or a power of two */
    size_t count;
    struct arena *arena;
};

enum { SET_CAPACITY_MIN = 64 };

static const struct symbol **set_place(const struct symbol **places, size_t capacity,
                                       const struct symbol *symbol)
{
    size_t at = hash_mix(0, (uint64_t)(uintptr_t)symbol) & (capacity - 1);
    while (places[at] && places[at] != symbol)
        at = (at + 1) & (capacity - 1);
    return &places[at];
}

/* false when the arena refuses. */
static bool set_add(struct symbol_set *set, const struct symbol *symbol)
{
    if ((set->count + 1) * 2 > set->capacity) {
        size_t capacity = set->capacity ? set->capacity * 2 : SET_CAPACITY_MIN;
        const struct symbol **places = arena_calloc(set->arena, capacity, sizeof(*places));
        if (!places) return false;
        for (size_t i = 0; i < set->capacity; i++) {
            if (set->places[i]) *set_place(places, capacity, set->places[i]) = set->places[i];
        }
        set->places = places;
        set->capacity = capacity;
    }
    const struct symbol **place = set_place(set->places, set->capacity, symbol);
    if (!*place) set->count++;
    *place = symbol;
    return true;
}

static int compare_texts(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

/* Sort, leave each text once (a symbol may have been forgotten and made anew), cut at the limit. */
static void finish(struct str_list *list, size_t limit)
{
    size_t kept = 0;
    if (list->count > 1) qsort(list->items, list->count, sizeof(*list->items), compare_texts);
    for (size_t i = 0; i < list->count; i++) {
        if (kept == 0 || !str_equal(list->items[kept - 1], list->items[i]))
            list->items[kept++] = list->items[i];
    }
    list->count = limit && kept > limit ? limit : kept;
}

/* The texts of the symbols that were seen in the range. */
static enum status list_symbols(const struct symbol_list *symbols, const struct select_range *range,
                                struct arena *a, struct str_list *out, struct error *err)
{
    out->items = arena_alloc_array(a, symbols->count, sizeof(*out->items));
    if (!out->items) return arena_error(a, err);
    for (size_t i = 0; i < symbols->count; i++) {
        if (seen_within(&symbols->items[i]->seen, range->first_window, range->last_window))
            out->items[out->count++] = symbol_text(symbols->items[i]);
    }
    return OK;
}

static enum status list_set(const struct symbol_set *set, struct str_list *out, struct error *err)
{
    out->items = arena_alloc_array(set->arena, set->count, sizeof(*out->items));
    if (!out->items) return arena_error(set->arena, err);
    for (size_t i = 0; i < set->capacity; i++) {
        if (set->places[i]) out->items[out->count++] = symbol_text(set->places[i]);
    }
    return OK;
}

/* The symbols of all selected series: names, or the values of one name. */
static enum status collect(struct querier *q, const struct select_request *request,
                           const struct symbol *name, struct symbol_set *set, struct error *err)
{
    struct select_request all = *request;
    struct series_list list;
    all.limit = 0;
    enum status st = select_series(q, &all, &list, err);
    if (st) return st;
    for (size_t i = 0; i < list.count; i++) {
        const struct series *s = list.items[i];
        struct symbol *const *symbols = series_symbols(s);
        for (size_t l = 0; l < s->label_count; l++) {
            if (name && symbols[l]->name != name) continue;
            if (!set_add(set, name ? symbols[l] : symbols[l]->name))
                return arena_error(set->arena, err);
        }
    }
    return OK;
}

enum status querier_label_names(struct querier *q, const struct select_request *request,
                                struct str_list *out, struct error *err)
{
    struct select_range range = select_clamp(q, request->t_min_ms, request->t_max_ms);
    enum status st;
    *out = (struct str_list){0};
    if (range.empty) return OK;
    if (request->matcher_count == 0) {
        struct symbol_list symbols;
        st = symbols_names(&q->db->symbols, q->arena, &symbols, err);
        if (!st) st = list_symbols(&symbols, &range, q->arena, out, err);
    } else {
        struct symbol_set set = {.arena = q->arena};
        st = collect(q, request, NULL, &set, err);
        if (!st) st = list_set(&set, out, err);
    }
    if (!st) finish(out, request->limit);
    return st;
}

enum status querier_label_values(struct querier *q, struct str name,
                                 const struct select_request *request, struct str_list *out,
                                 struct error *err)
{
    struct select_range range = select_clamp(q, request->t_min_ms, request->t_max_ms);
    enum status st;
    *out = (struct str_list){0};
    if (range.empty) return OK;
    if (request->matcher_count == 0) {
        struct symbol_list symbols;
        st = symbols_values(&q->db->symbols, name, q->arena, &symbols, err);
        if (!st) st = list_symbols(&symbols, &range, q->arena, out, err);
    } else {
        const struct symbol *symbol = symbols_find_name(&q->db->symbols, name);
        struct symbol_set set = {.arena = q->arena};
        if (!symbol) return OK;
        st = collect(q, request, symbol, &set, err);
        if (!st) st = list_set(&set, out, err);
    }
    if (!st) finish(out, request->limit);
    return st;
}
