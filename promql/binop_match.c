/*
 * binop_match - arithmetic and comparison of two vectors.
 *
 * Rows of the "one" side are chained by signature; each row of the other side meets the rows of its
 * chain at the steps where both are present. Whole rows meet at once, and bitmaps find what
 * Prometheus finds step by step: two rows of one signature at the same step are an error, unless
 * one side has nothing at all at that step.
 *
 * fill(...) puts a row of one value, with only the matching labels, where a row has no partner:
 * fill_right where the one side lacks it, fill_left where the many side does.
 */
#include "promql/binop.h"

#include "base/assert.h"
#include "base/hash.h"
#include "promql/collect.h"
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
    uint64_t *met;  /* steps where a pair of this signature met */
};

struct match {
    struct eval *ev;
    const struct ast *node;
    const struct vector_matching *matching;
    size_t steps;
    bool one_is_left; /* group_right */
    bool drops_name;  /* of results, at once */
    bool delays_name; /* of results, when the query ends */
    struct row_table many;
    struct row_table one;
    struct signature_table signatures;         /* of the one side */
    struct chains VEC_OF(struct chain) chains; /* by signature */
    int64_t *next;                             /* by row of one: the next of its signature */
    uint64_t *both;    /* steps where each side has something, or could be filled */
    uint64_t *scratch; /* steps where a pair meets */
    double *fill_one;  /* the value at each step; NULL: not filled */
    double *fill_many;
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
    if (m->matching->fills_left || m->matching->fills_right) bits_fill(m->both, m->steps);
    return OK;
}

static enum status find_fills(struct match *m, struct error *err)
{
    const struct vector_matching *v = m->matching;
    struct arena *a = m->ev->arena;
    if (v->fills_right) m->fill_one = arena_alloc_array(a, m->steps, sizeof(double));
    if (v->fills_left) m->fill_many = arena_alloc_array(a, m->steps, sizeof(double));
    if ((v->fills_right && !m->fill_one) || (v->fills_left && !m->fill_many))
        return no_room(a, err);
    for (size_t i = 0; m->fill_one && i < m->steps; i++)
        m->fill_one[i] = v->fill_right;
    for (size_t i = 0; m->fill_many && i < m->steps; i++)
        m->fill_many[i] = v->fill_left;
    return bits_new(m, &m->scratch, err);
}

static bool meet(const struct row *a, const struct row *b, const uint64_t *within, size_t steps)
{
    for (size_t w = 0; w < row_words(steps); w++)
        if (a->present[w] & b->present[w] & (within ? within[w] : UINT64_MAX)) return true;
    return false;
}

static enum status matching_labels(const struct match *m, struct labels set, struct labels *out,
                                   struct error *err)
{
    const struct vector_matching *v = m->matching;
    struct arena *a = m->ev->arena;
    if (v->on) return labels_keep(set, v->labels.items, v->labels.count, a, out, err);
    enum status st = labels_drop(set, v->labels.items, v->labels.count, a, out, err);
    return st ? st : labels_set(*out, LABEL_METRIC_NAME, STR(""), a, out, err);
}

static enum status error_duplicate(const struct match *m, const struct row *a, const struct row *b,
                                   struct error *err)
{
    struct arena *arena = m->ev->arena;
    struct labels group;
    struct str group_text;
    struct str first;
    struct str second;
    enum status st = matching_labels(m, a->labels, &group, err);
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

/* The number of the chain of a signature, perhaps a new one. */
static enum status chain_of(struct match *m, struct labels set, size_t *out, struct error *err)
{
    struct arena *a = m->ev->arena;
    enum status st = signature_number(&m->signatures, set, a, out, err);
    if (st || *out < m->chains.count) return st;
    struct chain *slot = VEC_PUSH(&m->chains, a);
    if (!slot) return no_room(a, err);
    *slot = (struct chain){.head = NO_ROW};
    st = bits_new(m, &slot->seen, err);
    return st ? st : bits_new(m, &slot->met, err);
}

static enum status chain_one_side(struct match *m, struct error *err)
{
    struct arena *a = m->ev->arena;
    m->next = arena_alloc_array(a, m->one.count, sizeof(m->next[0]));
    if (!m->next) return no_room(a, err);
    for (size_t i = 0; i < m->one.count; i++) {
        size_t number;
        enum status st = chain_of(m, m->one.items[i].labels, &number, err);
        if (!st) st = chain_row(m, &m->chains.items[number], i, err);
        if (!st) st = eval_tick(m->ev, row_words(m->steps), err);
        if (st) return st;
    }
    return OK;
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
    (*out)->row.drops_name = m->delays_name;
    return hash_index_add(&m->result_index, hash, m->results.count - 1, m->ev->arena, err);
}

/* Note that a pair meets at `steps`; an error when another one did before. */
static enum status claim(struct match *m, struct result *r, const uint64_t *steps,
                         struct error *err)
{
    bool one_to_one = m->matching->cardinality == CARD_ONE_TO_ONE;
    uint64_t *met = m->chains.items[r->signature].met;
    const uint64_t *taken = one_to_one ? met : r->tried;
    DEBUG_ASSERT(met && r->tried);
    for (size_t w = 0; w < row_words(m->steps); w++) {
        if (!(taken[w] & steps[w])) {
            r->tried[w] |= steps[w];
            met[w] |= steps[w];
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
                              size_t signature, struct error *err)
{
    struct labels labels;
    struct result *result;
    uint64_t *scratch = m->scratch;
    for (size_t w = 0; w < row_words(m->steps); w++)
        scratch[w] = many->present[w] & one->present[w];
    if (!bits_any(scratch, m->steps)) return eval_tick(m->ev, 1, err);
    if (ast_op_is_trim(m->node->binary.op)) return binop_remark_floats(m->ev, m->node, err);
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

/* The partner that a row of the other side lacks at the steps of `alone`. */
static enum status filled_row(struct match *m, const struct row *partner, double *values,
                              uint64_t *alone, struct row *out, struct error *err)
{
    *out = (struct row){.v = values, .present = alone};
    return matching_labels(m, partner->labels, &out->labels, err);
}

/* What the one side lacks for a row of the many side. `alone`: room for a bitmap. */
static enum status fill_one_side(struct match *m, const struct row *many, size_t signature,
                                 uint64_t *alone, struct error *err)
{
    const uint64_t *seen = m->chains.items[signature].seen;
    struct row filled;
    for (size_t w = 0; w < row_words(m->steps); w++)
        alone[w] = many->present[w] & ~seen[w];
    enum status st = filled_row(m, many, m->fill_one, alone, &filled, err);
    return st ? st : match_pair(m, many, &filled, signature, err);
}

/* What the many side lacks, once all of it has been matched. */
static enum status fill_many_side(struct match *m, uint64_t *alone, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; !st && i < m->one.count; i++) {
        const struct row *one = &m->one.items[i];
        struct row filled;
        size_t number = signature_lookup(&m->signatures, one->labels);
        const uint64_t *met = m->chains.items[number].met;
        for (size_t w = 0; w < row_words(m->steps); w++)
            alone[w] = one->present[w] & ~met[w];
        st = filled_row(m, one, m->fill_many, alone, &filled, err);
        if (!st) st = match_pair(m, &filled, one, number, err);
    }
    return st;
}

static enum status match_all(struct match *m, struct error *err)
{
    uint64_t *alone;
    enum status st = find_fills(m, err);
    if (!st) st = bits_new(m, &alone, err);
    for (size_t i = 0; !st && i < m->many.count; i++) {
        const struct row *many = &m->many.items[i];
        size_t number = signature_lookup(&m->signatures, many->labels);
        if (m->fill_one && number == HASH_INDEX_END) st = chain_of(m, many->labels, &number, err);
        if (st || number == HASH_INDEX_END) continue;
        for (int64_t j = m->chains.items[number].head; !st && j != NO_ROW; j = m->next[j])
            st = match_pair(m, many, &m->one.items[j], number, err);
        if (!st && m->fill_one) st = fill_one_side(m, many, number, alone, err);
    }
    return !st && m->fill_many ? fill_many_side(m, alone, err) : st;
}

/* Are results distinct without their names? With one-to-one matching the signature alone makes
 * them so. */
static bool is_unnamed_unique(const struct match *m)
{
    const struct vector_matching *v = m->matching;
    if (m->drops_name) return true;
    bool named = m->fill_many != NULL; /* a filled partner has no name, others keep theirs */
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
    m->drops_name =
        binop_changes_schema(node->binary.op) || (node->binary.return_bool && !ev->delays_names);
    m->delays_name = node->binary.return_bool && ev->delays_names;

    struct collected left = {0};
    struct collected right = {0};
    enum status st = collect(ev, node->binary.lhs, range, &left, err);
    if (!st) st = collect(ev, node->binary.rhs, range, &right, err);
    m->many = m->one_is_left ? right.rows : left.rows;
    m->one = m->one_is_left ? left.rows : right.rows;
    if (!st) st = find_both(m, err);
    if (!st) st = chain_one_side(m, err);
    if (!st) st = match_all(m, err);
    return st ? st : finish(m, out, err);
}
