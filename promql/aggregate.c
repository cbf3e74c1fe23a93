/* aggregate - which aggregation is opened how, and folding in parts. */
#include "promql/aggregate.h"

#include "base/assert.h"
#include "promql/collect.h"
#include "promql/fold.h"
#include "promql/parts.h"
#include "promql/share.h"

bool aggregate_may_stop(const struct ast *node, const struct grouping *g)
{
    return grouping_is_one(g) && eval_unwrap(node->aggregate.expr)->kind == AST_VECTOR_SELECTOR;
}

enum status aggregate_nothing(struct eval *ev, const struct ast *node,
                              const struct eval_range *range, enum status why, struct rows **out,
                              struct error *err)
{
    struct rows *rows;
    struct row *row = NULL;
    enum status st = eval_rows(ev, node->aggregate.expr, range, &rows, err);
    do {
        if (!st) st = rows->next(rows, &row, err);
    } while (!st && row);
    if (st || why) return st ? st : why;
    return rows_empty(ev, range->steps, out, err);
}

/* The folds of one expression, from the rows of a part of its series. */
struct fold_use {
    struct parts_use base;
    struct fold *into;
    size_t count;
    size_t steps;
};

static enum status fold_part(const struct parts_use *use, struct eval *ev, struct rows *rows,
                             void **result, struct error *err)
{
    const struct fold_use *u = (const struct fold_use *)use;
    struct fold *folds = arena_alloc_array(ev->arena, u->count, sizeof(*folds));
    if (!folds) return no_room(ev->arena, err);
    enum status st = OK;
    for (size_t i = 0; !st && i < u->count; i++) {
        st = fold_init(&folds[i], ev, u->into[i].node, u->steps, err);
        folds[i].grouping.by_class = true; /* labels are read when parts are joined */
    }
    *result = folds;
    return st ? st : fold_rows(folds, u->count, rows, err);
}

static enum status take_part(struct parts_use *use, void *result, struct error *err)
{
    const struct fold_use *u = (const struct fold_use *)use;
    const struct fold *folds = result;
    enum status st = OK;
    for (size_t i = 0; !st && i < u->count; i++)
        st = fold_join(&u->into[i], &folds[i], err);
    return st;
}

static enum status fold_all(struct fold *folds, size_t count, struct eval *ev,
                            const struct eval_range *range, struct error *err)
{
    struct parts parts;
    enum status st = parts_open(ev, folds[0].node->aggregate.expr, range, &parts, err);
    if (st) return st;
    if (!parts.many) return fold_rows(folds, count, parts.rows, err);
    struct fold_use use = {.base = {.evaluate = fold_part, .take = take_part},
                           .into = folds,
                           .count = count,
                           .steps = range->steps};
    return parts_run(&parts, &use.base, err);
}

/* Of rows that are kept. */
static enum status fold_kept(struct eval *ev, const struct ast *node,
                             const struct eval_range *range, const struct collected *kept,
                             struct rows **out, struct error *err)
{
    struct fold fold;
    struct rows *rows;
    enum status st = fold_init(&fold, ev, node, range->steps, err);
    if (!st) st = rows_from_table(ev, &kept->rows, range->steps, kept->unnamed_unique, &rows, err);
    if (!st) st = fold_rows(&fold, 1, rows, err);
    return st ? st : fold_finish(&fold, out, err);
}

static enum status collect_and_fold(struct eval *ev, const struct sharers *sharers,
                                    const struct eval_range *range, struct rows **out,
                                    struct error *err)
{
    struct collected kept;
    const struct ast *node = sharers->users[0];
    enum status st = collect_for(ev, node->aggregate.expr, range, sharers, &kept, err);
    if (!st) st = fold_kept(ev, node, range, &kept, out, err);
    if (!st) eval_drop(ev, row_table_samples(&kept.rows, range->steps));
    return st;
}

static enum status fold_for(struct eval *ev, const struct sharers *sharers,
                            const struct eval_range *range, struct rows **out, struct error *err)
{
    struct fold folds[SHARE_MAX];
    size_t count = sharers->count;
    size_t remarks = ev->notes.list.count;
    enum status st = OK;
    ASSERT(count > 0);
    for (size_t i = 0; i < count && !st; i++)
        st = fold_init(&folds[i], ev, sharers->users[i], range->steps, err);
    ev->tally.users *= count;
    if (!st) st = fold_all(folds, count, ev, range, err);
    ev->tally.users /= count;
    if (!st) st = fold_finish(&folds[0], out, err);
    bool remarked = ev->notes.list.count > remarks;
    for (size_t i = 1; i < count && !st && !remarked; i++) {
        struct shared shared = {.user = sharers->users[i]};
        st = fold_finish(&folds[i], &shared.folded, err);
        if (!st) st = share_put(ev, shared, err);
    }
    return st;
}

static enum status fold_open(struct eval *ev, const struct ast *node,
                             const struct eval_range *range, struct rows **out, struct error *err)
{
    struct sharers sharers;
    struct shared found = share_take(ev, node);
    *out = found.folded;
    if (found.folded) return OK;
    if (found.kept) return fold_kept(ev, node, range, found.kept, out, err);
    share_find(ev, node, &sharers);
    return sharers.keep ? collect_and_fold(ev, &sharers, range, out, err)
                        : fold_for(ev, &sharers, range, out, err);
}

enum status aggregate_open(struct eval *ev, const struct ast *node, const struct eval_range *range,
                           struct rows **out, struct error *err)
{
    switch (node->aggregate.op) {
    case AGG_TOPK:
    case AGG_BOTTOMK: return aggregate_k_open(ev, node, range, out, err);
    case AGG_LIMITK:
    case AGG_LIMIT_RATIO: return aggregate_limit_open(ev, node, range, out, err);
    case AGG_QUANTILE: return aggregate_quantile_open(ev, node, range, out, err);
    case AGG_COUNT_VALUES: return aggregate_count_values_open(ev, node, range, out, err);
    default: return fold_open(ev, node, range, out, err);
    }
}
