/* engine - parse, check, prepare, evaluate, and turn rows into the answer. */
#include "promql/engine.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "promql/duration_expr.h"
#include "promql/eval.h"
#include "promql/parser.h"
#include "promql/prepare.h"
#include "promql/printer.h"
#include "promql/select.h"

struct engine_options engine_options_default(void)
{
    return (struct engine_options){
        .lookback_ms = INT64_C(5) * 60 * 1000,
        .samples_max = 50000000,
        .default_step_ms = INT64_C(60) * 1000,
    };
}

struct series_list VEC_OF(struct series_points);

static enum status points_new(struct eval *ev, struct series_list *list, struct labels labels,
                              size_t count, struct series_points **out, struct error *err)
{
    struct series_points *slot = VEC_PUSH(list, ev->arena);
    if (!slot) return no_room(ev->arena, err);
    *slot = (struct series_points){.count = count};
    slot->points = arena_alloc_array(ev->arena, count, sizeof(slot->points[0]));
    if (!slot->points) return no_room(ev->arena, err);
    *out = slot;
    enum status st = labels_pin(labels, ev->arena, &slot->labels, err);
    return st ? st : eval_hold(ev, count, err);
}

static enum status answer_rows(struct eval *ev, const struct eval_range *range,
                               struct series_list *list, struct error *err)
{
    struct rows *rows;
    enum status st = eval_rows(ev, ev->query->tree, range, &rows, err);
    while (!st) {
        struct row *row;
        struct series_points *series = NULL;
        st = rows->next(rows, &row, err);
        if (st || !row) break;
        size_t count = bits_count(row->present, range->steps);
        st = points_new(ev, list, row->labels, count, &series, err);
        if (st) break;
        DEBUG_ASSERT(series);
        struct bit_walk walk = bit_walk(row->present, range->steps);
        size_t i;
        struct sample *at = series->points;
        while (bit_walk_next(&walk, &i))
            *at++ = (struct sample){.t_ms = eval_step_ms(range, i), .v = row->v[i]};
    }
    return st;
}

/* A range vector by itself: the samples as they are. */
static enum status answer_windows(struct eval *ev, const struct eval_range *range,
                                  struct series_list *list, struct error *err)
{
    struct windows windows;
    enum status st = windows_open(ev, eval_unwrap(ev->query->tree), range, &windows, err);
    while (!st) {
        bool more;
        struct window w;
        struct series_points *series = NULL;
        st = windows_next(&windows, &more, err);
        if (st || !more) break;
        if (!windows_at(&windows, 0, &w)) continue;
        st = points_new(ev, list, windows.labels, w.count, &series, err);
        if (st) break;
        DEBUG_ASSERT(series);
        for (size_t i = 0; i < w.count; i++)
            series->points[i] = (struct sample){.t_ms = w.t_ms[i], .v = w.v[i]};
    }
    return st;
}

/* A scalar over a range: one series without labels. */
static enum status answer_scalars(struct eval *ev, const struct eval_range *range,
                                  struct series_list *list, struct error *err)
{
    double *v;
    struct series_points *series = NULL;
    enum status st = eval_scalar(ev, ev->query->tree, range, &v, err);
    if (!st) st = points_new(ev, list, (struct labels){0}, range->steps, &series, err);
    for (size_t i = 0; !st && i < range->steps; i++)
        series->points[i] = (struct sample){.t_ms = eval_step_ms(range, i), .v = v[i]};
    return st;
}

static int compare_series(const void *a, const void *b)
{
    return labels_compare(((const struct series_points *)a)->labels,
                          ((const struct series_points *)b)->labels);
}

static enum status answer_instant(struct eval *ev, const struct eval_range *range,
                                  struct series_list *list, struct error *err)
{
    struct value *value = &ev->query->value;
    double *v;
    enum status st = OK;
    value->type = ev->query->tree->type;
    switch (value->type) {
    case VALUE_SCALAR:
        st = eval_scalar(ev, ev->query->tree, range, &v, err);
        if (!st) value->scalar = v[0];
        return st;
    case VALUE_STRING: value->string = eval_string(ev->query->tree); return OK;
    case VALUE_MATRIX: return answer_windows(ev, range, list, err);
    case VALUE_VECTOR:
    case VALUE_NONE: break;
    }
    return answer_rows(ev, range, list, err);
}

static enum status answer(struct eval *ev, struct error *err)
{
    struct query *q = ev->query;
    struct series_list list = {0};
    bool instant = q->step_ms == 0;
    struct eval_range range = {.start_ms = q->start_ms, .step_ms = 1, .steps = 1};
    enum status st;
    q->value = (struct value){.type = VALUE_MATRIX, .t_ms = q->start_ms};
    if (instant) {
        st = answer_instant(ev, &range, &list, err);
    } else {
        range.step_ms = q->step_ms;
        range.steps = (size_t)((q->end_ms - q->start_ms) / q->step_ms) + 1;
        st = q->tree->type == VALUE_SCALAR ? answer_scalars(ev, &range, &list, err)
                                           : answer_rows(ev, &range, &list, err);
    }
    if (st) return st;
    if (q->value.type == VALUE_MATRIX && list.count)
        qsort(list.items, list.count, sizeof(list.items[0]), compare_series);
    q->value.series = list.items;
    q->value.series_count = list.count;
    return OK;
}

static enum status parse(const struct engine *engine, struct query *q, struct error *err)
{
    struct parse_options options = {.experimental_functions =
                                        engine->options.experimental_functions};
    struct ast *tree;
    enum status st = parse_expr(q->text, &options, q->arena, &tree, err);
    if (st == ERR_INVALID) return error_wrap(err, "invalid parameter \"query\": ");
    if (st) return st;
    q->tree = tree;
    if (q->step_ms == 0) return OK;
    enum value_type type = q->tree->type;
    if (type == VALUE_SCALAR || type == VALUE_VECTOR) return OK;
    return error_set(err, ERR_INVALID,
                     "invalid parameter \"query\": invalid expression type \"%s\" for range query, "
                     "must be Scalar or instant Vector",
                     value_type_words(type));
}

static enum status prepare(struct query *q, struct error *err)
{
    struct prepare_times times = {
        .start_ms = q->start_ms, .end_ms = q->end_ms, .step_ms = q->step_ms};
    struct duration_context context = {.step_ms = q->step_ms, .range_ms = q->end_ms - q->start_ms};
    enum status st = ast_resolve_durations(q->tree, context, err);
    if (st == ERR_INVALID) return error_wrap(err, "invalid parameter \"query\": ");
    return st ? st : prepare_tree(&q->tree, &times, q->arena, err);
}

enum status query_run(const struct engine *engine, struct query *query, struct error *err)
{
    int64_t began_ns = clock_mono_ns();
    query->querier = NULL;
    query->tree = NULL;
    query->value = (struct value){0};
    query->annotations = (struct annotations){0};
    query->stats = (struct query_stats){0};

    if (query->step_ms < 0 || query->end_ms < query->start_ms)
        return error_set(err, ERR_INVALID, "end timestamp must not be before start time");
    enum status st = parse(engine, query, err);
    if (!st) st = prepare(query, err);
    int64_t parsed_ns = clock_mono_ns();
    query->stats.parse_ns = parsed_ns - began_ns;
    if (!st) st = querier_open(engine->db, query->arena, &query->querier, err);
    if (st) return st;

    struct eval ev = {
        .engine = engine,
        .query = query,
        .querier = query->querier,
        .arena = query->arena,
        .lookback_ms = query->lookback_ms ? query->lookback_ms : engine->options.lookback_ms,
    };
    st = answer(&ev, err);
    if (!st)
        st = annotations_render(&ev.notes, query->text, query->arena, &query->annotations, err);
    query->stats.eval_ns = clock_mono_ns() - parsed_ns;
    return st;
}

void query_finish(struct query *query)
{
    if (query->querier) querier_close(query->querier);
    if (query->tree) ast_release(query->tree);
    query->querier = NULL;
    query->tree = NULL;
}
