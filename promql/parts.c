/* parts - cutting, a ring of slots, and who takes what. */
#include "promql/parts.h"

#include "alloc/arena_share.h"
#include "base/lock.h"
#include "promql/crew.h"
#include "promql/explain.h"
#include "promql/func_impl.h"
#include "promql/select.h"

/* Without a selector in it: cheap to evaluate again for each part. */
static bool is_plain_scalar(const struct ast *node)
{
    switch (node->kind) {
    case AST_NUMBER: return true;
    case AST_PAREN:
    case AST_STEP_INVARIANT: return is_plain_scalar(node->inner);
    case AST_UNARY: return is_plain_scalar(node->unary.expr);
    case AST_BINARY: return is_plain_scalar(node->binary.lhs) && is_plain_scalar(node->binary.rhs);
    default: return false;
    }
}

static bool is_call_row_by_row(const struct ast *node)
{
    enum function_kind kind = node->call.function->impl->kind;
    size_t sources = 0;
    if (kind != FUNCTION_MAP && kind != FUNCTION_RANGE) return false;
    for (size_t i = 0; i < node->call.arg_count; i++) {
        const struct ast *arg = node->call.args[i];
        if (arg->type == VALUE_SCALAR ? !is_plain_scalar(arg) : !parts_is_row_by_row(arg))
            return false;
        sources += arg->type != VALUE_SCALAR;
    }
    return sources == 1;
}

static bool is_binary_row_by_row(const struct ast *node)
{
    const struct ast *lhs = node->binary.lhs;
    const struct ast *rhs = node->binary.rhs;
    if (lhs->type == VALUE_SCALAR) return is_plain_scalar(lhs) && parts_is_row_by_row(rhs);
    return rhs->type == VALUE_SCALAR && is_plain_scalar(rhs) && parts_is_row_by_row(lhs);
}

bool parts_is_row_by_row(const struct ast *node)
{
    switch (node->kind) {
    case AST_VECTOR_SELECTOR:
    case AST_MATRIX_SELECTOR: return true;
    case AST_SUBQUERY: return parts_is_row_by_row(node->subquery.expr);
    case AST_PAREN:
    case AST_STEP_INVARIANT: return parts_is_row_by_row(node->inner);
    case AST_UNARY: return parts_is_row_by_row(node->unary.expr);
    case AST_BINARY: return is_binary_row_by_row(node);
    case AST_CALL: return is_call_row_by_row(node);
    default: return false;
    }
}

/* Opening pulls no row, unless names go and their series may become equal: those have to meet. */
static bool may_cut(const struct eval *ev, const struct ast *node)
{
    bool keeps_names = eval_unwrap(node)->kind == AST_VECTOR_SELECTOR;
    return parts_is_row_by_row(node) &&
           (keeps_names || ev->delays_names || ev->selected.unnamed_unique);
}

/* Parts of as many series as the option says, or of fewer when their histories are long, to a
 * quarter; all of the same size, and an even number of them, so that none is waited for. (Each part
 * decodes the times of each target anew: smaller ones cost more than they win.) */
static size_t part_count(const struct eval *ev)
{
    enum { SAMPLE_MS = 15000, PART_SAMPLES = 1 << 21 };
    size_t most = ev->engine->options.part_series;
    size_t least = most / 4 ? most / 4 : 1;
    size_t size = PART_SAMPLES / ((uint64_t)ev->selected.span_ms / SAMPLE_MS + 1);
    if (size > most) size = most;
    if (size < least) size = least;
    size_t count = (ev->selected.selection.count + size - 1) / size;
    return count > 1 ? count + count % 2 : count;
}

enum status parts_open(struct eval *ev, const struct ast *node, const struct eval_range *range,
                       struct parts *out, struct error *err)
{
    *out = (struct parts){
        .ev = ev, .node = node, .range = range, .explained = ev->query->explained.count};
    ev->selected = (struct selected){0};
    enum status st = eval_rows(ev, node, range, &out->rows, err);
    if (st || ev->given) return st;
    out->many = part_count(ev) > 1 && may_cut(ev, node);
    return OK;
}

struct part {
    struct eval ev;
    struct query query;
    struct arena arena;
    struct selected selected;
    void *result;
    enum status status;
    struct error err;
    bool done;
};

struct run {
    struct crew_work work;
    const struct parts *parts;
    struct parts_use *use;
    struct selected selected; /* all of it */
    struct eval ev;           /* as it was before: what those of parts are copied from */
    struct query query;
    struct arena_common memory;
    struct held_common held;
    struct mutex lock;    /* LOCK_QUEUE: what follows, and `done` of parts */
    struct cond progress; /* a part is done or taken, or it is over */
    struct error *err;    /* of the query's thread */
    enum status status;   /* the first error */
    size_t count;         /* of parts */
    size_t begun;
    size_t taken;
    size_t slot_count;
    struct part *slots;
};

static enum status begin_part(struct run *r, struct part *part, size_t number,
                              struct window_keeper *keeper)
{
    const struct selection *all = &r->selected.selection;
    size_t from = number * all->count / r->count;
    size_t to = (number + 1) * all->count / r->count;
    part->query = r->query;
    arena_init_beside(&part->arena, r->parts->ev->arena);
    part->selected = (struct selected){
        .selection = {.series = all->series + from,
                      .newest_words = all->newest_words ? all->newest_words + from : NULL,
                      .count = to - from},
        .unnamed_unique = r->selected.unnamed_unique,
    };
    part->ev = r->ev;
    part->ev.query = &part->query;
    part->ev.arena = &part->arena;
    part->ev.given = &part->selected;
    part->ev.keeper = keeper;
    part->ev.samples_held = part->ev.held_told = 0;
    if (!r->parts->ev->query->stats.queryable_by_step) return OK;
    part->query.stats.queryable_by_step =
        arena_calloc(&part->arena, query_steps(&part->query), sizeof(uint64_t));
    return part->query.stats.queryable_by_step ? OK : no_room(&part->arena, &part->err);
}

static void evaluate_part(struct run *r, struct part *part, size_t number,
                          struct window_keeper *keeper)
{
    struct rows *rows;
    part->status = begin_part(r, part, number, keeper);
    if (!part->status)
        part->status = eval_rows(&part->ev, r->parts->node, r->parts->range, &rows, &part->err);
    if (!part->status)
        part->status = r->use->evaluate(r->use, &part->ev, rows, &part->result, &part->err);
    eval_tell_held(&part->ev);
}

/* What a part counted and remarked becomes the query's. */
static enum status take_over(struct run *r, struct part *part, struct error *err)
{
    struct eval *ev = r->parts->ev;
    struct query_stats *stats = &ev->query->stats;
    stats->samples_read += part->query.stats.samples_read;
    tally_join(stats, &part->query.stats, query_steps(ev->query));
    if (part->query.stats.samples_peak > stats->samples_peak)
        stats->samples_peak = part->query.stats.samples_peak;
    ev->samples_held += part->ev.samples_held;
    ev->held_told += part->ev.samples_held;
    for (size_t i = 0; i < part->query.explained.count; i++) {
        size_t at = r->parts->explained + i;
        if (at >= ev->query->explained.count) break;
        explained_add(&ev->query->explained.items[at], &part->query.explained.items[i]);
    }
    return annotations_join(&ev->notes, &part->ev.notes, ev->arena, err);
}

/* The next part in order, if it is done. The lock is held before and behind. */
static bool take_next(struct run *r)
{
    struct part *part = &r->slots[r->taken % r->slot_count];
    if (r->taken == r->begun || !part->done) return false;
    mutex_unlock(&r->lock);
    enum status st = part->status;
    if (st && r->err) *r->err = part->err;
    if (!st) st = take_over(r, part, r->err);
    if (!st) st = r->use->take(r->use, part->result, r->err);
    arena_release(&part->arena);
    mutex_lock(&r->lock);
    part->done = false;
    r->taken++;
    r->status = st;
    cond_broadcast(&r->progress);
    return true;
}

static void evaluate_next(struct run *r, struct window_keeper *keeper)
{
    size_t number = r->begun++;
    struct part *part = &r->slots[number % r->slot_count];
    mutex_unlock(&r->lock);
    evaluate_part(r, part, number, keeper);
    mutex_lock(&r->lock);
    part->done = true;
    cond_broadcast(&r->progress);
}

static void work_on(struct run *r, bool takes)
{
    struct arena kept;
    struct window_keeper keeper = {.arena = &kept};
    arena_init_beside(&kept, r->parts->ev->arena);
    mutex_lock(&r->lock);
    while (!r->status) {
        if (takes && take_next(r)) continue;
        if (r->begun < r->count && r->begun - r->taken < r->slot_count)
            evaluate_next(r, &keeper);
        else if (takes ? r->taken < r->count : r->begun < r->count)
            cond_wait(&r->progress, &r->lock);
        else
            break;
    }
    mutex_unlock(&r->lock);
    arena_release(&kept);
}

static void help(struct crew_work *work)
{
    work_on((struct run *)work, false);
}

/* To look at the newest sample of a series takes so little that others are worth calling only for
 * very many. */
static uint32_t helpers_for(const struct run *r)
{
    enum { CHEAP_PARTS = 8 };
    const struct engine *engine = r->ev.engine;
    bool cheap =
        r->parts->range->steps == 1 && eval_unwrap(r->parts->node)->kind == AST_VECTOR_SELECTOR;
    size_t useful = cheap ? r->count / CHEAP_PARTS : r->count - 1;
    if (!engine->crew || engine->options.threads_max < 2) return 0;
    size_t most = engine->options.threads_max - 1;
    return (uint32_t)(useful < most ? useful : most);
}

static enum status run_init(struct run *r, struct parts *parts, struct parts_use *use,
                            struct error *err)
{
    struct eval *ev = parts->ev;
    *r = (struct run){
        .work = {.run = help},
        .parts = parts,
        .use = use,
        .selected = ev->selected,
        .ev = *ev,
        .query = *ev->query,
        .err = err,
        .count = part_count(ev),
    };
    r->query.stats = (struct query_stats){0};
    r->query.explained = (struct explained_list){0};
    r->ev.notes = (struct annotation_set){0};
    r->ev.shared = (struct shared_list){0};
    r->slot_count = 2 * ((size_t)helpers_for(r) + 1);
    r->slots = arena_calloc(ev->arena, r->slot_count, sizeof(r->slots[0]));
    return r->slots ? OK : no_room(ev->arena, err);
}

enum status parts_run(struct parts *parts, struct parts_use *use, struct error *err)
{
    struct run r;
    struct eval *ev = parts->ev;
    enum status st = run_init(&r, parts, use, err);
    if (st) return st;
    mutex_init(&r.lock, LOCK_QUEUE);
    cond_init(&r.progress);
    arena_share(ev->arena, &r.memory);
    eval_share_held(ev, &r.held);
    r.ev.common = ev->common;
    uint32_t helpers = helpers_for(&r);
    if (helpers) crew_call(ev->engine->crew, &r.work, helpers);
    work_on(&r, true);
    if (helpers) crew_dismiss(ev->engine->crew, &r.work);
    for (size_t i = 0; i < r.slot_count; i++)
        arena_release(&r.slots[i].arena);
    eval_unshare_held(ev);
    arena_unshare(ev->arena);
    cond_release(&r.progress);
    mutex_release(&r.lock);
    return r.status;
}
