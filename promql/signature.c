/* signature - what two label sets must agree in to match. */
#include "promql/signature.h"

static uint64_t signature_hash(const struct vector_matching *m, struct labels set)
{
    return m->on ? labels_hash_with(set, m->labels.items, m->labels.count)
                 : labels_hash_without(set, m->labels.items, m->labels.count);
}

static bool is_matching_label(const struct vector_matching *m, struct str name)
{
    bool listed = false;
    for (size_t i = 0; i < m->labels.count && !listed; i++)
        listed = str_equal(m->labels.items[i], name);
    return m->on ? listed : !listed && !str_equal(name, LABEL_METRIC_NAME);
}

static const struct label *next_matching(const struct vector_matching *m, struct labels set,
                                         size_t *at)
{
    while (*at < set.count) {
        const struct label *label = &set.items[(*at)++];
        if (is_matching_label(m, label->name)) return label;
    }
    return NULL;
}

static bool same_signature(const struct vector_matching *m, struct labels a, struct labels b)
{
    size_t a_at = 0;
    size_t b_at = 0;
    for (;;) {
        const struct label *left = next_matching(m, a, &a_at);
        const struct label *right = next_matching(m, b, &b_at);
        if (!left || !right) return left == right;
        if (!str_equal(left->name, right->name) || !str_equal(left->value, right->value))
            return false;
    }
}

static size_t signature_find(const struct signature_table *table, uint64_t hash, struct labels set)
{
    size_t probe = 0;
    size_t item;
    while ((item = hash_index_next(&table->index, hash, &probe)) != HASH_INDEX_END)
        if (same_signature(table->matching, table->examples.items[item], set)) break;
    return item;
}

size_t signature_lookup(const struct signature_table *table, struct labels set)
{
    return signature_find(table, signature_hash(table->matching, set), set);
}

enum status signature_number(struct signature_table *table, struct labels set, struct arena *a,
                             size_t *out, struct error *err)
{
    uint64_t hash = signature_hash(table->matching, set);
    *out = signature_find(table, hash, set);
    if (*out != HASH_INDEX_END) return OK;
    struct labels *slot = VEC_PUSH(&table->examples, a);
    if (!slot) return no_room(a, err);
    *out = table->examples.count - 1;
    enum status st = labels_pin(set, a, slot, err);
    return st ? st : hash_index_add(&table->index, hash, *out, a, err);
}
