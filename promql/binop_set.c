/* binop_set - and, or, unless: presence decides, values pass through. */
#include "promql/binop.h"

#include "promql/signature.h"

/* Which steps a signature is present at, on one side. */
struct presence {
    struct signature_table signatures;
    struct presence_bits VEC_OF(uint64_t *) bits; /* by number of signature */
    size_t steps;
};

static enum status presence_add(struct presence *p, const struct row *row, struct arena *a,
                                struct error *err)
{
    size_t number;
    enum status st = signature_number(&p->signatures, row->labels, a, &number, err);
    if (st) return st;
    if (number == p->bits.count) {
        uint64_t **slot = VEC_PUSH(&p->bits, a);
        if (slot) *slot = arena_calloc(a, row_words(p->steps), sizeof(uint64_t));
        if (!slot || !*slot) return no_room(a, err);
    }
    bits_or(p->bits.items[number], row->present, p->steps);
    return OK;
}

/* NULL: the signature is nowhere. */
static const uint64_t *presence_of(const struct presence *p, struct labels set)
{
    size_t number = signature_lookup(&p->signatures, set);
    return number == HASH_INDEX_END ? NULL : p->bits.items[number];
}

static void mask(struct row *row, const uint64_t *other, bool keep_common, size_t steps)
{
    for (size_t w = 0; w < row_words(steps); w++) {
        uint64_t bits = other ? other[w] : 0;
        row->present[w] &= keep_common ? bits : ~bits;
    }
}

struct set_rows {
    struct rows base;
    struct rows *left;
    struct presence right;
    bool keep_common; /* and; else unless */
};

static enum status set_next(struct rows *self, struct row **out, struct error *err)
{
    struct set_rows *s = (struct set_rows *)self;
    for (;;) {
        enum status st = s->left->next(s->left, out, err);
        if (st || !*out) return st;
        mask(*out, presence_of(&s->right, (*out)->labels), s->keep_common, self->steps);
        if (bits_any((*out)->present, self->steps)) return OK;
    }
}

static enum status open_and_unless(struct eval *ev, const struct ast *node, struct rows *left,
                                   struct rows *right, struct rows **out, struct error *err)
{
    struct set_rows *s = arena_calloc(ev->arena, 1, sizeof(*s));
    if (!s) return no_room(ev->arena, err);
    s->base = *left;
    s->base.next = set_next;
    s->left = left;
    s->keep_common = node->binary.op == OP_AND;
    s->right.signatures.matching = node->binary.matching;
    s->right.steps = left->steps;
    *out = &s->base;
    for (;;) {
        struct row *row;
        enum status st = right->next(right, &row, err);
        if (st || !row) return st;
        st = presence_add(&s->right, row, ev->arena, err);
        if (st) return st;
    }
}

/* The left side, then what of the right side has no match at its step; equal label sets of the two
 * sides become one row. */
struct or_rows {
    struct rows base;
    struct rows *left;
    struct rows *right;
    struct presence seen;
    bool left_done;
};

static enum status or_next(struct rows *self, struct row **out, struct error *err)
{
    struct or_rows *o = (struct or_rows *)self;
    if (!o->left_done) {
        enum status st = o->left->next(o->left, out, err);
        if (st || *out) return st ? st : presence_add(&o->seen, *out, self->ev->arena, err);
        o->left_done = true;
    }
    for (;;) {
        enum status st = o->right->next(o->right, out, err);
        if (st || !*out) return st;
        mask(*out, presence_of(&o->seen, (*out)->labels), false, self->steps);
        if (bits_any((*out)->present, self->steps)) return OK;
    }
}

static enum status open_or(struct eval *ev, const struct ast *node, struct rows *left,
                           struct rows *right, struct rows **out, struct error *err)
{
    struct or_rows *o = arena_calloc(ev->arena, 1, sizeof(*o));
    if (!o) return no_room(ev->arena, err);
    o->base = (struct rows){
        .next = or_next, .ev = ev, .steps = left->steps, .stable = left->stable && right->stable};
    o->left = left;
    o->right = right;
    o->seen.signatures.matching = node->binary.matching;
    o->seen.steps = left->steps;
    return rows_merge(&o->base, MERGE_DISJOINT, out, err);
}

enum status binop_sets(struct eval *ev, const struct ast *node, const struct eval_range *range,
                       struct rows **out, struct error *err)
{
    struct rows *left;
    struct rows *right;
    enum status st = eval_rows(ev, node->binary.lhs, range, &left, err);
    if (!st) st = eval_rows(ev, node->binary.rhs, range, &right, err);
    if (st) return st;
    if (node->binary.op == OP_OR) return open_or(ev, node, left, right, out, err);
    return open_and_unless(ev, node, left, right, out, err);
}
