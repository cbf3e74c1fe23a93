/* row - bitmaps, tables and merging of rows. */
#include "promql/row.h"

#include <string.h>

#include "base/assert.h"
#include "model/names.h"
#include "promql/eval.h"

void bits_fill(uint64_t *words, size_t steps)
{
    size_t count = row_words(steps);
    memset(words, 0xFF, count * sizeof(words[0]));
    if (steps % 64) words[count - 1] = (UINT64_C(1) << (steps % 64)) - 1;
}

size_t bits_count(const uint64_t *words, size_t steps)
{
    size_t total = 0;
    if (steps == 1) return words[0] & 1;
    for (size_t i = 0; i < row_words(steps); i++)
        total += (size_t)__builtin_popcountll(words[i]);
    return total;
}

bool bits_any(const uint64_t *words, size_t steps)
{
    for (size_t i = 0; i < row_words(steps); i++)
        if (words[i]) return true;
    return false;
}

void bits_or(uint64_t *into, const uint64_t *other, size_t steps)
{
    for (size_t i = 0; i < row_words(steps); i++)
        into[i] |= other[i];
}

/* The first bit from there on that is not `other`, or steps. */
static size_t find_bit(const struct bit_runs *run, size_t from, uint64_t other)
{
    for (size_t w = from / 64; w < row_words(run->steps); w++) {
        uint64_t bits = run->words[w] ^ other;
        if (w == from / 64) bits &= UINT64_MAX << (from % 64);
        if (!bits) continue;
        size_t at = w * 64 + (size_t)__builtin_ctzll(bits);
        return at < run->steps ? at : run->steps;
    }
    return run->steps;
}

bool bit_runs_next(struct bit_runs *run)
{
    run->from = find_bit(run, run->to, 0);
    run->to = find_bit(run, run->from, UINT64_MAX);
    return run->from < run->steps;
}

enum status row_alloc(struct row *row, size_t steps, struct arena *a, struct error *err)
{
    size_t words = row_words(steps);
    uint64_t *memory = arena_alloc_array(a, steps + words, sizeof(uint64_t));
    if (!memory) return no_room(a, err);
    *row = (struct row){.v = (double *)(void *)(memory + words), .present = memory};
    memset(memory, 0, words * sizeof(memory[0]));
    return OK;
}

static enum status copy_histograms(const struct row *from, size_t steps, struct arena *a,
                                   struct row *out, struct error *err)
{
    if (!from->histograms) return OK;
    out->histograms = arena_alloc_array(a, steps, sizeof(out->histograms[0]));
    if (!out->histograms) return no_room(a, err);
    memcpy(out->histograms, from->histograms, steps * sizeof(out->histograms[0]));
    return OK;
}

enum status row_copy(const struct row *from, size_t steps, struct arena *a, struct row *out,
                     struct error *err)
{
    enum status st = row_alloc(out, steps, a, err);
    if (st) return st;
    memcpy(out->v, from->v, steps * sizeof(from->v[0]));
    memcpy(out->present, from->present, row_words(steps) * sizeof(from->present[0]));
    out->drops_name = from->drops_name;
    out->series = from->series;
    out->unnamed = from->unnamed;
    st = copy_histograms(from, steps, a, out, err);
    return st || from->series ? st : labels_pin(from->labels, a, &out->labels, err);
}

void row_drop_histograms(struct row *row, size_t steps)
{
    for (size_t i = 0; row->histograms && i < steps; i++)
        if (row->histograms[i]) bit_clear(row->present, i);
    row->histograms = NULL;
}

void row_drop_floats(struct row *row, size_t steps)
{
    for (size_t i = 0; i < steps; i++)
        if (!row->histograms || !row->histograms[i]) bit_clear(row->present, i);
}

enum status rows_keep(struct rows *rows, const struct row *row, struct row_table *table,
                      struct error *err)
{
    struct arena *a = rows->ev->arena;
    struct row *slot = VEC_PUSH(table, a);
    if (!slot) return no_room(a, err);
    *slot = *row;
    enum status st = rows->stable ? OK : row_copy(row, rows->steps, a, slot, err);
    return st ? st : eval_hold(rows->ev, bits_count(slot->present, rows->steps), err);
}

enum status rows_collect(struct rows *rows, struct row_table *table, struct error *err)
{
    for (;;) {
        struct row *row;
        enum status st = rows->next(rows, &row, err);
        if (st || !row) return st;
        st = rows_keep(rows, row, table, err);
        if (st) return st;
    }
}

uint64_t row_table_samples(const struct row_table *table, size_t steps)
{
    uint64_t total = 0;
    for (size_t i = 0; i < table->count; i++)
        total += bits_count(table->items[i].present, steps);
    return total;
}

struct table_rows {
    struct rows base;
    struct row_table table;
    size_t at;
};

static enum status table_next(struct rows *self, struct row **out, struct error *err)
{
    (void)err;
    struct table_rows *t = (struct table_rows *)self;
    *out = NULL;
    while (!*out && t->at < t->table.count) {
        struct row *row = &t->table.items[t->at++];
        if (bits_any(row->present, self->steps)) *out = row;
    }
    return OK;
}

enum status rows_from_table(struct eval *ev, const struct row_table *table, size_t steps,
                            bool unnamed_unique, struct rows **out, struct error *err)
{
    struct table_rows *t = arena_calloc(ev->arena, 1, sizeof(*t));
    if (!t) return no_room(ev->arena, err);
    t->base = (struct rows){.next = table_next,
                            .ev = ev,
                            .steps = steps,
                            .stable = true,
                            .unnamed_unique = unnamed_unique};
    t->table = *table;
    *out = &t->base;
    return OK;
}

enum status rows_empty(struct eval *ev, size_t steps, struct rows **out, struct error *err)
{
    struct row_table none = {0};
    return rows_from_table(ev, &none, steps, true, out, err);
}

enum status error_same_labelset(struct error *err)
{
    return error_set(err, ERR_CONFLICT, "vector cannot contain metrics with the same labelset");
}

static size_t first_step(const struct row *row, size_t steps)
{
    size_t first = steps;
    struct bit_walk walk = bit_walk(row->present, steps);
    return bit_walk_next(&walk, &first) ? first : steps;
}

static bool rows_meet(const struct row *a, const struct row *b, size_t steps)
{
    for (size_t w = 0; w < row_words(steps); w++)
        if (a->present[w] & b->present[w]) return true;
    return false;
}

static enum status absorb_histograms(struct row *into, const struct row *from, size_t steps,
                                     struct arena *a, struct error *err)
{
    if (!from->histograms) return OK;
    if (!into->histograms) {
        into->histograms = arena_calloc(a, steps, sizeof(into->histograms[0]));
        if (!into->histograms) return no_room(a, err);
    }
    struct bit_walk walk = bit_walk(from->present, steps);
    size_t i;
    while (bit_walk_next(&walk, &i))
        into->histograms[i] = from->histograms[i];
    return OK;
}

/* Move the values of `from` into `into`; at no step do both have one. Whether the name goes is what
 * the row with the first value says. */
static enum status row_absorb(struct row *into, const struct row *from, size_t steps,
                              struct arena *a, struct error *err)
{
    enum status st = absorb_histograms(into, from, steps, a, err);
    if (st) return st;
    if (first_step(from, steps) < first_step(into, steps)) into->drops_name = from->drops_name;
    struct bit_walk walk = bit_walk(from->present, steps);
    size_t i;
    while (bit_walk_next(&walk, &i))
        into->v[i] = from->v[i];
    bits_or(into->present, from->present, steps);
    return OK;
}

static enum status merge_one(struct row_table *table, size_t index, enum merge_rule rule,
                             struct hash_index *ix, struct rows *child, struct error *err)
{
    struct row *row = &table->items[index];
    uint64_t hash = labels_hash(row->labels);
    size_t probe = 0;
    size_t item;
    while ((item = hash_index_next(ix, hash, &probe)) != HASH_INDEX_END) {
        if (!labels_equal(table->items[item].labels, row->labels)) continue;
        struct row *into = &table->items[item];
        if (rule == MERGE_NONE || rows_meet(into, row, child->steps))
            return error_same_labelset(err);
        enum status st = row_absorb(into, row, child->steps, child->ev->arena, err);
        bits_zero(row->present, child->steps); /* table_next passes it over */
        return st;
    }
    return hash_index_add(ix, hash, index, child->ev->arena, err);
}

enum status rows_merge(struct rows *child, enum merge_rule rule, struct rows **out,
                       struct error *err)
{
    struct row_table table = {0};
    struct hash_index ix = {0};
    enum status st = rows_collect(child, &table, err);
    for (size_t i = 0; !st && i < table.count; i++)
        st = merge_one(&table, i, rule, &ix, child, err);
    if (st) return st;
    return rows_from_table(child->ev, &table, child->steps, child->unnamed_unique, out, err);
}

size_t hash_index_next(const struct hash_index *ix, uint64_t hash, size_t *probe)
{
    while (*probe < ix->capacity) {
        const struct hash_slot *slot = &ix->slots[(hash + *probe) & (ix->capacity - 1)];
        if (!slot->item_plus_one) break;
        *probe += 1;
        if (slot->hash == hash) return slot->item_plus_one - 1;
    }
    return HASH_INDEX_END;
}

static void hash_index_put(struct hash_index *ix, struct hash_slot slot)
{
    size_t at = slot.hash & (ix->capacity - 1);
    while (ix->slots[at].item_plus_one)
        at = (at + 1) & (ix->capacity - 1);
    ix->slots[at] = slot;
}

enum status hash_index_add(struct hash_index *ix, uint64_t hash, size_t item, struct arena *a,
                           struct error *err)
{
    enum { CAPACITY_MIN = 16 };
    if (ix->count * 2 >= ix->capacity) {
        struct hash_index grown = {.capacity = ix->capacity ? ix->capacity * 2 : CAPACITY_MIN,
                                   .count = ix->count};
        grown.slots = arena_calloc(a, grown.capacity, sizeof(grown.slots[0]));
        if (!grown.slots) return no_room(a, err);
        for (size_t i = 0; i < ix->capacity; i++)
            if (ix->slots[i].item_plus_one) hash_index_put(&grown, ix->slots[i]);
        *ix = grown;
    }
    hash_index_put(ix, (struct hash_slot){.hash = hash, .item_plus_one = item + 1});
    ix->count++;
    return OK;
}

bool label_is_reserved(struct str name)
{
    return str_equal(name, LABEL_METRIC_NAME) || str_equal(name, STR("__type__")) ||
           str_equal(name, STR("__unit__"));
}

static bool may_be_reserved(struct str name)
{
    return name.size > 1 && name.data[0] == '_' && name.data[1] == '_';
}

enum status labels_unname(struct labels set, struct label_scratch *scratch, struct arena *a,
                          struct labels *out, struct error *err)
{
    size_t leading = 0;
    while (leading < set.count && may_be_reserved(set.items[leading].name) &&
           label_is_reserved(set.items[leading].name))
        leading++;
    *out = set;
    if (leading) {
        out->items += leading;
        out->count -= leading;
    }
    bool more = false;
    for (size_t i = 0; i < out->count && !more; i++)
        more = may_be_reserved(out->items[i].name) && label_is_reserved(out->items[i].name);
    if (!more) return OK;

    struct label *kept;
    if (scratch && scratch->capacity >= set.count) {
        kept = scratch->items;
    } else {
        kept = arena_alloc_array(a, set.count, sizeof(*kept));
        if (!kept) return no_room(a, err);
        if (scratch) *scratch = (struct label_scratch){.items = kept, .capacity = set.count};
    }
    size_t count = 0;
    for (size_t i = 0; i < set.count; i++)
        if (!label_is_reserved(set.items[i].name)) kept[count++] = set.items[i];
    *out = (struct labels){.items = kept, .count = count};
    return OK;
}

enum status row_unname(struct rows *source, struct row *row, struct label_scratch *scratch,
                       struct error *err)
{
    if (source->ev->delays_names) {
        row->drops_name = true;
        return OK;
    }
    if (row->series) {
        row->unnamed = true;
        return OK;
    }
    return labels_unname(row->labels, source->stable ? NULL : scratch, source->ev->arena,
                         &row->labels, err);
}

enum status row_labels(const struct row *row, struct arena *a, struct labels *out,
                       struct error *err)
{
    *out = row->labels;
    if (!row->series) return OK;
    struct label *items = arena_alloc_array(a, series_label_count(row->series), sizeof(*items));
    if (!items) return no_room(a, err);
    *out = series_labels(row->series, items);
    return row->unnamed ? labels_unname(*out, NULL, a, out, err) : OK;
}

enum status rows_unnamed(struct rows *source, enum merge_rule rule, struct rows **out,
                         struct error *err)
{
    *out = source;
    if (source->ev->delays_names || source->unnamed_unique) return OK;
    return rows_merge(source, rule, out, err);
}

enum status labels_pin(struct labels set, struct arena *a, struct labels *out, struct error *err)
{
    struct label *items = arena_alloc_array(a, set.count, sizeof(*items));
    if (!items) return no_room(a, err);
    if (set.count) memcpy(items, set.items, set.count * sizeof(*items));
    *out = (struct labels){.items = items, .count = set.count};
    return OK;
}

/* Quoted as Go's %q does for text that is valid UTF-8. */
static size_t quote(char *out, struct str text)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;
    out[n++] = '"';
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        const char *short_form = c == '\n' ? "\\n" : c == '\t' ? "\\t" : c == '\r' ? "\\r" : NULL;
        if (short_form) {
            out[n++] = short_form[0];
            out[n++] = short_form[1];
        } else if (c == '"' || c == '\\') {
            out[n++] = '\\';
            out[n++] = (char)c;
        } else if (c < 0x20 || c == 0x7F) {
            out[n++] = '\\';
            out[n++] = 'x';
            out[n++] = digits[c >> 4];
            out[n++] = digits[c & 15];
        } else {
            out[n++] = (char)c;
        }
    }
    out[n++] = '"';
    return n;
}

enum status labels_text(struct labels set, struct arena *a, struct str *out, struct error *err)
{
    size_t bound = 2;
    for (size_t i = 0; i < set.count; i++)
        bound += 4 * (set.items[i].name.size + set.items[i].value.size) + 8;
    char *text = arena_alloc(a, bound);
    if (!text) return no_room(a, err);
    size_t n = 0;
    text[n++] = '{';
    for (size_t i = 0; i < set.count; i++) {
        struct str name = set.items[i].name;
        if (i) {
            text[n++] = ',';
            text[n++] = ' ';
        }
        if (name_is_legacy_label(name)) {
            memcpy(text + n, name.data, name.size);
            n += name.size;
        } else {
            n += quote(text + n, name);
        }
        text[n++] = '=';
        n += quote(text + n, set.items[i].value);
    }
    text[n++] = '}';
    DEBUG_ASSERT(n <= bound);
    *out = (struct str){.data = text, .size = n};
    return OK;
}
