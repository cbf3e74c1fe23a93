/* window_table - making tables, and a small hash table of them in which the old give way. */
#include "promql/window_table.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/hash.h"

enum status window_tables_open(struct eval *ev, const struct ast *node, struct window_tables *own,
                               struct window_tables **out, struct error *err)
{
    struct window_keeper *keeper = ev->keeper;
    *own = (struct window_tables){.node = node, .arena = ev->arena};
    *out = own;
    if (!keeper) return OK;
    for (*out = keeper->first; *out; *out = (*out)->next)
        if ((*out)->node == node) return OK;
    *out = arena_alloc(keeper->arena, sizeof(**out));
    if (!*out) return no_room(keeper->arena, err);
    **out = (struct window_tables){.node = node, .arena = keeper->arena, .next = keeper->first};
    keeper->first = *out;
    return OK;
}

/* One pass over the times: both ends only move forward. */
static void find_ends(struct window_table *table, const struct window_steps *steps,
                      const int64_t *t_ms, size_t count)
{
    size_t low = 0;
    size_t high = 0;
    ASSERT(count <= UINT32_MAX);
    table->samples = 0;
    bits_zero(table->present, steps->count);
    for (size_t i = 0; i < steps->count; i++) {
        int64_t end_ms = window_end_ms(steps, i);
        int64_t high_ms = bits_add_clamped(end_ms, steps->after_ms);
        int64_t low_ms =
            bits_sub_clamped(bits_sub_clamped(end_ms, steps->range_ms), steps->before_ms);
        if (i == 0) {
            low = columns_lower_bound(t_ms, 0, count, low_ms);
            high = columns_lower_bound(t_ms, low, count, high_ms);
        }
        while (high < count && t_ms[high] <= high_ms)
            high++;
        while (low < high && t_ms[low] <= low_ms)
            low++;
        table->low[i] = (uint32_t)low;
        table->high[i] = (uint32_t)high;
        table->samples += high - low;
        if (low < high) bit_set(table->present, i);
    }
}

static enum status table_create(struct arena *a, size_t steps, struct window_table **out,
                                struct error *err)
{
    struct window_table *table = arena_calloc(a, 1, sizeof(*table));
    if (!table) return no_room(a, err);
    table->low = arena_alloc_array(a, steps, sizeof(table->low[0]));
    table->high = arena_alloc_array(a, steps, sizeof(table->high[0]));
    table->present = arena_alloc_array(a, row_words(steps), sizeof(table->present[0]));
    table->by_step = arena_alloc_array(a, 2 * steps, sizeof(table->by_step[0]));
    if (!table->low || !table->high || !table->present || !table->by_step) return no_room(a, err);
    *out = table;
    return OK;
}

/* As many as have room in a little memory; no more than there are series. */
static size_t tables_max(size_t steps, size_t count, size_t series)
{
    enum { TABLES_BYTES = 4 << 20 };
    size_t bytes = steps * (2 * sizeof(uint32_t) + 2 * sizeof(double)) + count * sizeof(int64_t);
    size_t most = WINDOW_TABLES_MAX;
    while (most > 1 && (most * bytes > TABLES_BYTES || most / 2 >= series))
        most /= 2;
    return steps > 1 ? most : 1;
}

/* Of another chain, or none, all times are compared. */
static enum status compare_times(struct window_table *table, struct columns *c, bool *same,
                                 struct error *err)
{
    bool chained = c->chain.id && c->chain.id == table->chain.id;
    size_t known = chained ? c->chain.count : 0;
    *same = c->count == table->count && c->t_ms[c->count - 1] == table->t_ms[c->count - 1];
    if (!*same) return OK;
    enum status st = known ? OK : columns_lay_times(c, err);
    size_t bytes = (c->count - known) * sizeof(c->t_ms[0]);
    *same = !st && memcmp(c->t_ms + known, table->t_ms + known, bytes) == 0;
    if (*same) table->chain = c->chain; /* of another reader, perhaps */
    return st;
}

/* The table of the times, or else the place for it, which others may have. */
static enum status table_place(const struct window_tables *tables, struct columns *c,
                               struct window_table ***place, bool *found, struct error *err)
{
    enum { NEIGHBOURS = 8 };
    uint64_t hash = hash_mix((uint64_t)c->t_ms[0], c->count);
    hash = hash_mix(hash, (uint64_t)c->t_ms[c->count - 1]);
    *found = false;
    for (size_t i = 0; i < NEIGHBOURS; i++) {
        *place = &tables->slots[(hash + i) & (tables->max - 1)];
        if (!**place) return OK;
        enum status st = compare_times(**place, c, found, err);
        if (st || *found) return st;
    }
    *place = &tables->slots[hash & (tables->max - 1)];
    return OK;
}

static enum status keep_times(struct window_table *table, const struct columns *c, struct arena *a,
                              struct error *err)
{
    if (c->count > table->capacity) {
        size_t capacity = c->count + c->count / 4;
        int64_t *t_ms = arena_alloc_array(a, capacity, sizeof(t_ms[0]));
        if (!t_ms) return no_room(a, err);
        table->t_ms = t_ms;
        table->capacity = capacity;
    }
    memcpy(table->t_ms, c->t_ms, c->count * sizeof(c->t_ms[0]));
    table->used = table->t_ms;
    table->count = c->count;
    table->chain = c->chain;
    return OK;
}

enum status window_tables_find(struct window_tables *tables, const struct window_steps *steps,
                               struct columns *c, size_t series, struct window_table **out,
                               struct error *err)
{
    struct arena *a = tables->arena;
    if (!tables->max) {
        size_t max = tables_max(steps->count, c->count, series);
        tables->slots = arena_calloc(a, max, sizeof(*tables->slots));
        if (!tables->slots) return no_room(a, err);
        tables->max = max; /* other parts come here after one that had no memory */
    }
    bool found;
    struct window_table **place;
    enum status st = table_place(tables, c, &place, &found, err);
    if (!st && !*place) st = table_create(a, steps->count, place, err);
    if (!st && !found) st = columns_lay_times(c, err);
    if (st) return st;
    struct window_table *table = *place;
    *out = table;
    table->fresh = !found;
    if (found) return OK;
    table->count = 0; /* no times are kept until all are */
    table->used = c->t_ms;
    find_ends(table, steps, c->t_ms, c->count);
    /* One step's are found no slower than times are compared. */
    return steps->count == 1 && !c->chain.id ? OK : keep_times(table, c, a, err);
}
