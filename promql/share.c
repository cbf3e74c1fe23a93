/* share - looking for aggregations of the same expression, and the list of what waits. */
#include "promql/share.h"

struct search {
    struct str text; /* of the whole query */
    struct str expr; /* what the node aggregates */
    const struct ast *node;
    const struct ast **out;
    size_t count;
};

/* What is aggregated, from behind the opening parenthesis to the end of the aggregation: nothing
 * that changes its meaning can lie outside. Empty when it does not look like that. */
static struct str aggregated_text(struct str text, const struct ast *node)
{
    uint32_t from = node->aggregate.expr->position.start;
    uint32_t open = from;
    while (open > node->position.start &&
           (text.data[open - 1] == ' ' || text.data[open - 1] == '\n'))
        open--;
    if (open == node->position.start || text.data[open - 1] != '(') return STR("");
    return (struct str){.data = text.data + from, .size = node->position.end - from};
}

/* Aggregations that take each row into its group and forget it. */
static bool folds(enum ast_aggregation op)
{
    return op <= AGG_STDVAR;
}

static void look_at(struct search *s, const struct ast *node);

static void look_at_aggregation(struct search *s, const struct ast *node)
{
    if (folds(node->aggregate.op) && s->count < SHARE_MAX &&
        node->position.start > s->node->position.start &&
        str_equal(aggregated_text(s->text, node), s->expr))
        s->out[s->count++] = node;
    look_at(s, node->aggregate.expr);
}

/* Subqueries, and what is evaluated once, have steps of their own. */
static void look_at(struct search *s, const struct ast *node)
{
    switch (node->kind) {
    case AST_CALL:
        for (size_t i = 0; i < node->call.arg_count; i++)
            look_at(s, node->call.args[i]);
        return;
    case AST_AGGREGATE: look_at_aggregation(s, node); return;
    case AST_BINARY:
        look_at(s, node->binary.lhs);
        look_at(s, node->binary.rhs);
        return;
    case AST_UNARY: look_at(s, node->unary.expr); return;
    case AST_PAREN: look_at(s, node->inner); return;
    default: return;
    }
}

static bool is_whole_range(const struct query *q, const struct eval_range *range)
{
    return q->step_ms > 0 && range->start_ms == q->start_ms && range->step_ms == q->step_ms &&
           range->steps == query_steps(q);
}

size_t share_find(const struct eval *ev, const struct ast *node, const struct eval_range *range,
                  const struct ast **out)
{
    const struct query *q = ev->query;
    struct search s = {.text = q->text,
                       .expr = aggregated_text(q->text, node),
                       .node = node,
                       .out = out,
                       .count = 1};
    out[0] = node;
    bool instant = q->step_ms == 0 && range->steps == 1 && range->start_ms == q->start_ms;
    if (s.expr.size && (instant || is_whole_range(q, range))) look_at(&s, q->tree);
    return s.count;
}

enum status share_put(struct eval *ev, const struct ast *node, struct rows *rows, struct error *err)
{
    struct shared *slot = VEC_PUSH(&ev->shared, ev->arena);
    if (!slot) return no_room(ev->arena, err);
    *slot = (struct shared){.node = node, .rows = rows};
    return OK;
}

struct rows *share_take(struct eval *ev, const struct ast *node)
{
    for (size_t i = 0; i < ev->shared.count; i++) {
        struct shared *slot = &ev->shared.items[i];
        if (slot->node != node) continue;
        slot->node = NULL;
        return slot->rows;
    }
    return NULL;
}
