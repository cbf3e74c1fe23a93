/*
 * cardinality - what there is most of. Numbers come from the symbols alone: a value's references
 * are the series that have it, and the few that appenders have taken ahead; a family's size is the
 * number of its values. What the series of a metric take is summed up in a walk over all series.
 *
 * Texts are copied to the arena: the symbols may go as soon as the epoch is left.
 */
#include <stdlib.h>

#include "base/hash.h"
#include "storage/state.h"

struct ranked {
    struct label label; /* views symbols; value is empty when only the name counts */
    uint64_t value;
};

/* The `limit` largest seen so far: a heap with the smallest at the front. */
struct top {
    struct ranked *items; /* [limit] on the arena */
    size_t limit;
    size_t count;
};

/* Largest first, then by text, so that the answer does not depend on the order of symbols. */
static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a;
    const struct ranked *y = b;
    if (x->value != y->value) return x->value > y->value ? -1 : 1;
    int order = str_compare(x->label.name, y->label.name);
    return order ? order : str_compare(x->label.value, y->label.value);
}

static bool is_less(const struct ranked *a, const struct ranked *b)
{
    return compare_ranked(a, b) > 0;
}

static void swap_items(struct ranked *a, struct ranked *b)
{
    struct ranked saved = *a;
    *a = *b;
    *b = saved;
}

static void sift_up(struct top *top)
{
    for (size_t at = top->count - 1; at > 0;) {
        size_t parent = (at - 1) / 2;
        if (!is_less(&top->items[at], &top->items[parent])) return;
        swap_items(&top->items[at], &top->items[parent]);
        at = parent;
    }
}

static void sift_down(struct top *top)
{
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < top->count; child++) {
            if (is_less(&top->items[child], &top->items[least])) least = child;
        }
        if (least == at) return;
        swap_items(&top->items[at], &top->items[least]);
        at = least;
    }
}

static void top_add(struct top *top, struct ranked item)
{
    if (top->count < top->limit) {
        top->items[top->count++] = item;
        sift_up(top);
    } else if (top->limit > 0 && is_less(&top->items[0], &item)) {
        top->items[0] = item;
        sift_down(top);
    }
}

static enum status top_init(struct top *top, size_t limit, struct arena *a, struct error *err)
{
    *top = (struct top){.limit = limit};
    top->items = arena_alloc_array(a, limit, sizeof(*top->items));
    return top->items ? OK : arena_error(a, err);
}

/* The rows, largest first, with texts of their own: name, value, or name=value. */
enum row_text { ROW_NAME, ROW_VALUE, ROW_PAIR };
static enum status top_rows(struct top *top, enum row_text kind, struct arena *a,
                            struct cardinality_row **rows, size_t *count, struct error *err)
{
    *rows = arena_alloc_array(a, top->count, sizeof(**rows));
    if (!*rows) return arena_error(a, err);
    if (top->count > 1) qsort(top->items, top->count, sizeof(*top->items), compare_ranked);
    for (size_t i = 0; i < top->count; i++) {
        struct str name = top->items[i].label.name;
        struct str value = top->items[i].label.value;
        size_t name_bytes = kind == ROW_VALUE ? 0 : name.size;
        size_t value_bytes = kind == ROW_NAME ? 0 : value.size;
        size_t size = name_bytes + value_bytes + (kind == ROW_PAIR);
        char *text = arena_alloc(a, size);
        if (!text) return arena_error(a, err);
        if (name_bytes) memcpy(text, name.data, name_bytes);
        if (kind == ROW_PAIR) text[name_bytes] = '=';
        if (value_bytes) memcpy(text + size - value_bytes, value.data, value_bytes);
        (*rows)[i] = (struct cardinality_row){.name = {.data = text, .size = size},
                                              .value = top->items[i].value};
    }
    *count = top->count;
    return OK;
}

struct tops {
    struct top metrics;
    struct top values;
    struct top bytes;
    struct top pairs;
    struct top metric_bytes;
};

/* All values of one name, by the number of series that have them. */
static enum status rank_values(struct storage *db, const struct symbol *name, struct tops *tops,
                               struct arena *a, struct error *err)
{
    bool is_metric = str_equal(symbol_text(name), LABEL_METRIC_NAME);
    struct arena_mark mark = arena_mark(a);
    struct symbol_list list;
    enum status st = symbols_values(&db->symbols, symbol_text(name), a, &list, err);
    if (st) return st;
    for (size_t i = 0; i < list.count; i++) {
        struct ranked item = {
            .label = symbol_label(list.items[i]),
            .value = atomic_load_explicit(&list.items[i]->refs, memory_order_relaxed),
        };
        if (item.value == 0) continue; /* forgotten a moment ago */
        if (is_metric) top_add(&tops->metrics, item);
        top_add(&tops->pairs, item);
    }
    arena_rewind(a, mark);
    return OK;
}

static enum status rank_all(struct storage *db, struct tops *tops, struct arena *a,
                            struct error *err)
{
    struct symbol_family_sizes sizes;
    enum status st = symbols_sizes(&db->symbols, a, &sizes, err);
    for (size_t i = 0; i < sizes.count && !st; i++) {
        const struct symbol_family_size *size = &sizes.items[i];
        struct ranked item = {.label = {symbol_text(size->name), STR("")}, .value = size->values};
        top_add(&tops->values, item);
        item.value = size->value_bytes;
        top_add(&tops->bytes, item);
        st = rank_values(db, size->name, tops, a, err);
    }
    return st;
}

/* Bytes per metric: open addressing on the arena, by the address of the value's symbol. */
struct metric_sum {
    const struct symbol *metric; /* NULL: the place is empty */
    uint64_t bytes;
};

struct metric_sums {
    struct metric_sum *places;
    size_t capacity; /* 0 or a power of two */
    size_t count;
};

enum { SUMS_CAPACITY_MIN = 64, WALK_SERIES = 64 };

static struct metric_sum *sum_place(struct metric_sum *places, size_t capacity,
                                    const struct symbol *metric)
{
    size_t at = hash_mix(0, (uint64_t)(uintptr_t)metric) & (capacity - 1);
    while (places[at].metric && places[at].metric != metric)
        at = (at + 1) & (capacity - 1);
    return &places[at];
}

/* false when the arena refuses. */
static bool sum_add(struct metric_sums *sums, const struct symbol *metric, uint64_t bytes,
                    struct arena *a)
{
    if ((sums->count + 1) * 2 > sums->capacity) {
        size_t capacity = sums->capacity ? sums->capacity * 2 : SUMS_CAPACITY_MIN;
        struct metric_sum *places = arena_calloc(a, capacity, sizeof(*places));
        if (!places) return false;
        for (size_t i = 0; i < sums->capacity; i++) {
            const struct metric_sum *sum = &sums->places[i];
            if (sum->metric) *sum_place(places, capacity, sum->metric) = *sum;
        }
        sums->places = places;
        sums->capacity = capacity;
    }
    struct metric_sum *sum = sum_place(sums->places, sums->capacity, metric);
    if (!sum->metric) sums->count++;
    sum->metric = metric;
    sum->bytes += bytes;
    return true;
}

/* Some series of a shard from `local` on, in one hold of its lock; where to go on. */
static uint32_t sum_slice(struct shard *sh, uint32_t local, const struct symbol *name,
                          struct metric_sums *sums, struct arena *a, bool *ok)
{
    uint32_t end = local + WALK_SERIES;
    rwlock_read_lock(&sh->lock);
    for (; local < end && *ok; local++) {
        const struct series *s = directory_get(&sh->directory, local);
        const struct symbol *metric = s ? series_find_symbol(s, name) : NULL;
        if (metric) *ok = sum_add(sums, metric, shard_series_bytes(sh, s), a);
    }
    rwlock_read_unlock(&sh->lock);
    return end;
}

static enum status rank_metric_bytes(struct storage *db, struct tops *tops, struct arena *a,
                                     struct error *err)
{
    const struct symbol *name = symbols_find_name(&db->symbols, LABEL_METRIC_NAME);
    struct metric_sums sums = {0};
    bool ok = true;
    for (uint32_t n = 0; n < db->shard_count && name && ok; n++) {
        struct shard *sh = &db->shards[n];
        for (uint32_t local = 0; local < directory_high(&sh->directory) && ok;)
            local = sum_slice(sh, local, name, &sums, a, &ok);
    }
    if (!ok) return arena_error(a, err);
    for (size_t i = 0; i < sums.capacity; i++) {
        const struct metric_sum *sum = &sums.places[i];
        if (!sum->metric) continue;
        top_add(&tops->metric_bytes,
                (struct ranked){.label = symbol_label(sum->metric), .value = sum->bytes});
    }
    return OK;
}

static enum status fill(struct tops *tops, struct arena *a, struct cardinality *out,
                        struct error *err)
{
    enum status st =
        top_rows(&tops->metrics, ROW_VALUE, a, &out->by_metric, &out->by_metric_count, err);
    if (!st)
        st = top_rows(&tops->values, ROW_NAME, a, &out->by_label_values,
                      &out->by_label_values_count, err);
    if (!st)
        st = top_rows(&tops->bytes, ROW_NAME, a, &out->by_label_bytes, &out->by_label_bytes_count,
                      err);
    if (!st) st = top_rows(&tops->pairs, ROW_PAIR, a, &out->by_pair, &out->by_pair_count, err);
    if (!st)
        st = top_rows(&tops->metric_bytes, ROW_VALUE, a, &out->by_metric_bytes,
                      &out->by_metric_bytes_count, err);
    return st;
}

enum status storage_cardinality(struct storage *db, size_t limit, struct arena *a,
                                struct cardinality *out, struct error *err)
{
    struct tops tops;
    struct top *all[] = {&tops.metrics, &tops.values, &tops.bytes, &tops.pairs, &tops.metric_bytes};
    size_t symbols = (size_t)gauge_read(&db->symbols.symbol_count);
    enum status st = OK;
    *out = (struct cardinality){0};
    if (limit > symbols) limit = symbols;
    for (size_t i = 0; i < ARRAY_COUNT(all) && !st; i++)
        st = top_init(all[i], limit, a, err);
    if (st) return st;
    struct epoch_pin pin = epoch_enter(&db->epoch);
    st = rank_all(db, &tops, a, err);
    if (!st) st = rank_metric_bytes(db, &tops, a, err);
    if (!st) st = fill(&tops, a, out, err);
    epoch_leave(&pin);
    return st;
}
