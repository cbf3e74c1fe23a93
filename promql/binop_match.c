/*
 * binop_match - arithmetic and comparison of two vectors.
 *
 * Rows of the "one" side are chained by signature; each row of the other side meets the rows of its
 * chain at the steps where both are present. Whole rows meet at once, and bitmaps find what
 * Prometheus finds step by step: two rows of one signature at the same step are an error, unless
 * one side has nothing at all at that step.
 */
#include "promql/binop.h"

#include "base/assert.h"
#include "base/hash.h"
#include "promql/signature.h"

enum { NO_ROW = -1 };

struct result {
    struct row row;
    size_t signature;
    uint64_t *tried; /* steps where a pair met, kept or not */
};

/* The rows of the one side that share a signature. */
struct chain {
    int64_t head;   /* index into one */
    uint64_t *seen; /* steps where any of them is present, and so is the other side */
};

struct match {
    struct eval *ev;
    const struct ast *node;
    const struct vector_matching *matching;
    size_t steps;
    bool one_is_left; /* group_right */
    bool drops_name;
    struct row_table many;
    struct row_table one;
    struct signature_table signatures;         /* of the one side */
    struct chains VEC_OF(struct chain) chains; /* by signature */
    int64_t *next;                             /* by row of one: the next of its signature */
    uint64_t *both;                            /* steps where each side has something */
    uint64_t **matched;                        /* one-to-one, by signature */
    struct results VEC_OF(struct result) results;
    struct hash_index result_index;
};

static enum status bits_new(struct match *m, uint64_t **out, struct error *err)
{
    *out = arena_calloc(m->ev->arena, row_words(m->steps) + 1, sizeof(uint64_t));
    return *out ? OK : no_room(m->ev->arena, err);
}

static enum status find_both(struct match *m, struct error *err)
{
    uint64_t *other;
    enum status st = bits_new(m, &m->both, err);
    if (!st) st = bits_new(m, &other, err);
    if (st) return st;
    for (size_t i = 0; i < m->many.count; i++)
        bits_or(m->both, m->many.items[i].present, m->steps);
    for (size_t i = 0; i < m->one.count; i++)
        bits_or(other, m->one.items[i].present, m->steps);
    for (size_t w = 0; w < row_words(m->steps); w++)
        m->both[w] &= other[w];
    return OK;
}

static bool meet(const struct row *a, const struct row *b, const uint64_t *within, size_t steps)
{
    for (size_t w = 0; w < row_words(steps); w++)
        if (a->present[w] & b->present[w] & (within ? within[w] : UINT64_MAX)) return true;
    return false;
}

static enum status error_duplicate(const struct match *m, const struct row *a, const struct row *b,
                                   struct error *err)
{
    const struct vector_matching *v = m->matching;
    struct arena *arena = m->ev->arena;
    struct labels group;
    struct str group_text;
    struct str first;
    struct str second;
    enum status st =
        v->on ? labels_keep(a->labels, v->labels.items, v->labels.count, arena, &group, err)
              : labels_drop(a->labels, v->labels.items, v->labels.count, arena, &group, err);
    if (!st && !v->on) st = labels_set(group, LABEL_METRIC_NAME, STR(""), arena, &group, err);
    if (!st) st = labels_text(group, arena, &group_text, err);
    if (!st) st = labels_text(a->labels, arena, &first, err);
    if (!st) st = labels_text(b->labels, arena, &second, err);
    if (st) return st;
    if (str_compare(first, second) > 0) {
        struct str swap = first;
        first = second;
        second = swap;
    }
    return error_set(err, ERR_CONFLICT,
                     "found duplicate series for the match group %.*s on the %s hand-side of the "
                     "operation: [%.*s, %.*s];many-to-many matching not allowed: matching labels "
                     "must be unique on one side",
                     STR_ARG(group_text), m->one_is_left ? "left" : "right", STR_ARG(first),
                     STR_ARG(second));
}

/* Put a row of the one side before the others of its signature; refuse two at the same step. */
static enum status chain_row(struct match *m, struct chain *chain, size_t index, struct error *err)
{
    const struct row *row = &m->one.items[index];
    bool meets = false;
    for (size_t w = 0; w < row_words(m->steps); w++) {
        uint64_t bits = row->present[w] & m->both[w];
        meets = meets || (chain->seen[w] & bits);
        chain->seen[w] |= bits;
    }
    for (int64_t i = chain->head; meets && i != NO_ROW; i = m->next[i])
        if (meet(row, &m->one.items[i], m->both, m->steps))
            return error_duplicate(m, row, &m->one.items[i], err);
    m->next[index] = chain->head;
    chain->head = (int64_t)index;
    return OK;
}

static enum status chain_one_side(struct match *m, struct error *err)
{
    struct arena *a = m->ev->arena;
    m->next = arena_alloc_array(a, m->one.count, sizeof(m->next[0]));
    if (!m->next) return no_room(a, err);
    for (size_t i = 0; i < m->one.count; i++) {
        size_t number;
        enum status st = signature_number(&m->signatures, m->one.items[i].labels, a, &number, err);
        if (st) return st;
        if (number == m->chains.count) {
            struct chain *slot = VEC_PUSH(&m->chains, a);
            if (!slot) return no_room(a, err);
            *slot = (struct chain){.head = NO_ROW};
            st = bits_new(m, &slot->seen, err);
            if (st) return st;
        }
        st = chain_row(m, &m->chains.items[number], i, err);
        if (!st) st = eval_tick(m->ev, row_words(m->steps), err);
        if (st) return st;
    }
    m->matched = arena_calloc(a, m->chains.count + 1, sizeof(m->matched[0]));
    return m->matched ? OK : no_room(a, err);
}

static enum status result_labels(const struct match *m, const struct row *many,
                                 const struct row *one, struct labels *out, struct error *err)
{
    const struct vector_matching *v = m->matching;
    struct arena *a = m->ev->arena;
    enum status st = OK;
    *out = many->labels;
    if (m->drops_name) st = labels_unname(*out, NULL, a, out, err);
    if (!st && v->cardinality == CARD_ONE_TO_ONE)
        st = v->on ? labels_keep(*out, v->labels.items, v->labels.count, a, out, err)
                   : labels_drop(*out, v->labels.items, v->labels.count, a, out, err);
    for (size_t i = 0; !st && i < v->include.count; i++) {
        struct str name = v->include.items[i];
        st = labels_set(*out, name, labels_get(one->labels, name), a, out, err);
    }
    return st;
}

static enum status result_find(struct match *m, struct labels labels, size_t signature,
                               struct result **out, struct error *err)
{
    uint64_t hash = hash_mix(labels_hash(labels), signature);
    size_t probe = 0;
    size_t item;
    while ((item = hash_index_next(&m->result_index, hash, &probe)) != HASH_INDEX_END) {
        *out = &m->results.items[item];
        if ((*out)->signature == signature && labels_equal((*out)->row.labels, labels)) return OK;
    }
    *out = VEC_PUSH(&m->results, m->ev->arena);
    if (!*out) return no_room(m->ev->arena, err);
    **out = (struct result){.signature = signature};
    enum status st = row_alloc(&(*out)->row, m->steps, m->ev->arena, err);
    if (!st) st = bits_new(m, &(*out)->tried, err);
    if (st) return st;
    (*out)->row.labels = labels;
    return hash_index_add(&m->result_index, hash, m->results.count - 1, m->ev->arena, err);
}

/* Note that a pair meets at `steps`; an error when another one did before. */
static enum status claim(struct match *m, struct result *r, const uint64_t *steps,
                         struct error *err)
{
    bool one_to_one = m->matching->cardinality == CARD_ONE_TO_ONE;
    DEBUG_ASSERT(m->matched && r->tried);
    uint64_t **seen = one_to_one ? &m->matched[r->signature] : &r->tried;
    if (!*seen) {
        enum status st = bits_new(m, seen, err);
        if (st) return st;
    }
    DEBUG_ASSERT(*seen);
    for (size_t w = 0; w < row_words(m->steps); w++) {
        if (!((*seen)[w] & steps[w])) {
            (*seen)[w] |= steps[w];
            continue;
        }
        return error_set(err, ERR_CONFLICT,
                         one_to_one ? "multiple matches for labels: many-to-one matching must be "
                                      "explicit (group_left/group_right)"
                                    : "multiple matches for labels: grouping labels must ensure "
                                      "unique matches");
    }
    return OK;
}

static void apply(const struct match *m, const struct row *many, const struct row *one,
                  const uint64_t *steps, struct row *out)
{
    enum ast_op op = m->node->binary.op;
    bool return_bool = m->node->binary.return_bool;
    struct bit_walk walk = bit_walk(steps, m->steps);
    size_t i;
    while (bit_walk_next(&walk, &i)) {
        double lhs = m->one_is_left ? one->v[i] : many->v[i];
        double rhs = m->one_is_left ? many->v[i] : one->v[i];
        double v;
        bool kept = binop_element(op, lhs, rhs, &v);
        if (!kept && !return_bool) continue;
        out->v[i] = return_bool ? (double)kept : v;
        bit_set(out->present, i);
    }
}

static enum status match_pair(struct match *m, const struct row *many, const struct row *one,
                              size_t signature, uint64_t *scratch, struct error *err)
{
    struct labels labels;
    struct result *result;
    for (size_t w = 0; w < row_words(m->steps); w++)
        scratch[w] = many->present[w] & one->present[w];
    if (!bits_any(scratch, m->steps)) return eval_tick(m->ev, 1, err);
    enum status st = result_labels(m, many, one, &labels, err);
    if (!st) st = result_find(m, labels, signature, &result, err);
    if (!st) st = claim(m, result, scratch, err);
    if (st) return st;
    size_t before = bits_count(result->row.present, m->steps);
    apply(m, many, one, scratch, &result->row);
    size_t after = bits_count(result->row.present, m->steps);
    st = eval_hold(m->ev, after - before, err);
    return st ? st : eval_tick(m->ev, m->steps, err);
}

static enum status match_all(struct match *m, struct error *err)
{
    uint64_t *scratch;
    enum status st = bits_new(m, &scratch, err);
    for (size_t i = 0; !st && i < m->many.count; i++) {
        const struct row *many = &m->many.items[i];
        size_t number = signature_lookup(&m->signatures, many->labels);
        if (number == HASH_INDEX_END) continue;
        for (int64_t j = m->chains.items[number].head; !st && j != NO_ROW; j = m->next[j])
            st = match_pair(m, many, &m->one.items[j], number, scratch, err);
    }
    return st;
}

/* Are results distinct without their names? With one-to-one matching the signature alone makes
 * them so. */
static bool is_unnamed_unique(const struct match *m)
{
    const struct vector_matching *v = m->matching;
    if (m->drops_name) return true;
    bool named = false;
    for (size_t i = 0; i < v->labels.count && v->on; i++)
        named = named || label_is_reserved(v->labels.items[i]);
    return v->cardinality == CARD_ONE_TO_ONE && !named;
}

static enum status finish(struct match *m, struct rows **out, struct error *err)
{
    struct row_table table = {0};
    for (size_t i = 0; i < m->results.count; i++) {
        struct row *slot = VEC_PUSH(&table, m->ev->arena);
        if (!slot) return no_room(m->ev->arena, err);
        *slot = m->results.items[i].row;
    }
    eval_drop(m->ev, row_table_samples(&m->many, m->steps) + row_table_samples(&m->one, m->steps));
    enum status st = rows_from_table(m->ev, &table, m->steps, is_unnamed_unique(m), out, err);
    if (st || m->matching->cardinality == CARD_ONE_TO_ONE) return st;
    return rows_merge(*out, MERGE_DISJOINT, out, err);
}

enum status binop_vectors(struct eval *ev, const struct ast *node, const struct eval_range *range,
                          struct rows **out, struct error *err)
{
    const struct vector_matching *matching = node->binary.matching;
    struct match *m = arena_calloc(ev->arena, 1, sizeof(*m));
    if (!m) return no_room(ev->arena, err);
    m->ev = ev;
    m->node = node;
    m->matching = matching;
    m->signatures.matching = matching;
    m->steps = range->steps;
    m->one_is_left = matching->cardinality == CARD_ONE_TO_MANY;
    m->drops_name = !ast_op_is_comparison(node->binary.op) || node->binary.return_bool;

    struct rows *left;
    struct rows *right;
    enum status st = eval_rows(ev, node->binary.lhs, range, &left, err);
    if (!st) st = rows_collect(left, m->one_is_left ? &m->one : &m->many, err);
    if (!st) st = eval_rows(ev, node->binary.rhs, range, &right, err);
    if (!st) st = rows_collect(right, m->one_is_left ? &m->many : &m->one, err);
    if (!st) st = find_both(m, err);
    if (!st) st = chain_one_side(m, err);
    if (!st) st = match_all(m, err);
    return st ? st : finish(m, out, err);
}
