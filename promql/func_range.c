/*
 * func_range - the source behind functions of ranges.
 *
 * The ends of a series' windows are found all at once, and kept while the next series have the same
 * times. A function that has a form for all windows is given them together, others get them one by
 * one.
 */
#include <math.h>

#include "base/assert.h"
#include "promql/func_impl.h"
#include "promql/literal.h"
#include "promql/select.h"

enum { RANGE_ARGS_MAX = FUNCTION_ARGS_MAX };

enum status func_check_selector(const struct ast *call, const struct ast *matrix, struct error *err)
{
    const struct function *function = call->call.function;
    if (matrix->kind != AST_MATRIX_SELECTOR) return OK;
    const struct ast *selector = matrix->matrix.selector;
    if (selector->selector.anchored && !function->impl->takes_anchored)
        return error_set(err, ERR_CONFLICT,
                         "anchored modifier can only be used with: changes, delta, increase, rate, "
                         "resets - not with %s",
                         function->name);
    if (selector->selector.smoothed && !function->impl->takes_smoothed)
        return error_set(err, ERR_CONFLICT,
                         "smoothed modifier can only be used with: delta, increase, rate - not "
                         "with %s",
                         function->name);
    return OK;
}

struct range_rows {
    struct rows base;
    const struct function_impl *impl;
    struct eval_range range;
    struct windows windows;
    struct range_call call;
    double **args;
    size_t arg_count;
    size_t scratch_capacity;
    struct slide slide;
    bool slides;         /* the function has a form for all windows, and its selector allows it */
    bool one_name;       /* of all series */
    struct str remarked; /* the last name that was looked at for a remark, and its type */
    struct str remarked_type;
    struct label_scratch scratch;
    struct row row;
};

static bool ends_with(struct str text, struct str end)
{
    return text.size >= end.size && !memcmp(text.data + text.size - end.size, end.data, end.size);
}

static bool is_named_like_counter(struct str name)
{
    return ends_with(name, STR("_total")) || ends_with(name, STR("_sum")) ||
           ends_with(name, STR("_count")) || ends_with(name, STR("_bucket"));
}

static struct str label_of(const struct windows *w, struct str name)
{
    return w->series ? series_label(w->series, name) : labels_get(w->labels, name);
}

/* Where the argument is. Prometheus has lost that of a subquery by then, and says 1:1. */
static struct ast_position place_of(const struct ast *call)
{
    const struct ast *arg = call->call.args[0];
    if (arg->kind != AST_SUBQUERY) return arg->position;
    return (struct ast_position){0};
}

/* With type labels it is the label that says what a metric is, else its name. */
static enum status remark_on_name(struct range_rows *r, struct error *err)
{
    struct eval *ev = r->base.ev;
    bool by_label = ev->engine->options.type_labels;
    if (r->one_name && !by_label && r->remarked.size) return OK;
    struct str name = label_of(&r->windows, LABEL_METRIC_NAME);
    struct str type = by_label ? label_of(&r->windows, STR("__type__")) : STR("");
    char quoted[QUOTED_TEXT_BYTES];
    char quoted_type[QUOTED_TEXT_BYTES];
    struct str text;
    if (!name.size || (str_equal(name, r->remarked) && str_equal(type, r->remarked_type)))
        return OK;
    r->remarked = name;
    r->remarked_type = type;
    if (by_label ? str_equal(type, STR("counter")) || str_equal(type, STR("histogram"))
                 : is_named_like_counter(name))
        return OK;
    if (by_label)
        text = arena_printf(ev->arena,
                            "PromQL info: metric might not be a counter, __type__ label is not set "
                            "to \"counter\" or \"histogram\", got %s: %s",
                            quote_text(type, quoted_type), quote_text(name, quoted));
    else
        text = arena_printf(ev->arena,
                            "PromQL info: metric might not be a counter, name does not end in "
                            "_total/_sum/_count/_bucket: %s",
                            quote_text(name, quoted));
    if (!text.data) return no_room(ev->arena, err);
    return annotation_add(&ev->notes, ANNOTATION_INFO, text, place_of(r->call.node), ev->arena,
                          err);
}

static enum status grow_scratch(struct range_rows *r, struct error *err)
{
    struct arena *a = r->base.ev->arena;
    if (r->windows.count <= r->scratch_capacity) return OK;
    size_t capacity = r->windows.count * 2;
    if (r->impl->wants_falls) {
        r->call.falls = arena_alloc_array(a, capacity, sizeof(r->call.falls[0]));
        if (!r->call.falls) return no_room(a, err);
    }
    if (r->impl->slide && r->impl->slides_when == SLIDES_OVER_OVERLAPS) {
        r->slide.suffixes = arena_alloc_array(a, capacity, sizeof(r->slide.suffixes[0]));
        if (!r->slide.suffixes) return no_room(a, err);
    }
    r->call.scratch = arena_alloc_array(a, capacity, sizeof(double));
    if (!r->call.scratch) return no_room(a, err);
    r->scratch_capacity = capacity;
    return OK;
}

/* A NaN falls nowhere. */
static void find_falls(struct range_call *call, const struct windows *w)
{
    call->series = w->v;
    call->fall_count = call->fall_low = call->fall_high = 0;
    for (size_t i = 1; i < w->count && !w->ascends; i++) {
        call->falls[call->fall_count] = (uint32_t)i;
        call->fall_count += w->v[i] < w->v[i - 1];
    }
}

/* Those behind the first sample of [low, high), up to the last. */
static void move_falls(struct range_call *call, size_t low, size_t high)
{
    while (call->fall_high < call->fall_count && call->falls[call->fall_high] < high)
        call->fall_high++;
    while (call->fall_low < call->fall_high && call->falls[call->fall_low] <= low)
        call->fall_low++;
}

static bool is_moderate(const double *v, size_t count)
{
    bool moderate = true;
    for (size_t i = 0; i < count; i++)
        moderate &= fabs(v[i]) < SLIDE_VALUE_MAX;
    return moderate;
}

/* Worth it when windows share most of their samples. */
static bool slides_now(const struct range_rows *r)
{
    const struct windows *w = &r->windows;
    if (!r->slides) return false;
    if (r->impl->slides_when == SLIDES_ALWAYS) return true;
    return w->table->samples > 4 * w->count && is_moderate(w->v, w->count);
}

static enum status slide_row(struct range_rows *r, struct error *err)
{
    const struct windows *w = &r->windows;
    struct slide *s = &r->slide;
    s->t_ms = w->t_ms;
    s->v = w->v;
    s->low = w->table->low;
    s->high = w->table->high;
    s->by_step = w->table->by_step;
    s->falls = r->call.falls;
    s->fall_count = r->call.fall_count;
    if (w->table->fresh && r->impl->slide_times) {
        s->present = w->table->present;
        r->impl->slide_times(s);
    }
    s->present = r->row.present;
    memcpy(s->present, w->table->present, row_words(s->steps) * sizeof(s->present[0]));
    r->impl->slide(s);
    return eval_tick(r->base.ev, w->count + s->steps, err);
}

static enum status window_by_window(struct range_rows *r, struct error *err)
{
    double args[RANGE_ARGS_MAX] = {0};
    uint64_t work = 0;
    enum status st = OK;
    bits_zero(r->row.present, r->base.steps);
    for (size_t i = 0; !st && i < r->base.steps; i++) {
        struct window w;
        if (!windows_at(&r->windows, i, &w)) continue;
        for (size_t k = 0; k < r->arg_count; k++)
            args[k] = r->args[k][i];
        w.args = args;
        work += w.count;
        if (r->impl->wants_falls)
            move_falls(&r->call, r->windows.table->low[i], r->windows.table->high[i]);
        if (r->impl->range(&r->call, &w, &r->row.v[i])) bit_set(r->row.present, i);
        st = r->call.failed;
        if (!st && i % 64 == 63) {
            st = eval_tick(r->base.ev, work, err);
            work = 0;
        }
    }
    return st ? st : eval_tick(r->base.ev, work, err);
}

static enum status evaluate_windows(struct range_rows *r, struct error *err)
{
    r->call.err = err;
    enum status st = grow_scratch(r, err);
    if (st) return st;
    if (r->impl->wants_falls) find_falls(&r->call, &r->windows);
    return slides_now(r) ? slide_row(r, err) : window_by_window(r, err);
}

static enum status range_next(struct rows *self, struct row **out, struct error *err)
{
    struct range_rows *r = (struct range_rows *)self;
    *out = NULL;
    for (;;) {
        bool more;
        r->windows.bare = self->bare;
        enum status st = windows_next(&r->windows, &more, err);
        if (st || !more) return st;
        st = evaluate_windows(r, err);
        if (st) return st;
        if (!bits_any(r->row.present, self->steps)) continue;
        r->row.labels = r->windows.labels;
        r->row.series = r->windows.series;
        r->row.drops_name = r->windows.drops_name;
        if (r->impl->wants_counter) st = remark_on_name(r, err);
        if (!st && !r->impl->keeps_name) st = row_unname(self, &r->row, &r->scratch, err);
        *out = &r->row;
        return st;
    }
}

/* The function's form for all windows, where there is one for this selector. */
static void prepare_slide(struct range_rows *r)
{
    struct windows *w = &r->windows;
    r->slides = r->impl->slide && !r->call.anchored && !r->call.smoothed;
    if (!r->slides) return;
    r->slide = (struct slide){
        .steps = r->base.steps,
        .step_ms = w->steps.step_ms,
        .end_ms = w->steps.first_end_ms,
        .range_ms = w->steps.range_ms,
        .out = r->row.v,
        .present = r->row.present,
    };
}

enum status func_range_open(struct eval *ev, const struct ast *call, const struct eval_range *range,
                            struct rows **out, struct error *err)
{
    struct range_rows *r = arena_calloc(ev->arena, 1, sizeof(*r));
    if (!r) return no_room(ev->arena, err);
    const struct ast *matrix = NULL;
    for (size_t i = 0; i < call->call.arg_count && !matrix; i++)
        if (call->call.args[i]->type == VALUE_MATRIX) matrix = eval_unwrap(call->call.args[i]);
    ASSERT(matrix);
    *r = (struct range_rows){
        .base = {.next = range_next, .ev = ev, .steps = range->steps},
        .impl = call->call.function->impl,
        .range = *range,
        .call = {.ev = ev, .node = call},
    };
    enum status st = func_scalar_args(ev, call, range, &r->args, &r->arg_count, err);
    if (!st) st = func_check_selector(call, matrix, err);
    if (!st) st = row_alloc(&r->row, range->steps, ev->arena, err);
    if (!st) st = windows_open(ev, matrix, &r->range, &r->windows, err);
    if (st) return st;
    if (matrix->kind == AST_MATRIX_SELECTOR) {
        r->call.anchored = matrix->matrix.selector->selector.anchored;
        r->call.smoothed = matrix->matrix.selector->selector.smoothed;
        r->one_name = selector_has_one_name(matrix->matrix.selector);
    }
    prepare_slide(r);
    r->windows.asks_ascent = r->impl->wants_falls;
    r->call.range_s = (double)r->windows.steps.range_ms / 1000;
    r->base.unnamed_unique = r->windows.unnamed_unique;
    *out = &r->base;
    return r->impl->keeps_name ? OK : rows_unnamed(&r->base, MERGE_NONE, out, err);
}
