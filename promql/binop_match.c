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
#include "promql/grouping.h"

enum { NO_ROW = -1, LABEL_WORK = 16 /* of taking one over, as so many samples */ };

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
    bool many_unnamed_unique;
    struct row_table many; /* bare, as is the one side */
    struct row_table one;
    size_t *many_number; /* signatures, by row; GROUP_NONE: the other side has none like it */
    size_t *one_number;
    struct grouping signatures;
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

static enum status row_text(const struct match *m, const struct row *row, struct str *out,
                            struct error *err)
{
    struct labels labels;
    enum status st = row_labels(row, m->ev->arena, &labels, err);
    return st ? st : labels_text(labels, m->ev->arena, out, err);
}

static enum status error_duplicate(const struct match *m, size_t signature, const struct row *a,
                                   const struct row *b, struct error *err)
{
    struct str group_text;
    struct str first;
    struct str second;
    struct labels group;
    enum status st = grouping_labels(&m->signatures, signature, m->ev->arena, &group, err);
    if (!st) st = labels_text(group, m->ev->arena, &group_text, err);
    if (!st) st = row_text(m, a, &first, err);
    if (!st) st = row_text(m, b, &second, err);
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
static enum status chain_row(struct match *m, size_t index, struct error *err)
{
    const struct row *row = &m->one.items[index];
    size_t signature = m->one_number[index];
    struct chain *chain = &m->chains.items[signature];
    bool meets = false;
    for (size_t w = 0; w < row_words(m->steps); w++) {
        uint64_t bits = row->present[w] & m->both[w];
        meets = meets || (chain->seen[w] & bits);
        chain->seen[w] |= bits;
    }
    for (int64_t i = chain->head; meets && i != NO_ROW; i = m->next[i])
        if (meet(row, &m->one.items[i], m->both, m->steps))
            return error_duplicate(m, signature, row, &m->one.items[i], err);
    m->next[index] = chain->head;
    chain->head = (int64_t)index;
    return OK;
}

/* The number of a row's signature, and a chain for it. */
static enum status chain_of(struct match *m, const struct row *row, size_t *out, struct error *err)
{
    struct arena *a = m->ev->arena;
    bool is_new;
    enum status st = grouping_find_row(&m->signatures, m->ev, row, out, &is_new, err);
    if (st || !is_new) return st;
    struct chain *slot = VEC_PUSH(&m->chains, a);
    if (!slot) return no_room(a, err);
    *slot = (struct chain){.head = NO_ROW};
    st = bits_new(m, &slot->seen, err);
    return st ? st : bits_new(m, &slot->met, err);
}

static enum status chain_one_side(struct match *m, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; !st && i < m->one.count; i++) {
        st = chain_of(m, &m->one.items[i], &m->one_number[i], err);
        if (!st) st = chain_row(m, i, err);
        if (!st) st = eval_tick(m->ev, row_words(m->steps), err);
    }
    return st;
}

static enum status number_many_side(struct match *m, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; !st && i < m->many.count; i++) {
        const struct row *row = &m->many.items[i];
        size_t *number = &m->many_number[i];
        st = m->fill_one ? chain_of(m, row, number, err)
                         : grouping_look_up_row(&m->signatures, m->ev, row, number, err);
    }
    return st;
}

static enum status result_labels(const struct match *m, const struct row *many,
                                 const struct row *one, struct labels *out, struct error *err)
{
    const struct vector_matching *v = m->matching;
    struct arena *a = m->ev->arena;
    enum status st = row_labels(many, a, out, err);
    if (!st && m->drops_name) st = labels_unname(*out, NULL, a, out, err);
    if (!st && v->cardinality == CARD_ONE_TO_ONE)
        st = v->on ? labels_keep(*out, v->labels.items, v->labels.count, a, out, err)
                   : labels_drop(*out, v->labels.items, v->labels.count, a, out, err);
    struct labels taken;
    if (!st && v->include.count) st = row_labels(one, a, &taken, err);
    for (size_t i = 0; !st && i < v->include.count; i++) {
        struct str name = v->include.items[i];
        st = labels_set(*out, name, labels_get(taken, name), a, out, err);
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

static void compare(const struct match *m, const double *lhs, const double *rhs,
                    const uint64_t *steps, struct row *out)
{
    bool return_bool = m->node->binary.return_bool;
    struct bit_walk walk = bit_walk(steps, m->steps);
    size_t i;
    while (bit_walk_next(&walk, &i)) {
        double v;
        bool kept = binop_element(m->node->binary.op, lhs[i], rhs[i], &v);
        if (!kept && !return_bool) continue;
        out->v[i] = return_bool ? (double)kept : v;
        bit_set(out->present, i);
    }
}

static void apply(const struct match *m, const struct row *many, const struct row *one,
                  const uint64_t *steps, struct row *out)
{
    const double *lhs = m->one_is_left ? one->v : many->v;
    const double *rhs = m->one_is_left ? many->v : one->v;
    struct bit_runs run = bit_runs(steps, m->steps);
    if (ast_op_is_comparison(m->node->binary.op)) {
        compare(m, lhs, rhs, steps, out);
        return;
    }
    while (bit_runs_next(&run))
        binop_columns(m->node->binary.op, lhs + run.from, rhs + run.from, out->v + run.from,
                      run.to - run.from);
    bits_or(out->present, steps, m->steps);
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
    return st ? st : eval_tick(m->ev, m->steps + m->matching->include.count * LABEL_WORK, err);
}

/* The partner that rows of a signature lack at the steps of `alone`. */
static enum status filled_row(const struct match *m, size_t signature, double *values,
                              uint64_t *alone, struct row *out, struct error *err)
{
    *out = (struct row){.v = values, .present = alone};
    return grouping_labels(&m->signatures, signature, m->ev->arena, &out->labels, err);
}

/* What the one side lacks for a row of the many side. `alone`: room for a bitmap. */
static enum status fill_one_side(struct match *m, const struct row *many, size_t signature,
                                 uint64_t *alone, struct error *err)
{
    const uint64_t *seen = m->chains.items[signature].seen;
    struct row filled;
    for (size_t w = 0; w < row_words(m->steps); w++)
        alone[w] = many->present[w] & ~seen[w];
    enum status st = filled_row(m, signature, m->fill_one, alone, &filled, err);
    return st ? st : match_pair(m, many, &filled, signature, err);
}

/* What the many side lacks, once all of it has been matched. */
static enum status fill_many_side(struct match *m, uint64_t *alone, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; !st && i < m->one.count; i++) {
        const struct row *one = &m->one.items[i];
        size_t number = m->one_number[i];
        const uint64_t *met = m->chains.items[number].met;
        for (size_t w = 0; w < row_words(m->steps); w++)
            alone[w] = one->present[w] & ~met[w];
        struct row filled;
        st = filled_row(m, number, m->fill_many, alone, &filled, err);
        if (!st) st = match_pair(m, &filled, one, number, err);
    }
    return st;
}

static enum status match_all(struct match *m, struct error *err)
{
    uint64_t *alone;
    enum status st = bits_new(m, &alone, err);
    for (size_t i = 0; !st && i < m->many.count; i++) {
        const struct row *many = &m->many.items[i];
        size_t number = m->many_number[i];
        if (number == GROUP_NONE) continue;
        for (int64_t j = m->chains.items[number].head; !st && j != NO_ROW; j = m->next[j])
            st = match_pair(m, many, &m->one.items[j], number, err);
        if (!st && m->fill_one) st = fill_one_side(m, many, number, alone, err);
    }
    return !st && m->fill_many ? fill_many_side(m, alone, err) : st;
}

/* May signatures differ in no more than labels that go with the name, and results lose? */
static bool may_collide(const struct match *m)
{
    bool one_to_one = m->matching->cardinality == CARD_ONE_TO_ONE;
    return one_to_one && m->drops_name && !grouping_is_unnamed(&m->signatures);
}

/* Are results distinct without their names? With one-to-one matching the signature alone makes
 * them so. */
static bool is_unnamed_unique(const struct match *m)
{
    const struct vector_matching *v = m->matching;
    for (size_t i = 0; i < v->include.count; i++)
        if (label_is_reserved(v->include.items[i])) return false;
    if (m->drops_name) return true;
    bool filled = m->fill_many != NULL; /* such a partner has no name, others keep theirs */
    return v->cardinality == CARD_ONE_TO_ONE && !filled && grouping_is_unnamed(&m->signatures);
}

static void drop_sides(const struct match *m)
{
    eval_drop(m->ev, row_table_samples(&m->many, m->steps) + row_table_samples(&m->one, m->steps));
}

static enum status finish(struct match *m, struct rows **out, struct error *err)
{
    struct row_table table = {0};
    for (size_t i = 0; i < m->results.count; i++) {
        struct row *slot = VEC_PUSH(&table, m->ev->arena);
        if (!slot) return no_room(m->ev->arena, err);
        *slot = m->results.items[i].row;
    }
    drop_sides(m);
    enum status st = rows_from_table(m->ev, &table, m->steps, is_unnamed_unique(m), out, err);
    bool one_to_one = m->matching->cardinality == CARD_ONE_TO_ONE;
    if (st || (one_to_one && !may_collide(m))) return st;
    return rows_merge(*out, MERGE_DISJOINT, out, err);
}

static enum status keep_results(struct match *m, struct rows **out, struct error *err)
{
    enum status st = match_all(m, err);
    return st ? st : finish(m, out, err);
}

/* Does each row of the many side make one result, with labels that no other has? */
static enum status makes_one_each(struct match *m, bool *out, struct error *err)
{
    bool one_to_one = m->matching->cardinality == CARD_ONE_TO_ONE;
    *out = false;
    if (m->fill_one || m->fill_many || ast_op_is_trim(m->node->binary.op)) return OK;
    if (!one_to_one) {
        *out = !m->matching->include.count && (!m->drops_name || m->many_unnamed_unique);
        return OK;
    }
    if (may_collide(m)) return OK;
    bool *seen = arena_calloc(m->ev->arena, m->chains.count + 1, sizeof(*seen));
    if (!seen) return no_room(m->ev->arena, err);
    for (size_t i = 0; i < m->many.count; i++) {
        size_t number = m->many_number[i];
        if (number == GROUP_NONE) continue;
        if (seen[number]) return OK;
        seen[number] = true;
    }
    *out = true;
    return OK;
}

/* Results that are handed out as they are made. */
struct result_rows {
    struct rows base;
    struct match *m;
    size_t at; /* in the many side */
    struct row row;
};

/* Those labels of a row that its result has. */
static enum status label_result(struct result_rows *r, const struct row *many, struct error *err)
{
    const struct vector_matching *v = r->m->matching;
    bool keeps_all = v->cardinality != CARD_ONE_TO_ONE || (!v->on && !v->labels.count);
    r->row.drops_name = r->m->delays_name;
    r->row.series = r->base.bare && keeps_all ? many->series : NULL;
    r->row.unnamed = many->unnamed || r->m->drops_name;
    return r->row.series ? OK : result_labels(r->m, many, NULL, &r->row.labels, err);
}

static enum status result_next(struct rows *self, struct row **out, struct error *err)
{
    struct result_rows *r = (struct result_rows *)self;
    struct match *m = r->m;
    enum status st = OK;
    *out = NULL;
    while (!st && !*out && r->at < m->many.count) {
        const struct row *many = &m->many.items[r->at];
        size_t number = m->many_number[r->at++];
        if (number == GROUP_NONE) continue;
        bits_zero(r->row.present, m->steps);
        for (int64_t i = m->chains.items[number].head; i != NO_ROW; i = m->next[i]) {
            const struct row *one = &m->one.items[i];
            for (size_t w = 0; w < row_words(m->steps); w++)
                m->scratch[w] = many->present[w] & one->present[w];
            apply(m, many, one, m->scratch, &r->row);
        }
        if (bits_any(r->row.present, m->steps)) {
            st = label_result(r, many, err);
            *out = &r->row;
        }
        if (!st) st = eval_tick(m->ev, m->steps, err);
    }
    if (!st && !*out && r->at == m->many.count) {
        r->at++;
        drop_sides(m);
    }
    return st;
}

static enum status stream_results(struct match *m, struct rows **out, struct error *err)
{
    struct result_rows *r = arena_calloc(m->ev->arena, 1, sizeof(*r));
    if (!r) return no_room(m->ev->arena, err);
    bool one_to_one = m->matching->cardinality == CARD_ONE_TO_ONE;
    r->m = m;
    r->base = (struct rows){
        .next = result_next,
        .ev = m->ev,
        .steps = m->steps,
        .unnamed_unique = is_unnamed_unique(m) || (!one_to_one && m->many_unnamed_unique),
    };
    *out = &r->base;
    return row_alloc(&r->row, m->steps, m->ev->arena, err);
}

static enum status match_init(struct match *m, struct eval *ev, const struct ast *node,
                              size_t steps, struct error *err)
{
    const struct vector_matching *matching = node->binary.matching;
    bool changes_schema = binop_changes_schema(node->binary.op);
    *m = (struct match){
        .ev = ev,
        .node = node,
        .matching = matching,
        .steps = steps,
        .one_is_left = matching->cardinality == CARD_ONE_TO_MANY,
        .drops_name = changes_schema || (node->binary.return_bool && !ev->delays_names),
        .delays_name = node->binary.return_bool && ev->delays_names,
    };
    enum status st = grouping_init_matching(&m->signatures, matching, ev->arena, err);
    return st ? st : find_fills(m, err);
}

static enum status collect_sides(struct match *m, const struct eval_range *range, struct error *err)
{
    struct arena *a = m->ev->arena;
    struct collected left = {0};
    struct collected right = {0};
    enum status st = collect(m->ev, m->node->binary.lhs, range, &left, err);
    if (!st) st = collect(m->ev, m->node->binary.rhs, range, &right, err);
    if (st) return st;
    m->many = m->one_is_left ? right.rows : left.rows;
    m->one = m->one_is_left ? left.rows : right.rows;
    m->many_unnamed_unique = m->one_is_left ? right.unnamed_unique : left.unnamed_unique;
    m->many_number = arena_alloc_array(a, m->many.count, sizeof(m->many_number[0]));
    m->one_number = arena_alloc_array(a, m->one.count, sizeof(m->one_number[0]));
    m->next = arena_alloc_array(a, m->one.count, sizeof(m->next[0]));
    return m->many_number && m->one_number && m->next ? OK : no_room(a, err);
}

enum status binop_vectors(struct eval *ev, const struct ast *node, const struct eval_range *range,
                          struct rows **out, struct error *err)
{
    struct match *m = arena_calloc(ev->arena, 1, sizeof(*m));
    if (!m) return no_room(ev->arena, err);
    bool streams;
    enum status st = match_init(m, ev, node, range->steps, err);
    if (!st) st = collect_sides(m, range, err);
    if (!st) st = find_both(m, err);
    if (!st) st = chain_one_side(m, err);
    if (!st) st = number_many_side(m, err);
    if (!st) st = makes_one_each(m, &streams, err);
    if (st) return st;
    return streams ? stream_results(m, out, err) : keep_results(m, out, err);
}
