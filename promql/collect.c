/* collect - rows of parts become those of the query. */
#include "promql/collect.h"

#include "promql/parts.h"
#include "promql/share.h"

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

static enum status collect_all(struct eval *ev, const struct ast *node,
                               const struct eval_range *range, struct collected *out,
                               struct error *err)
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

static enum status put_for_others(struct eval *ev, const struct sharers *sharers,
                                  const struct collected *collected, struct error *err)
{
    if (sharers->count == 1) return OK;
    struct collected *kept = arena_alloc(ev->arena, sizeof(*kept));
    if (!kept) return no_room(ev->arena, err);
    *kept = *collected;
    enum status st = OK;
    for (size_t i = 1; i < sharers->count && !st; i++)
        st = share_put(ev, (struct shared){.user = sharers->users[i], .kept = kept}, err);
    return st;
}

enum status collect_for(struct eval *ev, const struct ast *node, const struct eval_range *range,
                        const struct sharers *sharers, struct collected *out, struct error *err)
{
    size_t remarks = ev->notes.list.count;
    *out = (struct collected){0};
    ev->tally.users *= sharers->count;
    enum status st = collect_all(ev, node, range, out, err);
    ev->tally.users /= sharers->count;
    bool remarked = ev->notes.list.count > remarks;
    return st || remarked ? st : put_for_others(ev, sharers, out, err);
}

enum status collect(struct eval *ev, const struct ast *node, const struct eval_range *range,
                    struct collected *out, struct error *err)
{
    struct sharers sharers;
    *out = (struct collected){0};
    if (!parts_is_row_by_row(node)) return collect_all(ev, node, range, out, err);
    struct shared found = share_take(ev, node);
    if (found.kept) {
        *out = *found.kept;
        return eval_hold(ev, row_table_samples(&out->rows, range->steps), err);
    }
    share_find(ev, node, &sharers);
    return collect_for(ev, node, range, &sharers, out, err);
}
