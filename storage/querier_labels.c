/*
 * querier - listing label names and values.
 *
 * Without matchers the answer is the list of symbols, those left out that were not seen in the
 * range. Else it is the set of symbols of the series that are selected, shard by shard:
 *
 *     many series, few symbols left to find     is one of these series in the symbol's set?
 *     else                                      which symbols do these series have?
 *
 * and it ends when there is nothing left to find.
 */
#include <stdlib.h>

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

static bool set_has(const struct symbol_set *set, const struct symbol *symbol)
{
    return set->capacity && *set_place(set->places, set->capacity, symbol);
}

/* What a request is after: names, or values of one name. */
struct hunt {
    struct querier *q;
    const struct symbol *name;  /* NULL: names */
    struct symbol_list symbols; /* names or values that are not found yet */
    struct symbol_set found;
    struct select_range range;
};

static void forget_found(struct hunt *h)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->symbols.count; i++) {
        if (!set_has(&h->found, h->symbols.items[i]))
            h->symbols.items[kept++] = h->symbols.items[i];
    }
    h->symbols.count = kept;
}

/* How many sets would have to be looked at to find what is left, one for each value; `most` and
 * more are not told apart. */
static size_t sets_to_try(const struct hunt *h, size_t most)
{
    size_t count = 0;
    if (h->name) return h->symbols.count;
    for (size_t i = 0; i < h->symbols.count && count <= most; i++)
        count += symbols_look_up(&h->q->db->symbols, symbol_text(h->symbols.items[i])).values;
    return count;
}

/* A bit for each id of a shard. */
struct id_bits {
    uint64_t *words; /* on the arena; NULL when it refuses */
    size_t count;    /* of words */
};

/* The ids of all lists, those left out that have nothing in the range. */
static struct id_bits ids_as_bits(const struct hunt *h, const struct gather *g,
                                  const struct shard *sh)
{
    struct shard_slots slots = shard_slots(sh, h->range.first_window, h->range.last_window);
    struct id_bits bits = {.count = directory_high(&sh->directory) / 64 + 1};
    bits.words = arena_calloc(h->q->arena, bits.count, sizeof(*bits.words));
    if (!bits.words) return bits;
    for (size_t l = 0; l < g->list_count; l++) {
        for (size_t i = 0; i < g->lists[l].count; i++) {
            uint32_t id = g->lists[l].items[i];
            if (id / 64 < bits.count) bits.words[id / 64] |= UINT64_C(1) << id % 64;
        }
    }
    for (size_t n = 0; n < bits.count; n++)
        if (bits.words[n]) bits.words[n] &= shard_may_hold_word(sh, (uint32_t)n, &slots);
    return bits;
}

/* Find those of the values, or their name, whose sets have one of the ids. */
static enum status try_sets_of(struct hunt *h, const struct symbol_list *values, struct shard *sh,
                               const struct id_bits *ids, struct error *err)
{
    enum { LOOKUPS_AT_ONCE = 256 };
    bool ok = true;
    for (size_t at = 0; at < values->count && ok;) {
        rwlock_read_lock(&sh->lock);
        for (size_t n = 0; n < LOOKUPS_AT_ONCE && at < values->count && ok; n++) {
            const struct symbol *value = values->items[at++];
            const struct symbol *wanted = h->name ? value : value->name;
            if (set_has(&h->found, wanted)) continue;
            const struct id_set *set = postings_find(&sh->postings, value);
            if (set && id_set_touches(set, ids->words, ids->count)) ok = set_add(&h->found, wanted);
        }
        rwlock_read_unlock(&sh->lock);
    }
    return ok ? OK : arena_error(h->q->arena, err);
}

/* Look into the sets of what is left. */
static enum status try_sets(struct hunt *h, const struct gather *g, struct shard *sh,
                            struct error *err)
{
    const struct id_bits ids = ids_as_bits(h, g, sh);
    enum status st = OK;
    if (!ids.words) return arena_error(h->q->arena, err);
    if (h->name) return try_sets_of(h, &h->symbols, sh, &ids, err);
    for (size_t i = 0; i < h->symbols.count && !st; i++) {
        struct str name = symbol_text(h->symbols.items[i]);
        struct symbol_list values;
        st = symbols_values(&h->q->db->symbols, name, h->q->arena, &values, err);
        if (!st) st = try_sets_of(h, &values, sh, &ids, err);
    }
    return st;
}

/* Look at the series. */
static enum status try_series(struct hunt *h, struct gather *g, struct shard *sh, struct error *err)
{
    struct series_list list = {0};
    enum status st = select_in_shard(g, sh, &h->range, 0, &list, err);
    for (size_t i = 0; i < list.count && !st; i++) {
        const struct series *s = list.items[i];
        struct symbol *const *symbols = series_symbols(s);
        for (size_t l = 0; l < s->label_count; l++) {
            if (h->name && symbols[l]->name != h->name) continue;
            if (!set_add(&h->found, h->name ? symbols[l] : symbols[l]->name))
                return arena_error(h->q->arena, err);
        }
    }
    return st;
}

static enum status hunt_in_shard(struct hunt *h, struct gather *g, struct shard *sh,
                                 struct error *err)
{
    enum { SETS_PER_SERIES = 2 }; /* a look into a set costs so many looks at a series */
    size_t most = g->id_count / SETS_PER_SERIES;
    if (g->settled && sets_to_try(h, most) <= most) return try_sets(h, g, sh, err);
    return try_series(h, g, sh, err);
}

/* The symbols of all selected series: names, or the values of one name. */
static enum status collect(struct hunt *h, const struct select_request *request, struct error *err)
{
    struct match_plan plan;
    struct gather g;
    struct storage *db = h->q->db;
    enum status st = match_plan_build(db, request, h->q->arena, &plan, err);
    if (st || plan.impossible) return st;
    plan.newest_birth = h->q->view->births;
    st = gather_init(&g, &plan, h->q->arena, err);
    for (uint32_t n = 0; n < db->shard_count && !st && h->symbols.count > 0; n++) {
        st = gather_ids(&g, &db->shards[n], err);
        if (st || g.id_count == 0) continue;
        st = hunt_in_shard(h, &g, &db->shards[n], err);
        forget_found(h);
    }
    return st;
}

/* Names, or the values of a name: those of the series that match, or all. */
static enum status list_matching(struct hunt *h, const struct select_request *request,
                                 struct str_list *out, struct error *err)
{
    struct arena *a = h->q->arena;
    size_t kept = 0;
    if (request->matcher_count == 0) return list_symbols(&h->symbols, &h->range, a, out, err);
    for (size_t i = 0; i < h->symbols.count; i++) {
        struct symbol *symbol = h->symbols.items[i];
        if (seen_within(&symbol->seen, h->range.first_window, h->range.last_window))
            h->symbols.items[kept++] = symbol;
    }
    h->symbols.count = kept;
    enum status st = collect(h, request, err);
    return st ? st : list_set(&h->found, out, err);
}

enum status querier_label_names(struct querier *q, const struct select_request *request,
                                struct str_list *out, struct error *err)
{
    struct hunt h = {.q = q,
                     .range = select_clamp(q, request->t_min_ms, request->t_max_ms),
                     .found = {.arena = q->arena}};
    *out = (struct str_list){0};
    if (h.range.empty) return OK;
    enum status st = symbols_names(&q->db->symbols, q->arena, &h.symbols, err);
    if (!st) st = list_matching(&h, request, out, err);
    if (!st) finish(out, request->limit);
    return st;
}

enum status querier_label_values(struct querier *q, struct str name,
                                 const struct select_request *request, struct str_list *out,
                                 struct error *err)
{
    struct hunt h = {.q = q,
                     .name = symbols_find_name(&q->db->symbols, name),
                     .range = select_clamp(q, request->t_min_ms, request->t_max_ms),
                     .found = {.arena = q->arena}};
    *out = (struct str_list){0};
    if (h.range.empty || !h.name) return OK;
    enum status st = symbols_values(&q->db->symbols, name, q->arena, &h.symbols, err);
    if (!st) st = list_matching(&h, request, out, err);
    if (!st) finish(out, request->limit);
    return st;
}
