/* explain - the list of nodes, and rows that count. */
#include "promql/explain.h"

#include "base/clock.h"

/* Nodes whose opening is under way lie above the next one. */
static struct explained *node_of(const struct eval *ev, size_t node)
{
    return node == SIZE_MAX ? NULL : &ev->query->explained.items[node];
}

enum status explain_begin(struct eval *ev, const struct ast *node, struct explain_mark *mark,
                          struct error *err)
{
    struct query *q = ev->query;
    *mark = (struct explain_mark){.node = SIZE_MAX};
    if (q->explained.count < EXPLAINED_MAX) {
        struct explained *slot = VEC_PUSH(&q->explained, ev->arena);
        if (!slot) return no_room(ev->arena, err);
        *slot = (struct explained){.position = node->position, .depth = ev->explain_depth};
        mark->node = q->explained.count - 1;
    }
    ev->explain_depth++;
    mark->samples_read = q->stats.samples_read;
    mark->held_bytes = ev->arena->held_bytes;
    mark->start_ns = clock_mono_ns();
    return OK;
}

static void add_cost(const struct eval *ev, const struct explain_mark *mark)
{
    struct explained *node = node_of(ev, mark->node);
    if (!node) return;
    node->ns += clock_mono_ns() - mark->start_ns;
    node->samples_read += ev->query->stats.samples_read - mark->samples_read;
    if (ev->arena->held_bytes > mark->held_bytes)
        node->bytes += ev->arena->held_bytes - mark->held_bytes;
}

struct counted_rows {
    struct rows base;
    struct rows *child;
    size_t node;
};

static enum status counted_next(struct rows *self, struct row **out, struct error *err)
{
    struct counted_rows *c = (struct counted_rows *)self;
    struct eval *ev = self->ev;
    struct explain_mark mark = {.node = c->node,
                                .samples_read = ev->query->stats.samples_read,
                                .held_bytes = ev->arena->held_bytes,
                                .start_ns = clock_mono_ns()};
    c->child->bare = self->bare;
    c->child->asked = self->asked == ROWS_ASKED_ALL ? ROWS_ASKED_ALL : ROWS_ASKED_PRESENCE;
    enum status st = c->child->next(c->child, out, err);
    add_cost(ev, &mark);
    struct explained *node = node_of(ev, c->node);
    if (st || !*out || !node) return st;
    node->series++;
    node->values += bits_count((*out)->present, self->steps);
    return OK;
}

enum status explain_rows(struct eval *ev, const struct explain_mark *mark, struct rows *rows,
                         struct rows **out, struct error *err)
{
    ev->explain_depth--;
    add_cost(ev, mark);
    struct counted_rows *c = arena_calloc(ev->arena, 1, sizeof(*c));
    if (!c) return no_room(ev->arena, err);
    c->base = *rows;
    c->base.next = counted_next;
    c->child = rows;
    c->node = mark->node;
    *out = &c->base;
    return OK;
}

void explained_add(struct explained *into, const struct explained *part)
{
    into->series += part->series;
    into->values += part->values;
    into->samples_read += part->samples_read;
    into->bytes += part->bytes;
    into->ns += part->ns;
}
