/* share - looking for the users of an expression, and the list of what waits. */
#include "promql/share.h"

#include "promql/parts.h"

/* Aggregations that take each row into its group and forget it. */
static bool folds(enum ast_aggregation op)
{
    return op <= AGG_STDVAR;
}

static bool keeps(enum ast_aggregation op)
{
    return op == AGG_TOPK || op == AGG_BOTTOMK || op == AGG_QUANTILE;
}

/* Nodes of a scope that are looked at for each user of its first ones, which no query that anybody
 * means has: else the time would grow with the square of them. */
enum { LOOKS_MAX = 1000 };

struct search {
    const struct ast *self;
    const struct ast *expr;  /* what it uses */
    bool expr_is_row_by_row; /* only such rows are kept for others */
    bool passed;             /* self: users that come now are evaluated later */
    uint32_t looks;
    struct sharers *out;
};

static void meet(struct search *s, const struct ast *user, const struct ast *expr, bool kept)
{
    bool passed = s->passed;
    if (kept && expr->kind == AST_AGGREGATE) return; /* this user is it as one that folds */
    if (user == s->self) s->passed = true;
    if (!passed || s->out->count == SHARE_MAX) return;
    if ((kept && !s->expr_is_row_by_row) || !ast_equal(expr, s->expr)) return;
    s->out->users[s->out->count++] = user;
    s->out->keep = s->out->keep || kept;
}

static void look_at(struct search *s, const struct ast *node);

static void look_at_aggregation(struct search *s, const struct ast *node)
{
    const struct ast *expr = node->aggregate.expr;
    if (node->aggregate.param) look_at(s, node->aggregate.param);
    if (folds(node->aggregate.op)) meet(s, node, expr, false);
    if (keeps(node->aggregate.op)) meet(s, expr, expr, true);
    look_at(s, expr);
}

static void look_at_side(struct search *s, const struct ast *node, const struct ast *side)
{
    if (node->binary.matching && !ast_op_is_set(node->binary.op)) meet(s, side, side, true);
    look_at(s, side);
}

static void look_at_binary(struct search *s, const struct ast *node)
{
    bool right_first = node->binary.rhs->type == VALUE_SCALAR;
    look_at_side(s, node, right_first ? node->binary.rhs : node->binary.lhs);
    look_at_side(s, node, right_first ? node->binary.lhs : node->binary.rhs);
}

static void look_at_call(struct search *s, const struct ast *node)
{
    for (size_t i = 0; i < node->call.arg_count; i++)
        if (node->call.args[i]->type == VALUE_SCALAR) look_at(s, node->call.args[i]);
    for (size_t i = 0; i < node->call.arg_count; i++)
        if (node->call.args[i]->type != VALUE_SCALAR) look_at(s, node->call.args[i]);
}

/* In order of evaluation. Subqueries, and what is evaluated once, have steps of their own. */
static void look_at(struct search *s, const struct ast *node)
{
    if (s->looks == LOOKS_MAX || s->out->count == SHARE_MAX) return;
    s->looks++;
    switch (node->kind) {
    case AST_CALL: look_at_call(s, node); return;
    case AST_AGGREGATE: look_at_aggregation(s, node); return;
    case AST_BINARY: look_at_binary(s, node); return;
    case AST_UNARY: look_at(s, node->unary.expr); return;
    case AST_PAREN: look_at(s, node->inner); return;
    default: return;
    }
}

void share_find(const struct eval *ev, const struct ast *user, struct sharers *out)
{
    const struct ast *expr = user->kind == AST_AGGREGATE ? user->aggregate.expr : user;
    struct search s = {
        .self = user, .expr = expr, .expr_is_row_by_row = parts_is_row_by_row(expr), .out = out};
    *out = (struct sharers){.users = {user}, .count = 1};
    look_at(&s, ev->scope);
}

enum status share_put(struct eval *ev, struct shared shared, struct error *err)
{
    struct shared *slot = VEC_PUSH(&ev->shared, ev->arena);
    if (!slot) return no_room(ev->arena, err);
    *slot = shared;
    return OK;
}

struct shared share_take(struct eval *ev, const struct ast *user)
{
    for (size_t i = 0; i < ev->shared.count; i++) {
        struct shared found = ev->shared.items[i];
        if (found.user != user) continue;
        ev->shared.items[i].user = NULL;
        return found;
    }
    return (struct shared){0};
}
