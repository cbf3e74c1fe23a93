/* collect - rows of parts become those of the query. */
#include "promql/collect.h"

#include "promql/parts.h"

struct collect_use {
    struct parts_use base;
    struct eval *ev;
    size_t steps;
    struct collected *out;
};

static enum status collect_part(const struct parts_use *use, struct eval *ev, struct rows *rows,
                                void **result, struct error *err)
{
    (void)use;
    struct row_table *table = arena_calloc(ev->arena, 1, sizeof(*table));
    if (!table) return no_room(ev->arena, err);
    *result = table;
    rows->bare = true;
    return rows_collect(rows, table, err);
}

/* A part's arena goes, and what it held is the query's. */
static enum status take_rows(struct parts_use *use, void *result, struct error *err)
{
    const struct collect_use *u = (const struct collect_use *)use;
    const struct row_table *table = result;
    enum status st = OK;
    for (size_t i = 0; !st && i < table->count; i++) {
        struct row *slot = VEC_PUSH(&u->out->rows, u->ev->arena);
        if (!slot) return no_room(u->ev->arena, err);
        st = row_copy(&table->items[i], u->steps, u->ev->arena, slot, err);
    }
    return st;
}

enum status collect(struct eval *ev, const struct ast *node, const struct eval_range *range,
                    struct collected *out, struct error *err)
{
    struct parts parts;
    enum status st = parts_open(ev, node, range, &parts, err);
    if (st) return st;
    out->unnamed_unique = parts.rows->unnamed_unique;
    parts.rows->bare = true;
    if (!parts.many) return rows_collect(parts.rows, &out->rows, err);
    struct collect_use use = {.base = {.evaluate = collect_part, .take = take_rows},
                              .ev = ev,
                              .steps = range->steps,
                              .out = out};
    return parts_run(&parts, &use.base, err);
}
