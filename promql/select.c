/* select - reading series, looking back, sliding windows. */
#include "promql/select.h"

#include "base/bits.h"
#include "promql/extended.h"
#include "promql/scan.h"

bool selector_has_one_name(const struct ast *selector)
{
    for (size_t i = 0; i < selector->selector.matcher_count; i++) {
        const struct matcher *m = &selector->selector.matchers[i];
        if (m->type == MATCH_EQUAL && m->value.size && str_equal(m->name, LABEL_METRIC_NAME))
            return true;
    }
    return false;
}

/* Do the series stay distinct without their names? Yes when they share one, and no __type__ or
 * __unit__ is there that only their name's metadata would tell apart. */
static bool is_unnamed_unique(struct querier *q, const struct ast *selector,
                              const struct selection *selection)
{
    if (!selector_has_one_name(selector)) return selection->count < 2;
    return !selection_has_label(q, selection, STR("__type__")) &&
           !selection_has_label(q, selection, STR("__unit__"));
}

static enum status tick_of_selecting(void *self, uint64_t work, struct error *err)
{
    return eval_tick(self, work, err);
}

/* Into ev->selected. */
static enum status select_series(struct eval *ev, const struct ast *selector, int64_t t_min_ms,
                                 int64_t t_max_ms, struct error *err)
{
    struct selected *out = &ev->selected;
    if (ev->given) {
        *out = *ev->given;
        return OK;
    }
    struct select_request request = {
        .matchers = selector->selector.matchers,
        .matcher_count = selector->selector.matcher_count,
        .tick = tick_of_selecting,
        .tick_self = ev,
        .t_min_ms = t_min_ms,
        .t_max_ms = t_max_ms,
        .limit = ev->query->quick ? QUICK_SERIES + 1 : 0,
    };
    enum status st = querier_select(ev->querier, &request, &out->selection, err);
    if (st) return st;
    if (ev->query->quick && out->selection.count > QUICK_SERIES)
        return query_give_up(ev->query, err);
    out->span_ms = bits_sub_clamped(t_max_ms, t_min_ms);
    out->unnamed_unique = is_unnamed_unique(ev->querier, selector, &out->selection);
    return OK;
}

/* The labels of a series, until the scratch is used again. */
static enum status read_labels(struct eval *ev, const struct series *series,
                               struct label_scratch *scratch, struct labels *out, struct error *err)
{
    size_t count = series_label_count(series);
    if (count > scratch->capacity) {
        scratch->items = arena_alloc_array(ev->arena, 2 * count, sizeof(scratch->items[0]));
        if (!scratch->items) return no_room(ev->arena, err);
        scratch->capacity = 2 * count;
    }
    *out = series_labels(series, scratch->items);
    return OK;
}

static enum status count_read(struct eval *ev, size_t series, size_t samples, struct error *err)
{
    enum { SERIES_WORK = 16 }; /* finding a series costs about as much as so many samples */
    ev->query->stats.samples_read += samples;
    return eval_tick(ev, samples + series * SERIES_WORK, err);
}

/* Where the steps of a shifted selector look: from the first to the last reference time. */
struct reference {
    bool fixed;
    int64_t first_ms;
    int64_t last_ms;
};

static struct reference reference_of(const struct ast_time_shift *shift,
                                     const struct eval_range *range)
{
    struct reference ref = {.fixed = shift->at != AT_NONE};
    int64_t first = ref.fixed ? shift->at_ms : range->start_ms;
    int64_t last = ref.fixed ? shift->at_ms : eval_step_ms(range, range->steps - 1);
    ref.first_ms = bits_sub_clamped(first, shift->offset_ms);
    ref.last_ms = bits_sub_clamped(last, shift->offset_ms);
    return ref;
}

static struct window_steps steps_of(const struct reference *ref, const struct eval_range *range)
{
    return (struct window_steps){.count = range->steps,
                                 .first_end_ms = ref->first_ms,
                                 .step_ms = ref->fixed ? 0 : range->step_ms};
}

static enum status drop_stale(struct columns *c, struct error *err)
{
    size_t kept = 0;
    if (!scan_has_nan(c->v, c->count)) return OK;
    enum status st = columns_lay_times(c, err);
    if (st) return st;
    for (size_t i = 0; i < c->count; i++) {
        if (sample_is_stale(c->v[i])) continue;
        c->t_ms[kept] = c->t_ms[i];
        c->v[kept++] = c->v[i];
    }
    if (kept < c->count) columns_forget_chain(c);
    c->count = kept;
    return OK;
}

struct select_rows {
    struct rows base;
    struct tally tally;
    struct eval_range range;
    enum select_what what;
    struct reference ref;
    bool smoothed;
    bool looks_once; /* all steps see the same */
    struct series_reader *reader;
    struct columns *columns;     /* of the present series */
    struct label_scratch labels; /* and its labels */
    struct label_scratch scratch;
    struct row row;
    struct window_steps steps; /* windows as wide as the lookback */
    struct window_tables *tables;
    struct window_tables own;
    struct window_table *table; /* of the present series */
    size_t series_count;
};

static double looked_at(const struct select_rows *s, int64_t t_ms, size_t sample)
{
    switch (s->what) {
    case SELECT_TIMES: return (double)t_ms / 1000;
    case SELECT_STAMPS: return (double)t_ms;
    case SELECT_VALUES: break;
    }
    return s->columns->v[sample];
}

static void clear_stale(struct select_rows *s)
{
    struct bit_walk walk = bit_walk(s->row.present, s->range.steps);
    size_t i;
    while (bit_walk_next(&walk, &i))
        if (sample_is_stale(s->columns->v[s->table->high[i] - 1])) bit_clear(s->row.present, i);
}

/* One look, which is all there is to see or the same at each step. */
static void look_once(struct select_rows *s)
{
    const struct columns *c = s->columns;
    size_t behind = c->count; /* samples at or before the reference time */
    while (behind && c->t_ms[behind - 1] > s->ref.first_ms)
        behind--;
    if (!behind || sample_is_stale(c->v[behind - 1])) return;
    if (c->t_ms[behind - 1] <= bits_sub_clamped(s->ref.first_ms, s->steps.range_ms)) return;
    for (size_t i = 0; i < s->range.steps; i++) {
        s->row.v[i] = looked_at(s, c->t_ms[behind - 1], behind - 1);
        bit_set(s->row.present, i);
    }
}

/* Fill the row from the columns: at each step the last sample that is not older than the lookback,
 * unless it is a stale marker. */
static enum status look_back(struct select_rows *s, struct error *err)
{
    struct columns *c = s->columns;
    enum status st = window_tables_find(s->tables, &s->steps, c, s->series_count, &s->table, err);
    if (st) return st;
    const uint32_t *high = s->table->high;
    memcpy(s->row.present, s->table->present, row_words(s->steps.count) * sizeof(uint64_t));
    struct bit_runs run = bit_runs(s->row.present, s->steps.count);
    while (bit_runs_next(&run)) {
        for (size_t i = run.from; i < run.to && s->what == SELECT_VALUES; i++)
            s->row.v[i] = c->v[high[i] - 1];
        for (size_t i = run.from; i < run.to && s->what != SELECT_VALUES; i++)
            s->row.v[i] = looked_at(s, s->table->used[high[i] - 1], high[i] - 1);
    }
    if (scan_has_nan(c->v, c->count)) clear_stale(s);
    return OK;
}

/* Smoothed: between the neighbours of the reference time, stale markers left out; the last value
 * goes on for as long as the lookback. */
static bool smooth_at(const struct columns *c, size_t low, size_t high, int64_t ref_ms, double *out)
{
    size_t next = low;
    while (next < high && c->t_ms[next] < ref_ms)
        next++;
    if (next < high && c->t_ms[next] == ref_ms) {
        *out = c->v[next];
        return true;
    }
    if (next == low) return false;
    *out =
        next == high ? c->v[next - 1] : interpolate_samples(c->t_ms, c->v, next - 1, ref_ms, false);
    return true;
}

static enum status smooth(struct select_rows *s, struct error *err)
{
    struct columns *c = s->columns;
    enum status st = columns_lay_times(c, err);
    if (st) return st;
    int64_t lookback_ms = s->base.ev->lookback_ms;
    size_t low = 0;
    size_t high = 0;
    for (size_t i = 0; i < s->range.steps; i++) {
        int64_t ref_ms = s->ref.first_ms + (s->ref.fixed ? 0 : (int64_t)i * s->range.step_ms);
        while (high < c->count && c->t_ms[high] <= bits_add_clamped(ref_ms, lookback_ms))
            high++;
        while (low < high && c->t_ms[low] <= bits_sub_clamped(ref_ms, lookback_ms))
            low++;
        if (smooth_at(c, low, high, ref_ms, &s->row.v[i])) bit_set(s->row.present, i);
    }
    return OK;
}

/* Of ev->selected. */
static enum status open_reader(struct eval *ev, int64_t t_min_ms, int64_t t_max_ms, bool newest,
                               struct series_reader **out, struct error *err)
{
    struct series_reader_request request = {.series = ev->selected.selection.series,
                                            .count = ev->selected.selection.count,
                                            .t_min_ms = t_min_ms,
                                            .t_max_ms = t_max_ms,
                                            .newest = newest,
                                            .times_later = true,
                                            .newest_words = ev->selected.selection.newest_words};
    return series_reader_create(ev->querier, &request, ev->arena, out, err);
}

/* One row for all series that come next and are known to have a sample. */
static enum status count_known(struct select_rows *s, struct row **out, struct error *err)
{
    struct eval *ev = s->base.ev;
    size_t count = series_reader_pass_known(s->reader);
    *out = NULL;
    if (!count) return OK;
    s->row.others = count - 1;
    bits_fill(s->row.present, 1);
    tally_rows(ev, &s->tally, s->row.present, 1, count);
    *out = &s->row;
    return count_read(ev, count, count, err);
}

static enum status select_next(struct rows *self, struct row **out, struct error *err)
{
    struct select_rows *s = (struct select_rows *)self;
    *out = NULL;
    if (self->asked != ROWS_ASKED_ALL || s->what != SELECT_VALUES)
        series_reader_skip_values(s->reader);
    if (self->asked == ROWS_ASKED_COUNT && self->steps == 1) {
        enum status st = count_known(s, out, err);
        if (st || *out) return st;
        s->row.others = 0;
    }
    for (;;) {
        const struct series *series;
        enum status st = series_reader_next(s->reader, &series, &s->columns, err);
        if (st || !series) return st;
        st = count_read(self->ev, 1, s->columns->count, err);
        if (st) return st;
        if (s->smoothed) st = drop_stale(s->columns, err);
        if (st) return st;
        if (!s->columns->count) continue;
        bits_zero(s->row.present, self->steps);
        if (s->smoothed)
            st = smooth(s, err);
        else if (s->looks_once)
            look_once(s);
        else
            st = look_back(s, err);
        if (st) return st;
        if (!bits_any(s->row.present, self->steps)) continue;
        tally_rows(self->ev, &s->tally, s->row.present, self->steps, 1);
        s->row.series = self->bare && s->what == SELECT_VALUES ? series : NULL;
        if (!s->row.series) st = read_labels(self->ev, series, &s->labels, &s->row.labels, err);
        if (!st && s->what == SELECT_TIMES) st = row_unname(self, &s->row, &s->scratch, err);
        *out = &s->row;
        return st;
    }
}

enum status select_rows(struct eval *ev, const struct ast *node, const struct eval_range *range,
                        enum select_what what, struct rows **out, struct error *err)
{
    struct select_rows *s = arena_calloc(ev->arena, 1, sizeof(*s));
    if (!s) return no_room(ev->arena, err);
    *s = (struct select_rows){
        .base = {.next = select_next, .ev = ev, .steps = range->steps},
        .tally = ev->tally,
        .range = *range,
        .what = what,
        .ref = reference_of(&node->selector.shift, range),
        .smoothed = node->selector.smoothed && what == SELECT_VALUES,
    };
    s->looks_once = !s->smoothed && (s->ref.fixed || range->steps == 1);
    s->steps = steps_of(&s->ref, range);
    s->steps.range_ms = ev->lookback_ms;
    enum status st = row_alloc(&s->row, range->steps, ev->arena, err);
    if (!st) st = window_tables_open(ev, node, &s->own, &s->tables, err);
    int64_t t_min_ms = bits_sub_clamped(s->ref.first_ms, ev->lookback_ms - 1);
    int64_t t_max_ms = bits_add_clamped(s->ref.last_ms, s->smoothed ? ev->lookback_ms : 0);
    if (!st) st = select_series(ev, node, t_min_ms, t_max_ms, err);
    if (st) return st;
    s->base.unnamed_unique = ev->selected.unnamed_unique;
    s->series_count = ev->selected.selection.count;
    st = open_reader(ev, t_min_ms, t_max_ms, s->looks_once, &s->reader, err);
    if (st) return st;
    *out = &s->base;
    return what == SELECT_TIMES ? rows_unnamed(&s->base, MERGE_DISJOINT, out, err) : OK;
}

/* The steps of a subquery: multiples of its step, behind the left end of its first window. */
static void subquery_steps(const struct ast *node, const struct reference *ref,
                           int64_t default_step_ms, struct eval_range *out)
{
    int64_t step_ms = node->subquery.step_ms ? node->subquery.step_ms : default_step_ms;
    int64_t open_ms = bits_sub_clamped(ref->first_ms, node->subquery.range_ms);
    int64_t start_ms;
    *out = (struct eval_range){.step_ms = step_ms};
    if (__builtin_mul_overflow(bits_floor_div(open_ms, step_ms) + 1, step_ms, &start_ms)) return;
    out->start_ms = start_ms;
    if (start_ms <= ref->last_ms) out->steps = (size_t)((ref->last_ms - start_ms) / step_ms) + 1;
}

static enum status open_subquery(struct windows *w, const struct ast *node,
                                 const struct reference *ref, struct error *err)
{
    struct eval *ev = w->ev;
    if (ev->query->quick) return query_give_up(ev->query, err);
    w->steps.range_ms = node->subquery.range_ms;
    subquery_steps(node, ref, ev->engine->options.default_step_ms, &w->inner_range);
    w->unnamed_unique = true;
    if (!w->inner_range.steps) return OK;
    bool was_off = ev->tally.off;
    bool alone = eval_unwrap(ev->query->tree) == node; /* and no function takes samples of it */
    if (alone)
        w->tally.off = true;
    else
        ev->tally.off = true;
    enum status st = eval_scope(ev, node->subquery.expr, &w->inner_range, &w->inner, err);
    ev->tally.off = was_off;
    if (st) return st;
    w->unnamed_unique = w->inner->unnamed_unique;
    w->stable = w->inner->stable;
    return columns_reserve(&w->evaluated, w->inner_range.steps) ? OK : no_room(ev->arena, err);
}

static enum status open_selector(struct windows *w, const struct ast *node,
                                 const struct reference *ref, struct error *err)
{
    const struct ast *selector = node->matrix.selector;
    bool smoothed = selector->selector.smoothed;
    w->steps.range_ms = node->matrix.range_ms;
    w->steps.before_ms = smoothed || selector->selector.anchored ? w->ev->lookback_ms : 0;
    w->steps.after_ms = smoothed ? w->ev->lookback_ms : 0;
    int64_t t_min_ms = bits_sub_clamped(ref->first_ms, w->steps.range_ms + w->steps.before_ms - 1);
    int64_t t_max_ms = bits_add_clamped(ref->last_ms, w->steps.after_ms);
    enum status st = select_series(w->ev, selector, t_min_ms, t_max_ms, err);
    if (st) return st;
    w->unnamed_unique = w->ev->selected.unnamed_unique;
    w->series_count = w->ev->selected.selection.count;
    return open_reader(w->ev, t_min_ms, t_max_ms, false, &w->reader, err);
}

enum status windows_open(struct eval *ev, const struct ast *node, const struct eval_range *range,
                         struct windows *out, struct error *err)
{
    bool subquery = node->kind == AST_SUBQUERY;
    const struct ast_time_shift *shift =
        subquery ? &node->subquery.shift : &node->matrix.selector->selector.shift;
    struct reference ref = reference_of(shift, range);
    *out = (struct windows){
        .ev = ev,
        .tally = ev->tally,
        .range = range,
        .steps = steps_of(&ref, range),
        .columns = &out->evaluated,
        .evaluated = {.arena = ev->arena},
    };
    enum status st = window_tables_open(ev, node, &out->own, &out->tables, err);
    if (st) return st;
    return subquery ? open_subquery(out, node, &ref, err) : open_selector(out, node, &ref, err);
}

/* What is known of the first values need not be looked at. */
static bool ascends(const struct columns *c)
{
    size_t from = c->rising ? c->rising - 1 : 0;
    return scan_ascends(c->v + from, c->count - from);
}

static enum status next_selected(struct windows *w, bool *more, struct error *err)
{
    const struct series *series;
    enum status st = series_reader_next(w->reader, &series, &w->columns, err);
    *more = !st && series;
    if (!*more) return st;
    st = count_read(w->ev, 1, w->columns->count, err);
    if (st) return st;
    w->ascends = w->asks_ascent && ascends(w->columns);
    if (!w->ascends) st = drop_stale(w->columns, err);
    if (st) return st;
    w->series = w->bare ? series : NULL;
    return w->bare ? OK : read_labels(w->ev, series, &w->scratch, &w->labels, err);
}

static enum status next_evaluated(struct windows *w, bool *more, struct error *err)
{
    struct row *row = NULL;
    enum status st = w->inner ? w->inner->next(w->inner, &row, err) : OK;
    *more = row != NULL;
    if (st || !row) return st;
    struct columns *c = w->columns;
    struct bit_walk walk = bit_walk(row->present, w->inner_range.steps);
    size_t i;
    c->count = 0;
    while (bit_walk_next(&walk, &i)) {
        c->t_ms[c->count] = eval_step_ms(&w->inner_range, i);
        c->v[c->count++] = row->v[i];
    }
    w->ascends = w->asks_ascent && scan_ascends(c->v, c->count);
    w->labels = row->labels;
    w->drops_name = row->drops_name;
    return eval_tick(w->ev, c->count, err);
}

enum status windows_next(struct windows *w, bool *more, struct error *err)
{
    eval_drop(w->ev, w->held);
    w->held = 0;
    do {
        enum status st = w->reader ? next_selected(w, more, err) : next_evaluated(w, more, err);
        if (st || !*more) return st;
    } while (!w->columns->count);
    w->v = w->columns->v;
    w->count = w->columns->count;
    w->held = w->count;
    size_t series = w->reader ? w->series_count : WINDOW_TABLES_MAX;
    enum status st = window_tables_find(w->tables, &w->steps, w->columns, series, &w->table, err);
    if (st) return st;
    w->t_ms = w->table->used;
    tally_windows(w->ev, &w->tally, w->table, w->steps.count);
    return eval_hold(w->ev, w->held, err);
}

bool windows_at(const struct windows *w, size_t step, struct window *out)
{
    size_t low = w->table->low[step];
    int64_t end_ms = window_end_ms(&w->steps, step);
    *out = (struct window){
        .t_ms = w->t_ms + low,
        .v = w->v + low,
        .count = w->table->high[step] - low,
        .start_ms = bits_sub_clamped(end_ms, w->steps.range_ms),
        .end_ms = end_ms,
        .eval_ms = eval_step_ms(w->range, step),
    };
    return out->count > 0;
}
