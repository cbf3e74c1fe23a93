/* binop_set - and, or, unless: presence decides, values pass through. */
#include "promql/binop.h"

#include "promql/grouping.h"

/* Which steps a signature is present at, on one side. */
struct presence {
    struct eval *ev;
    struct grouping signatures;
    struct presence_bits VEC_OF(uint64_t *) bits; /* by number of signature */
    size_t steps;
};

static enum status presence_init(struct presence *p, struct eval *ev, const struct ast *node,
                                 size_t steps, struct error *err)
{
    *p = (struct presence){.ev = ev, .steps = steps};
    return grouping_init_matching(&p->signatures, node->binary.matching, ev->arena, err);
}

static enum status presence_add(struct presence *p, const struct row *row, struct error *err)
{
    size_t number;
    bool is_new;
    struct arena *a = p->ev->arena;
    enum status st = grouping_find_row(&p->signatures, p->ev, row, &number, &is_new, err);
    if (st) return st;
    if (is_new) {
        uint64_t **slot = VEC_PUSH(&p->bits, a);
        if (slot) *slot = arena_calloc(a, row_words(p->steps), sizeof(uint64_t));
        if (!slot || !*slot) return no_room(a, err);
    }
    bits_or(p->bits.items[number], row->present, p->steps);
    return OK;
}

/* Leave of a row the steps at which its signature is present, or the others. */
static enum status presence_mask(struct presence *p, struct row *row, bool keep_common,
                                 struct error *err)
{
    size_t number;
    enum status st = grouping_look_up_row(&p->signatures, p->ev, row, &number, err);
    if (st) return st;
    const uint64_t *other = number == GROUP_NONE ? NULL : p->bits.items[number];
    for (size_t w = 0; w < row_words(p->steps); w++) {
        uint64_t bits = other ? other[w] : 0;
        row->present[w] &= keep_common ? bits : ~bits;
    }
    return OK;
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
    s->left->bare = self->bare;
    for (;;) {
        enum status st = s->left->next(s->left, out, err);
        if (!st && *out) st = presence_mask(&s->right, *out, s->keep_common, err);
        if (st || !*out || bits_any((*out)->present, self->steps)) return st;
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
    *out = &s->base;
    right->bare = true;
    enum status st = presence_init(&s->right, ev, node, left->steps, err);
    while (!st) {
        struct row *row;
        st = right->next(right, &row, err);
        if (st || !row) break;
        st = presence_add(&s->right, row, err);
    }
    return st;
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
        if (st || *out) return st ? st : presence_add(&o->seen, *out, err);
        o->left_done = true;
    }
    for (;;) {
        enum status st = o->right->next(o->right, out, err);
        if (!st && *out) st = presence_mask(&o->seen, *out, false, err);
        if (st || !*out || bits_any((*out)->present, self->steps)) return st;
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
    enum status st = presence_init(&o->seen, ev, node, left->steps, err);
    return st ? st : rows_merge(&o->base, MERGE_DISJOINT, out, err);
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
