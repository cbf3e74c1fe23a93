/*
 * aggregate_k - topk and bottomk: the best rows of each group, step by step.
 *
 * All rows are kept; each step chooses anew. An instant query's topk and bottomk come out in order
 * of value, best first, NaN last; among equal values the earlier row wins.
 */
#include "promql/aggregate.h"

#include <math.h>

#include "model/number.h"
#include "promql/collect.h"

struct choice {
    struct eval *ev;
    const struct ast *node;
    enum ast_aggregation op;
    size_t steps;
    const double *param; /* one per step */
    struct row_table rows;
    /* Rows by group: those of group g are order[first[g]] .. order[first[g + 1]], as they came. */
    size_t group_count;
    size_t *first;
    size_t *order;
    size_t *heap;      /* chosen at this step: those of g start at first[g]; SIZE_MAX: nothing */
    uint64_t **chosen; /* by row */
};

/* Is row a a worse choice than b at this step? The heap has the worst at its root. */
static bool is_worse(const struct choice *c, size_t step, size_t a, size_t b)
{
    double x = c->rows.items[a].v[step];
    double y = c->rows.items[b].v[step];
    if (isnan(x) || isnan(y)) return isnan(x) == isnan(y) ? a > b : isnan(x);
    if (x == y) return a > b;
    return c->op == AGG_TOPK ? x < y : x > y;
}

static void sift_down(const struct choice *c, size_t step, size_t *heap, size_t count, size_t at)
{
    for (;;) {
        size_t worst = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (is_worse(c, step, heap[child], heap[worst])) worst = child;
        if (worst == at) return;
        size_t swap = heap[at];
        heap[at] = heap[worst];
        heap[worst] = swap;
        at = worst;
    }
}

static void sift_up(const struct choice *c, size_t step, size_t *heap, size_t at)
{
    while (at && is_worse(c, step, heap[at], heap[(at - 1) / 2])) {
        size_t parent = (at - 1) / 2;
        size_t swap = heap[at];
        heap[at] = heap[parent];
        heap[parent] = swap;
        at = parent;
    }
}

/* Take a row into a heap of at most k, perhaps in the place of the worst. */
static void offer(const struct choice *c, size_t step, size_t *heap, size_t *count, size_t k,
                  size_t row)
{
    if (*count < k) {
        heap[*count] = row;
        sift_up(c, step, heap, *count);
        *count += 1;
    } else if (is_worse(c, step, heap[0], row)) {
        heap[0] = row;
        sift_down(c, step, heap, *count, 0);
    }
}

/* Heap to array, best first. */
static void sort_heap(const struct choice *c, size_t step, size_t *heap, size_t count)
{
    while (count > 1) {
        size_t swap = heap[0];
        heap[0] = heap[--count];
        heap[count] = swap;
        sift_down(c, step, heap, count, 0);
    }
}

static size_t limit_of(const struct choice *c, size_t step)
{
    double k = c->param[step];
    if (!(k >= 1)) return 0;
    return k >= (double)c->rows.count ? c->rows.count : (size_t)k;
}

static void choose_in_group(struct choice *c, size_t step, size_t k, size_t g)
{
    size_t *heap = c->heap + c->first[g];
    size_t count = 0;
    for (size_t i = c->first[g]; i < c->first[g + 1]; i++) {
        const struct row *row = &c->rows.items[c->order[i]];
        if (!bit_get(row->present, step)) continue;
        offer(c, step, heap, &count, k, c->order[i]);
    }
    if (c->steps == 1) sort_heap(c, step, heap, count);
    for (size_t i = 0; i < count; i++)
        bit_set(c->chosen[heap[i]], step);
}

static enum status choose_all(struct choice *c, struct error *err)
{
    struct arena *a = c->ev->arena;
    c->chosen = arena_alloc_array(a, c->rows.count, sizeof(c->chosen[0]));
    c->heap = arena_alloc_array(a, c->rows.count, sizeof(c->heap[0]));
    if (!c->chosen || !c->heap) return no_room(a, err);
    for (size_t i = 0; i < c->rows.count; i++) {
        c->chosen[i] = arena_calloc(a, row_words(c->steps), sizeof(uint64_t));
        c->heap[i] = SIZE_MAX;
        if (!c->chosen[i]) return no_room(a, err);
    }
    for (size_t step = 0; step < c->steps; step++) {
        size_t k = limit_of(c, step);
        for (size_t g = 0; g < c->group_count && k; g++)
            choose_in_group(c, step, k, g);
        enum status st = eval_tick(c->ev, c->rows.count, err);
        if (st) return st;
    }
    return OK;
}

/* Sort the rows by group, keeping their order within. */
static enum status group_rows(struct choice *c, struct error *err)
{
    struct arena *a = c->ev->arena;
    struct grouping grouping;
    size_t *number = arena_alloc_array(a, c->rows.count, sizeof(*number));
    enum status st = grouping_init(&grouping, c->node, a, err);
    if (st) return st;
    if (!number) return no_room(a, err);
    for (size_t i = 0; i < c->rows.count; i++) {
        bool is_new;
        st = grouping_find_row(&grouping, c->ev, &c->rows.items[i], &number[i], &is_new, err);
        if (st) return st;
    }
    c->group_count = grouping.examples.count;
    c->first = arena_calloc(a, c->group_count + 2, sizeof(c->first[0]));
    c->order = arena_alloc_array(a, c->rows.count, sizeof(c->order[0]));
    if (!c->first || !c->order) return no_room(a, err);
    for (size_t i = 0; i < c->rows.count; i++)
        c->first[number[i] + 2]++;
    for (size_t g = 2; g < c->group_count + 2; g++)
        c->first[g] += c->first[g - 1];
    for (size_t i = 0; i < c->rows.count; i++)
        c->order[c->first[number[i] + 1]++] = i;
    return OK;
}

static enum status finish(struct choice *c, bool unnamed_unique, struct rows **out,
                          struct error *err)
{
    struct row_table table = {0};
    uint64_t before = row_table_samples(&c->rows, c->steps);
    for (size_t i = 0; i < c->rows.count; i++) {
        size_t at = c->steps == 1 ? c->heap[i] : i;
        if (at == SIZE_MAX || !bits_any(c->chosen[at], c->steps)) continue;
        struct row *slot = VEC_PUSH(&table, c->ev->arena);
        if (!slot) return no_room(c->ev->arena, err);
        *slot = c->rows.items[at];
        slot->present = c->chosen[at];
        slot->series = NULL;
        enum status st = row_labels(&c->rows.items[at], c->ev->arena, &slot->labels, err);
        if (st) return st;
    }
    eval_drop(c->ev, before - row_table_samples(&table, c->steps));
    return rows_from_table(c->ev, &table, c->steps, unnamed_unique, out, err);
}

static enum status error_parameter(double k, const char *what, struct error *err)
{
    char number[NUMBER_TEXT_BYTES];
    int size = (int)number_format_general(number, k);
    return error_set(err, ERR_CONFLICT, "Scalar value %.*s %s int64", size, number, what);
}

enum status aggregate_check_k(const double *k, size_t steps, bool *nothing, struct error *err)
{
    const double int64_bound = 9223372036854775808.0;
    bool nan = false;
    double least = (double)INFINITY;
    double most = -(double)INFINITY;
    for (size_t i = 0; i < steps; i++) {
        nan = nan || isnan(k[i]);
        least = fmin(least, k[i]);
        most = fmax(most, k[i]);
    }
    *nothing = most < 1;
    if (nan) return error_set(err, ERR_CONFLICT, "Parameter value is NaN");
    if (*nothing) return OK;
    if (least <= -int64_bound) return error_parameter(least, "underflows", err);
    if (most >= int64_bound) return error_parameter(most, "overflows", err);
    return OK;
}

enum status aggregate_k_open(struct eval *ev, const struct ast *node,
                             const struct eval_range *range, struct rows **out, struct error *err)
{
    struct choice c = {.ev = ev, .node = node, .op = node->aggregate.op, .steps = range->steps};
    double *param;
    bool nothing;
    struct collected collected = {0};
    enum status st = eval_scalar(ev, node->aggregate.param, range, &param, err);
    c.param = param;
    if (st) return st;
    st = aggregate_check_k(param, range->steps, &nothing, err);
    if (st || nothing) return aggregate_nothing(ev, node, range, st, out, err);
    st = collect(ev, node->aggregate.expr, range, &collected, err);
    c.rows = collected.rows;
    if (!st) st = group_rows(&c, err);
    if (!st) st = choose_all(&c, err);
    return st ? st : finish(&c, collected.unnamed_unique, out, err);
}
