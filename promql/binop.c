/* binop - the operators themselves, and a vector with a scalar. */
#include "promql/binop.h"

#include <math.h>

#include "base/assert.h"

bool binop_element(enum ast_op op, double lhs, double rhs, double *out)
{
    *out = lhs;
    switch (op) {
    case OP_ADD: *out = lhs + rhs; return true;
    case OP_SUB: *out = lhs - rhs; return true;
    case OP_MUL: *out = lhs * rhs; return true;
    case OP_DIV: *out = lhs / rhs; return true;
    case OP_MOD: *out = fmod(lhs, rhs); return true;
    case OP_POW: *out = pow(lhs, rhs); return true;
    case OP_ATAN2: *out = atan2(lhs, rhs); return true;
    case OP_EQL: return lhs == rhs;
    case OP_NEQ: return lhs != rhs;
    case OP_GTR: return lhs > rhs;
    case OP_LSS: return lhs < rhs;
    case OP_GTE: return lhs >= rhs;
    case OP_LTE: return lhs <= rhs;
    case OP_TRIM_UPPER:
    case OP_TRIM_LOWER: return false;
    case OP_NONE:
    case OP_AND:
    case OP_OR:
    case OP_UNLESS: break;
    }
    UNREACHABLE();
}

void binop_columns(enum ast_op op, const double *restrict lhs, const double *restrict rhs,
                   double *restrict out, size_t count)
{
    if (op == OP_DIV) /* the usual one, and several at once */
        for (size_t i = 0; i < count; i++)
            out[i] = lhs[i] / rhs[i];
    else
        for (size_t i = 0; i < count; i++)
            (void)binop_element(op, lhs[i], rhs[i], &out[i]);
}

double binop_scalar(enum ast_op op, double lhs, double rhs)
{
    double v;
    bool kept = binop_element(op, lhs, rhs, &v);
    return ast_op_is_comparison(op) ? (double)kept : v;
}

bool binop_changes_schema(enum ast_op op)
{
    return op >= OP_ADD && op <= OP_ATAN2;
}

enum status binop_remark_floats(struct eval *ev, const struct ast *node, struct error *err)
{
    const char *op = ast_op_text(node->binary.op);
    struct str text = arena_printf(ev->arena,
                                   "PromQL info: incompatible sample types encountered for binary "
                                   "operator \"%s\": float %s float",
                                   op, op);
    return text.data ? eval_info(ev, text, node, err) : no_room(ev->arena, err);
}

struct scalar_rows {
    struct rows base;
    struct rows *child;
    const double *scalar; /* one per step */
    const struct ast *node;
    enum ast_op op;
    bool scalar_left;
    bool return_bool;
    struct label_scratch scratch;
};

/* One value against the scalar: comparisons keep the vector's element, whichever side it is on. */
static bool scalar_element(const struct scalar_rows *s, double v, double scalar, double *out)
{
    double lhs = s->scalar_left ? scalar : v;
    double rhs = s->scalar_left ? v : scalar;
    bool kept = binop_element(s->op, lhs, rhs, out);
    if (!ast_op_is_comparison(s->op)) return kept;
    *out = s->return_bool ? (double)kept : v;
    return kept || s->return_bool;
}

static bool changes_name(const struct scalar_rows *s)
{
    return binop_changes_schema(s->op) || s->return_bool;
}

static enum status scalar_next(struct rows *self, struct row **out, struct error *err)
{
    struct scalar_rows *s = (struct scalar_rows *)self;
    s->child->bare = self->bare;
    for (;;) {
        enum status st = s->child->next(s->child, out, err);
        if (!st && *out && ast_op_is_trim(s->op)) st = binop_remark_floats(self->ev, s->node, err);
        if (st || !*out) return st;
        struct row *row = *out;
        struct bit_walk walk = bit_walk(row->present, self->steps);
        size_t i;
        while (bit_walk_next(&walk, &i))
            if (!scalar_element(s, row->v[i], s->scalar[i], &row->v[i])) bit_clear(row->present, i);
        if (!bits_any(row->present, self->steps)) continue;
        return changes_name(s) ? row_unname(self, row, &s->scratch, err) : OK;
    }
}

enum status binop_vector_scalar(struct eval *ev, const struct ast *node,
                                const struct eval_range *range, struct rows **out,
                                struct error *err)
{
    bool scalar_left = node->binary.lhs->type == VALUE_SCALAR;
    double *scalar;
    struct rows *child;
    enum status st =
        eval_scalar(ev, scalar_left ? node->binary.lhs : node->binary.rhs, range, &scalar, err);
    if (!st)
        st = eval_rows(ev, scalar_left ? node->binary.rhs : node->binary.lhs, range, &child, err);
    if (st) return st;
    struct scalar_rows *s = arena_calloc(ev->arena, 1, sizeof(*s));
    if (!s) return no_room(ev->arena, err);
    s->base = *child;
    s->base.next = scalar_next;
    s->child = child;
    s->scalar = scalar;
    s->node = node;
    s->op = node->binary.op;
    s->scalar_left = scalar_left;
    s->return_bool = node->binary.return_bool;
    *out = &s->base;
    return changes_name(s) ? rows_unnamed(&s->base, MERGE_DISJOINT, out, err) : OK;
}
