/* grouping - by the hash of what labels are kept, and by classes of series. */
#include "promql/grouping.h"

#include <stdlib.h>

#include "base/assert.h"
#include "promql/eval.h"

static int compare_names(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static enum status init(struct grouping *g, const struct str_array *written, bool without,
                        struct arena *a, struct error *err)
{
    *g = (struct grouping){.without = without};
    g->names = arena_alloc_array(a, written->count + 1, sizeof(g->names[0]));
    if (!g->names) return no_room(a, err);
    if (written->count) memcpy(g->names, written->items, written->count * sizeof(g->names[0]));
    g->name_count = written->count;
    qsort(g->names, g->name_count, sizeof(g->names[0]), compare_names);
    size_t kept = 0;
    for (size_t i = 0; i < g->name_count; i++)
        if (!kept || !str_equal(g->names[kept - 1], g->names[i])) g->names[kept++] = g->names[i];
    g->name_count = kept;
    return OK;
}

enum status grouping_init(struct grouping *g, const struct ast *aggregation, struct arena *a,
                          struct error *err)
{
    return init(g, &aggregation->aggregate.grouping, aggregation->aggregate.without, a, err);
}

enum status grouping_init_matching(struct grouping *g, const struct vector_matching *matching,
                                   struct arena *a, struct error *err)
{
    return init(g, &matching->labels, !matching->on, a, err);
}

static bool is_grouped_by(const struct grouping *g, struct str name)
{
    bool listed = false;
    for (size_t i = 0; i < g->name_count && !listed; i++)
        listed = str_equal(g->names[i], name);
    return g->without ? !listed && !str_equal(name, LABEL_METRIC_NAME) : listed;
}

/* Labels are in order, and few names come before those that begin with an underscore. */
static bool has_reserved(const struct grouping *g, struct labels set)
{
    for (size_t i = 0; i < set.count; i++) {
        struct str name = set.items[i].name;
        if (name.size && name.data[0] > '_') return false;
        if (label_is_reserved(name) && is_grouped_by(g, name)) return true;
    }
    return false;
}

bool grouping_is_unnamed(const struct grouping *g)
{
    bool found = false;
    for (size_t i = 0; i < g->name_count && !found && !g->without; i++)
        found = label_is_reserved(g->names[i]);
    for (size_t i = 0; i < g->examples.count && !found && g->without; i++)
        found = has_reserved(g, g->examples.items[i]);
    return !found;
}

static const struct label *next_kept(const struct grouping *g, struct labels set, size_t *at)
{
    while (*at < set.count) {
        const struct label *label = &set.items[(*at)++];
        if (is_grouped_by(g, label->name)) return label;
    }
    return NULL;
}

static bool are_of_one_group(const struct grouping *g, struct labels a, struct labels b)
{
    size_t a_at = 0;
    size_t b_at = 0;
    for (;;) {
        const struct label *left = next_kept(g, a, &a_at);
        const struct label *right = next_kept(g, b, &b_at);
        if (!left || !right) return left == right;
        if (!str_equal(left->name, right->name) || !str_equal(left->value, right->value))
            return false;
    }
}

enum status grouping_labels(const struct grouping *g, size_t number, struct arena *a,
                            struct labels *out, struct error *err)
{
    struct labels set = g->examples.items[number];
    if (!g->without) return labels_keep(set, g->names, g->name_count, a, out, err);
    enum status st = labels_drop(set, g->names, g->name_count, a, out, err);
    return st ? st : labels_set(*out, LABEL_METRIC_NAME, STR(""), a, out, err);
}

static uint64_t hash_of(const struct grouping *g, struct labels set)
{
    return g->without ? labels_hash_without(set, g->names, g->name_count)
                      : labels_hash_with(set, g->names, g->name_count);
}

static size_t look_up(const struct grouping *g, struct labels set, uint64_t hash)
{
    size_t probe = 0;
    size_t item;
    while ((item = hash_index_next(&g->index, hash, &probe)) != HASH_INDEX_END) {
        DEBUG_ASSERT(item < g->examples.count && g->examples.items);
        if (are_of_one_group(g, set, g->examples.items[item])) return item;
    }
    return GROUP_NONE;
}

/* What becomes of a set that is of no group. */
enum newcomer {
    NEWCOMER_LEFT,   /* nothing: GROUP_NONE */
    NEWCOMER_COPIED, /* it begins one */
    NEWCOMER_KEPT    /* the same, and it outlives the grouping */
};

static enum status find(struct grouping *g, struct labels set, enum newcomer newcomer,
                        struct arena *a, size_t *out, bool *is_new, struct error *err)
{
    uint64_t hash = hash_of(g, set);
    *out = look_up(g, set, hash);
    *is_new = *out == GROUP_NONE && newcomer != NEWCOMER_LEFT;
    if (!*is_new) return OK;
    struct labels *slot = VEC_PUSH(&g->examples, a);
    if (!slot) return no_room(a, err);
    *slot = set;
    *out = g->examples.count - 1;
    enum status st = newcomer == NEWCOMER_KEPT ? OK : labels_pin(set, a, slot, err);
    return st ? st : hash_index_add(&g->index, hash, *out, a, err);
}

enum status grouping_find(struct grouping *g, struct labels set, struct arena *a, size_t *out,
                          bool *is_new, struct error *err)
{
    return find(g, set, NEWCOMER_COPIED, a, out, is_new, err);
}

static enum status class_of(struct grouping *g, struct eval *ev, const struct row *row,
                            uint32_t *number, bool *is_new, struct error *err)
{
    struct series_classes **classes = &g->classes[row->unnamed].classes;
    struct series_classes_request request = {
        .names = g->names, .name_count = g->name_count, .without = g->without};
    enum status st =
        *classes ? OK : series_classes_create(ev->querier, &request, ev->arena, classes, err);
    return st ? st : series_classes_find(*classes, row->series, number, is_new, err);
}

/* Where it stands which group a bare row's class is: GROUP_NONE when that is not known yet. NULL
 * when classes are not worth their finding, as most series are one of their own. */
static enum status group_of_class(struct grouping *g, struct eval *ev, const struct row *row,
                                  size_t **out, struct error *err)
{
    struct grouping_classes *c = &g->classes[row->unnamed];
    enum { CLASSES_TRIED = 64 };
    uint32_t number;
    bool is_new;
    *out = NULL;
    if (c->groups.count >= CLASSES_TRIED && c->groups.count > c->rows / 2) return OK;
    c->rows++;
    enum status st = class_of(g, ev, row, &number, &is_new, err);
    if (st) return st;
    if (is_new) {
        size_t *slot = VEC_PUSH(&c->groups, ev->arena);
        if (!slot) return no_room(ev->arena, err);
        *slot = GROUP_NONE;
    }
    *out = &c->groups.items[number];
    return OK;
}

/* makes: a group, where there is none. */
static enum status find_row(struct grouping *g, struct eval *ev, const struct row *row, bool makes,
                            size_t *out, bool *is_new, struct error *err)
{
    const enum newcomer kept = makes ? NEWCOMER_KEPT : NEWCOMER_LEFT;
    const enum newcomer copied = makes ? NEWCOMER_COPIED : NEWCOMER_LEFT;
    struct labels labels = {0};
    *out = 0;
    *is_new = false;
    if (grouping_is_one(g))
        return g->examples.count ? OK : find(g, labels, kept, ev->arena, out, is_new, err);
    if (!row->series) return find(g, row->labels, copied, ev->arena, out, is_new, err);
    size_t *known;
    enum status st = group_of_class(g, ev, row, &known, err);
    if (st) return st;
    if (known && *known != GROUP_NONE) {
        *out = *known;
        return OK;
    }
    /* Several classes are one group when they differ in labels that go. */
    struct arena_mark mark = arena_mark(ev->arena);
    st = row_labels(row, ev->arena, &labels, err);
    if (!st) st = find(g, labels, kept, ev->arena, out, is_new, err);
    if (!st && !*is_new) arena_rewind(ev->arena, mark);
    if (known) *known = *out;
    return st;
}

enum status grouping_find_row(struct grouping *g, struct eval *ev, const struct row *row,
                              size_t *out, bool *is_new, struct error *err)
{
    if (!g->by_class || !row->series || grouping_is_one(g))
        return find_row(g, ev, row, true, out, is_new, err);
    uint32_t number = 0;
    enum status st = class_of(g, ev, row, &number, is_new, err);
    *out = number;
    return st;
}

enum status grouping_look_up_row(struct grouping *g, struct eval *ev, const struct row *row,
                                 size_t *out, struct error *err)
{
    bool is_new;
    return find_row(g, ev, row, false, out, &is_new, err);
}
