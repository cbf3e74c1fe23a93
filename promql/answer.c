/* answer - turning rows into series, and joining those that lose their names at the end. */
#include "promql/answer.h"

#include <stdlib.h>

#include "base/assert.h"
#include "promql/extended.h"
#include "promql/select.h"

struct series_list VEC_OF(struct series_points);

struct answer {
    struct series_list list;
    bool drops_names; /* some of the list have lost theirs only now */
};

static enum status points_new(struct eval *ev, struct answer *answer, struct labels labels,
                              bool drops_name, size_t count, struct series_points **out,
                              struct error *err)
{
    struct series_points *slot = VEC_PUSH(&answer->list, ev->arena);
    if (!slot) return no_room(ev->arena, err);
    *slot = (struct series_points){.count = count};
    slot->points = arena_alloc_array(ev->arena, count, sizeof(slot->points[0]));
    if (!slot->points) return no_room(ev->arena, err);
    *out = slot;
    answer->drops_names = answer->drops_names || drops_name;
    enum status st = drops_name ? labels_unname(labels, NULL, ev->arena, &labels, err) : OK;
    if (!st) st = labels_pin(labels, ev->arena, &slot->labels, err);
    return st ? st : eval_hold(ev, count, err);
}

static enum status answer_rows(struct eval *ev, const struct eval_range *range,
                               struct answer *answer, struct error *err)
{
    struct rows *rows;
    enum status st = eval_rows(ev, ev->query->tree, range, &rows, err);
    while (!st) {
        struct row *row;
        struct series_points *series = NULL;
        st = rows->next(rows, &row, err);
        if (st || !row) break;
        size_t count = bits_count(row->present, range->steps);
        st = points_new(ev, answer, row->labels, row->drops_name, count, &series, err);
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

/* An anchored or smoothed range vector by itself: the ends, and the samples between them. */
static enum status answer_extended(struct eval *ev, const struct windows *windows,
                                   const struct window *w, struct answer *answer, struct error *err)
{
    struct window_ends ends;
    struct series_points *series = NULL;
    if (!window_find_ends(w, windows->steps.after_ms > 0, false, &ends)) return OK;
    struct window_inside inside = window_inside_of(w, &ends);
    enum status st = points_new(ev, answer, windows->labels, windows->drops_name, inside.count + 2,
                                &series, err);
    if (st) return st;
    DEBUG_ASSERT(series);
    series->points[0] = (struct sample){.t_ms = w->start_ms, .v = ends.left};
    for (size_t i = 0; i < inside.count; i++)
        series->points[i + 1] =
            (struct sample){.t_ms = w->t_ms[inside.first + i], .v = w->v[inside.first + i]};
    series->points[inside.count + 1] = (struct sample){.t_ms = w->end_ms, .v = ends.right};
    return OK;
}

/* A range vector by itself: the samples as they are. */
static enum status answer_windows(struct eval *ev, const struct eval_range *range,
                                  struct answer *answer, struct error *err)
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
        if (windows.steps.before_ms) {
            st = answer_extended(ev, &windows, &w, answer, err);
            continue;
        }
        st = points_new(ev, answer, windows.labels, windows.drops_name, w.count, &series, err);
        if (st) break;
        DEBUG_ASSERT(series);
        for (size_t i = 0; i < w.count; i++)
            series->points[i] = (struct sample){.t_ms = w.t_ms[i], .v = w.v[i]};
    }
    return st;
}

/* A scalar over a range: one series without labels. */
static enum status answer_scalars(struct eval *ev, const struct eval_range *range,
                                  struct answer *answer, struct error *err)
{
    double *v;
    struct series_points *series = NULL;
    enum status st = eval_scalar(ev, ev->query->tree, range, &v, err);
    if (!st) st = points_new(ev, answer, (struct labels){0}, false, range->steps, &series, err);
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
                                  struct answer *answer, struct error *err)
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
    case VALUE_MATRIX: return answer_windows(ev, range, answer, err);
    case VALUE_VECTOR:
    case VALUE_NONE: break;
    }
    return answer_rows(ev, range, answer, err);
}

/* Merge the points of two series, both in order of time. */
static enum status join_points(struct eval *ev, struct series_points *into,
                               const struct series_points *from, struct error *err)
{
    size_t count = into->count + from->count;
    struct sample *points = arena_alloc_array(ev->arena, count, sizeof(*points));
    if (!points) return no_room(ev->arena, err);
    size_t i = 0;
    size_t k = 0;
    while (i < into->count || k < from->count) {
        bool first =
            k == from->count || (i < into->count && into->points[i].t_ms < from->points[k].t_ms);
        if (!first && i < into->count && into->points[i].t_ms == from->points[k].t_ms)
            return error_same_labelset(err);
        points[i + k] = first ? into->points[i] : from->points[k];
        i += first;
        k += !first;
    }
    into->points = points;
    into->count = count;
    return OK;
}

/* Series that differed by their names alone are one, unless they have points at the same time. */
static enum status join_equal(struct eval *ev, struct series_list *list, struct error *err)
{
    struct hash_index index = {0};
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct series_points *series = &list->items[i];
        uint64_t hash = labels_hash(series->labels);
        size_t probe = 0;
        size_t item;
        enum status st;
        while ((item = hash_index_next(&index, hash, &probe)) != HASH_INDEX_END)
            if (labels_equal(list->items[item].labels, series->labels)) break;
        if (item != HASH_INDEX_END) {
            st = join_points(ev, &list->items[item], series, err);
        } else {
            st = hash_index_add(&index, hash, kept, ev->arena, err);
            list->items[kept++] = *series;
        }
        if (st) return st;
    }
    list->count = kept;
    return OK;
}

enum status answer_query(struct eval *ev, struct error *err)
{
    struct query *q = ev->query;
    struct answer answer = {0};
    bool instant = q->step_ms == 0;
    struct eval_range range = {.start_ms = q->start_ms, .step_ms = 1, .steps = 1};
    enum status st;
    q->value = (struct value){.type = VALUE_MATRIX, .t_ms = q->start_ms};
    if (instant) {
        st = answer_instant(ev, &range, &answer, err);
    } else {
        range.step_ms = q->step_ms;
        range.steps = query_steps(q);
        st = q->tree->type == VALUE_SCALAR ? answer_scalars(ev, &range, &answer, err)
                                           : answer_rows(ev, &range, &answer, err);
    }
    struct series_list *list = &answer.list;
    if (!st && answer.drops_names) st = join_equal(ev, list, err);
    if (st) return st;
    if (q->value.type == VALUE_MATRIX && list->count)
        qsort(list->items, list->count, sizeof(list->items[0]), compare_series);
    q->value.series = list->items;
    q->value.series_count = list->count;
    return OK;
}
