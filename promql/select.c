/* select - reading series, looking back, sliding windows. */
#include "promql/select.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/hash.h"
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
        .t_min_ms = t_min_ms,
        .t_max_ms = t_max_ms,
        .limit = ev->query->quick ? QUICK_SERIES + 1 : 0,
    };
    enum status st = querier_select(ev->querier, &request, &out->selection, err);
    if (st) return st;
    if (ev->query->quick && out->selection.count > QUICK_SERIES)
        return query_give_up(ev->query, err);
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

static enum status count_read(struct eval *ev, const struct columns *columns, struct error *err)
{
    enum { SERIES_WORK = 16 }; /* finding a series costs about as much as so many samples */
    ev->query->stats.samples_read += columns->count;
    return eval_tick(ev, columns->count + SERIES_WORK, err);
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

static void drop_stale(struct columns *c)
{
    size_t kept = 0;
    if (!scan_has_nan(c->v, c->count)) return;
    for (size_t i = 0; i < c->count; i++) {
        if (sample_is_stale(c->v[i])) continue;
        c->t_ms[kept] = c->t_ms[i];
        c->v[kept++] = c->v[i];
    }
    c->count = kept;
}

struct select_rows {
    struct rows base;
    struct eval_range range;
    enum select_what what;
    struct reference ref;
    bool smoothed;
    int64_t after_ms; /* smoothed: how far behind the last reference time samples matter */
    struct series_reader *reader;
    struct columns *columns;     /* of the present series */
    struct label_scratch labels; /* and its labels */
    struct label_scratch scratch;
    struct row row;
};

/* Fill the row from the columns: at each step the last sample that is not older than the lookback,
 * unless it is a stale marker. */
static void look_back(struct select_rows *s)
{
    const struct columns *c = s->columns;
    int64_t lookback_ms = s->base.ev->lookback_ms;
    size_t behind = 0; /* samples at or before the reference time */
    size_t steps = s->ref.fixed ? 1 : s->range.steps;
    for (size_t i = 0; i < steps; i++) {
        int64_t ref_ms = s->ref.first_ms + (int64_t)i * s->range.step_ms;
        while (behind < c->count && c->t_ms[behind] <= ref_ms)
            behind++;
        if (!behind) continue;
        int64_t t_ms = c->t_ms[behind - 1];
        if (t_ms <= bits_sub_clamped(ref_ms, lookback_ms) || sample_is_stale(c->v[behind - 1]))
            continue;
        s->row.v[i] = s->what == SELECT_VALUES   ? c->v[behind - 1]
                      : s->what == SELECT_STAMPS ? (double)t_ms
                                                 : (double)t_ms / 1000;
        bit_set(s->row.present, i);
    }
    if (s->ref.fixed && bit_get(s->row.present, 0)) {
        bits_fill(s->row.present, s->range.steps);
        for (size_t i = 1; i < s->range.steps; i++)
            s->row.v[i] = s->row.v[0];
    }
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

static void smooth(struct select_rows *s)
{
    const struct columns *c = s->columns;
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
}

/* Of ev->selected. */
static enum status open_reader(struct eval *ev, int64_t t_min_ms, int64_t t_max_ms, bool newest,
                               struct series_reader **out, struct error *err)
{
    struct series_reader_request request = {.series = ev->selected.selection.series,
                                            .count = ev->selected.selection.count,
                                            .t_min_ms = t_min_ms,
                                            .t_max_ms = t_max_ms,
                                            .newest = newest};
    return series_reader_create(ev->querier, &request, ev->arena, out, err);
}

static enum status select_next(struct rows *self, struct row **out, struct error *err)
{
    struct select_rows *s = (struct select_rows *)self;
    *out = NULL;
    for (;;) {
        const struct series *series;
        enum status st = series_reader_next(s->reader, &series, &s->columns, err);
        if (st || !series) return st;
        st = count_read(self->ev, s->columns, err);
        if (st) return st;
        if (s->smoothed) drop_stale(s->columns);
        if (!s->columns->count) continue;
        bits_zero(s->row.present, self->steps);
        if (s->smoothed)
            smooth(s);
        else
            look_back(s);
        if (!bits_any(s->row.present, self->steps)) continue;
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
        .range = *range,
        .what = what,
        .ref = reference_of(&node->selector.shift, range),
        .smoothed = node->selector.smoothed && what == SELECT_VALUES,
    };
    s->after_ms = s->smoothed ? ev->lookback_ms : 0;
    enum status st = row_alloc(&s->row, range->steps, ev->arena, err);
    int64_t t_min_ms = bits_sub_clamped(s->ref.first_ms, ev->lookback_ms - 1);
    int64_t t_max_ms = bits_add_clamped(s->ref.last_ms, s->after_ms);
    if (!st) st = select_series(ev, node, t_min_ms, t_max_ms, err);
    if (st) return st;
    bool newest = !s->smoothed && (s->ref.fixed || range->steps == 1);
    s->base.unnamed_unique = ev->selected.unnamed_unique;
    st = open_reader(ev, t_min_ms, t_max_ms, newest, &s->reader, err);
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
    w->range_ms = node->subquery.range_ms;
    subquery_steps(node, ref, ev->engine->options.default_step_ms, &w->inner_range);
    w->unnamed_unique = true;
    if (!w->inner_range.steps) return OK;
    enum status st = eval_rows(ev, node->subquery.expr, &w->inner_range, &w->inner, err);
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
    w->range_ms = node->matrix.range_ms;
    w->before_ms = smoothed || selector->selector.anchored ? w->ev->lookback_ms : 0;
    w->after_ms = smoothed ? w->ev->lookback_ms : 0;
    int64_t t_min_ms = bits_sub_clamped(ref->first_ms, w->range_ms + w->before_ms - 1);
    int64_t t_max_ms = bits_add_clamped(ref->last_ms, w->after_ms);
    enum status st = select_series(w->ev, selector, t_min_ms, t_max_ms, err);
    if (st) return st;
    w->unnamed_unique = w->ev->selected.unnamed_unique;
    w->series_count = w->ev->selected.selection.count;
    return open_reader(w->ev, t_min_ms, t_max_ms, false, &w->reader, err);
}

/* Those that were kept for the node, new ones that will be, or the windows' own. */
static enum status open_tables(struct windows *w, const struct ast *node, struct error *err)
{
    struct window_keeper *keeper = w->ev->keeper;
    w->own = (struct window_tables){.node = node, .arena = w->ev->arena};
    w->tables = &w->own;
    if (!keeper) return OK;
    for (w->tables = keeper->first; w->tables; w->tables = w->tables->next)
        if (w->tables->node == node) return OK;
    w->tables = arena_alloc(keeper->arena, sizeof(*w->tables));
    if (!w->tables) return no_room(keeper->arena, err);
    *w->tables =
        (struct window_tables){.node = node, .arena = keeper->arena, .next = keeper->first};
    keeper->first = w->tables;
    return OK;
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
        .range = range,
        .first_end_ms = ref.first_ms,
        .step_ms = ref.fixed ? 0 : range->step_ms,
        .columns = &out->evaluated,
        .evaluated = {.arena = ev->arena},
    };
    enum status st = open_tables(out, node, err);
    if (st) return st;
    return subquery ? open_subquery(out, node, &ref, err) : open_selector(out, node, &ref, err);
}

static enum status next_selected(struct windows *w, bool *more, struct error *err)
{
    const struct series *series;
    enum status st = series_reader_next(w->reader, &series, &w->columns, err);
    *more = !st && series;
    if (!*more) return st;
    st = count_read(w->ev, w->columns, err);
    if (st) return st;
    w->ascends = w->asks_ascent && scan_ascends(w->columns->v, w->columns->count);
    if (!w->ascends) drop_stale(w->columns);
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

static int64_t window_end_ms(const struct windows *w, size_t step)
{
    return w->first_end_ms + (int64_t)step * w->step_ms;
}

/* One pass over the times: both ends only move forward. */
static void find_ends(const struct windows *w, struct window_table *table)
{
    size_t count = w->count;
    size_t low = 0;
    size_t high = 0;
    ASSERT(count <= UINT32_MAX);
    table->samples = 0;
    bits_zero(table->present, w->range->steps);
    for (size_t i = 0; i < w->range->steps; i++) {
        int64_t end_ms = window_end_ms(w, i);
        int64_t high_ms = bits_add_clamped(end_ms, w->after_ms);
        int64_t low_ms = bits_sub_clamped(bits_sub_clamped(end_ms, w->range_ms), w->before_ms);
        if (i == 0) low = high = columns_lower_bound(w->t_ms, 0, count, low_ms);
        while (high < count && w->t_ms[high] <= high_ms)
            high++;
        while (low < high && w->t_ms[low] <= low_ms)
            low++;
        table->low[i] = (uint32_t)low;
        table->high[i] = (uint32_t)high;
        table->samples += high - low;
        if (low < high) bit_set(table->present, i);
    }
}

static enum status table_create(const struct windows *w, struct window_table **out,
                                struct error *err)
{
    struct arena *a = w->tables->arena;
    size_t steps = w->range->steps;
    struct window_table *table = arena_calloc(a, 1, sizeof(*table));
    if (!table) return no_room(a, err);
    table->low = arena_alloc_array(a, steps, sizeof(table->low[0]));
    table->high = arena_alloc_array(a, steps, sizeof(table->high[0]));
    table->present = arena_alloc_array(a, row_words(steps), sizeof(table->present[0]));
    table->by_step = arena_alloc_array(a, w->wants_by_step ? steps : 0, sizeof(table->by_step[0]));
    if (!table->low || !table->high || !table->present || !table->by_step) return no_room(a, err);
    *out = table;
    return OK;
}

/* As many as have room in a little memory; no more than there are series. */
static size_t tables_max(const struct windows *w)
{
    enum { TABLES_BYTES = 4 << 20 };
    size_t series = w->reader ? w->series_count : WINDOW_TABLES_MAX;
    size_t bytes =
        w->range->steps * (2 * sizeof(uint32_t) + sizeof(double)) + w->count * sizeof(w->t_ms[0]);
    size_t most = WINDOW_TABLES_MAX;
    while (most > 1 && (most * bytes > TABLES_BYTES || most / 2 >= series))
        most /= 2;
    return w->range->steps > 1 ? most : 1;
}

static uint64_t times_hash(const struct windows *w)
{
    uint64_t hash = hash_mix((uint64_t)w->t_ms[0], w->count);
    return hash_mix(hash, (uint64_t)w->t_ms[w->count - 1]);
}

static bool is_table_of(const struct window_table *table, const struct windows *w)
{
    return w->count == table->count && !memcmp(w->t_ms, table->t_ms, w->count * sizeof(w->t_ms[0]));
}

/* The table of the present times, or else the place for it, which others may have. */
static struct window_table **table_place(const struct windows *w, bool *found)
{
    enum { NEIGHBOURS = 8 };
    const struct window_tables *tables = w->tables;
    uint64_t hash = times_hash(w);
    for (size_t i = 0; i < NEIGHBOURS; i++) {
        struct window_table **place = &tables->slots[(hash + i) & (tables->max - 1)];
        *found = *place && is_table_of(*place, w);
        if (*found || !*place) return place;
    }
    return &tables->slots[hash & (tables->max - 1)];
}

static enum status keep_times(struct windows *w, struct window_table *table, struct error *err)
{
    struct arena *a = w->tables->arena;
    if (w->count > table->capacity) {
        table->capacity = w->count + w->count / 4;
        table->t_ms = arena_alloc_array(a, table->capacity, sizeof(table->t_ms[0]));
        if (!table->t_ms) return no_room(a, err);
    }
    memcpy(table->t_ms, w->t_ms, w->count * sizeof(w->t_ms[0]));
    table->count = w->count;
    return OK;
}

static enum status find_table(struct windows *w, struct error *err)
{
    struct window_tables *tables = w->tables;
    if (!tables->max) {
        tables->max = tables_max(w);
        tables->slots = arena_calloc(tables->arena, tables->max, sizeof(*tables->slots));
        if (!tables->slots) return no_room(tables->arena, err);
    }
    bool found;
    struct window_table **place = table_place(w, &found);
    if (!*place) {
        enum status st = table_create(w, place, err);
        if (st) return st;
    }
    w->table = *place;
    w->table->fresh = !found;
    if (found) return OK;
    find_ends(w, w->table);
    /* One step's are found no slower than times are compared. */
    return w->range->steps == 1 ? OK : keep_times(w, w->table, err);
}

enum status windows_next(struct windows *w, bool *more, struct error *err)
{
    eval_drop(w->ev, w->held);
    w->held = 0;
    do {
        enum status st = w->reader ? next_selected(w, more, err) : next_evaluated(w, more, err);
        if (st || !*more) return st;
    } while (!w->columns->count);
    w->t_ms = w->columns->t_ms;
    w->v = w->columns->v;
    w->count = w->columns->count;
    w->held = w->count;
    enum status st = find_table(w, err);
    return st ? st : eval_hold(w->ev, w->held, err);
}

bool windows_at(const struct windows *w, size_t step, struct window *out)
{
    size_t low = w->table->low[step];
    int64_t end_ms = window_end_ms(w, step);
    *out = (struct window){
        .t_ms = w->t_ms + low,
        .v = w->v + low,
        .count = w->table->high[step] - low,
        .start_ms = bits_sub_clamped(end_ms, w->range_ms),
        .end_ms = end_ms,
        .eval_ms = eval_step_ms(w->range, step),
    };
    return out->count > 0;
}
