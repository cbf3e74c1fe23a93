/*
 * func_histogram - quantiles and fractions of classic histograms.
 *
 * Rows with equal labels but for `le` are the buckets of one histogram. All of them are kept; each
 * step gathers the buckets that are there.
 */
#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/hash.h"
#include "model/number.h"
#include "promql/func_impl.h"
#include "promql/literal.h"
#include "promql/quantile.h"

#define LABEL_BUCKET STR("le")

struct histogram_row {
    struct row row;
    double upper_bound;
    size_t next; /* of the same histogram; SIZE_MAX: none */
};

struct histogram_group {
    struct labels labels; /* with the name, without le */
    size_t first;
    size_t last;
};

struct histograms {
    struct eval *ev;
    const struct ast *call;
    const struct ast *vector; /* the argument */
    const struct eval_range *range;
    struct histogram_rows VEC_OF(struct histogram_row) rows;
    struct histogram_groups VEC_OF(struct histogram_group) groups;
    struct hash_index index;
    uint64_t held;
    struct bucket *scratch;
};

/* The name to put into remarks. It is there only when names go late. */
static struct str remark_name(const struct histograms *h, struct labels labels)
{
    return h->ev->delays_names ? labels_get(labels, LABEL_METRIC_NAME) : STR("");
}

static enum status warn_bucket_label(struct histograms *h, struct labels labels, struct str le,
                                     struct error *err)
{
    struct str name = remark_name(h, labels);
    char value[QUOTED_TEXT_BYTES];
    char quoted[QUOTED_TEXT_BYTES];
    struct str text = arena_printf(
        h->ev->arena,
        "PromQL warning: bucket label \"le\" is missing or has a malformed value of %s%s%s",
        quote_text(le, value), name.size ? " for metric name " : "",
        name.size ? quote_text(name, quoted) : "");
    if (!text.data) return no_room(h->ev->arena, err);
    return eval_warn(h->ev, text, h->vector, err);
}

static enum status find_group(struct histograms *h, struct labels set, size_t *out,
                              struct error *err)
{
    struct arena *a = h->ev->arena;
    struct arena_mark mark = arena_mark(a);
    struct labels labels;
    enum status st = labels_set(set, LABEL_BUCKET, STR(""), a, &labels, err);
    if (st) return st;
    uint64_t hash = labels_hash(labels);
    size_t probe = 0;
    while ((*out = hash_index_next(&h->index, hash, &probe)) != HASH_INDEX_END) {
        DEBUG_ASSERT(h->groups.items);
        if (!labels_equal(h->groups.items[*out].labels, labels)) continue;
        arena_rewind(a, mark);
        return OK;
    }
    struct histogram_group *slot = VEC_PUSH(&h->groups, a);
    if (!slot) return no_room(a, err);
    *slot = (struct histogram_group){.labels = labels, .first = SIZE_MAX, .last = SIZE_MAX};
    *out = h->groups.count - 1;
    return hash_index_add(&h->index, hash, *out, a, err);
}

static enum status take_row(struct histograms *h, const struct row *row, struct error *err)
{
    struct arena *a = h->ev->arena;
    size_t steps = h->range->steps;
    struct str le = labels_get(row->labels, LABEL_BUCKET);
    double upper_bound;
    if (!number_parse(le, &upper_bound)) return warn_bucket_label(h, row->labels, le, err);
    size_t group;
    enum status st = find_group(h, row->labels, &group, err);
    if (st) return st;
    struct histogram_row *slot = VEC_PUSH(&h->rows, a);
    if (!slot) return no_room(a, err);
    *slot = (struct histogram_row){.upper_bound = upper_bound, .next = SIZE_MAX};
    st = row_alloc(&slot->row, steps, a, err);
    if (st) return st;
    memcpy(slot->row.v, row->v, steps * sizeof(row->v[0]));
    memcpy(slot->row.present, row->present, row_words(steps) * sizeof(row->present[0]));
    struct histogram_group *g = &h->groups.items[group];
    size_t index = h->rows.count - 1;
    if (g->last == SIZE_MAX)
        g->first = index;
    else
        h->rows.items[g->last].next = index;
    g->last = index;
    uint64_t samples = bits_count(row->present, steps);
    h->held += samples;
    return eval_hold(h->ev, samples, err);
}

/* Of equal bounds the one that came first is first. */
static int compare_rows(const void *a, const void *b)
{
    const struct histogram_row *x = *(const struct histogram_row *const *)a;
    const struct histogram_row *y = *(const struct histogram_row *const *)b;
    int order = (x->upper_bound > y->upper_bound) - (x->upper_bound < y->upper_bound);
    return order ? order : (x > y) - (x < y);
}

/* By bound, so that no step has to sort. sorted: room for all rows. */
static void sort_group(struct histograms *h, struct histogram_group *g,
                       const struct histogram_row **sorted)
{
    size_t count = 0;
    for (size_t i = g->first; i != SIZE_MAX; i = h->rows.items[i].next)
        sorted[count++] = &h->rows.items[i];
    qsort(sorted, count, sizeof(sorted[0]), compare_rows);
    size_t *place = &g->first;
    for (size_t i = 0; i < count; i++) {
        *place = (size_t)(sorted[i] - h->rows.items);
        place = &h->rows.items[*place].next;
    }
    *place = SIZE_MAX;
}

static enum status sort_groups(struct histograms *h, struct error *err)
{
    const struct histogram_row **sorted =
        arena_alloc_array(h->ev->arena, h->rows.count, sizeof(sorted[0]));
    if (!sorted) return no_room(h->ev->arena, err);
    for (size_t g = 0; g < h->groups.count; g++)
        sort_group(h, &h->groups.items[g], sorted);
    return OK;
}

static enum status histograms_open(struct histograms *h, struct eval *ev, const struct ast *call,
                                   const struct ast *vector, const struct eval_range *range,
                                   struct error *err)
{
    struct rows *child;
    *h = (struct histograms){.ev = ev, .call = call, .vector = vector, .range = range};
    enum status st = eval_rows(ev, vector, range, &child, err);
    while (!st) {
        struct row *row;
        st = child->next(child, &row, err);
        if (st || !row) break;
        st = take_row(h, row, err);
    }
    if (st) return st;
    h->scratch = arena_alloc_array(ev->arena, h->rows.count, sizeof(h->scratch[0]));
    return h->scratch ? sort_groups(h, err) : no_room(ev->arena, err);
}

/* The buckets of one histogram that are there at a step. */
static size_t gather(const struct histograms *h, size_t group, size_t step)
{
    size_t count = 0;
    for (size_t i = h->groups.items[group].first; i != SIZE_MAX; i = h->rows.items[i].next) {
        const struct histogram_row *row = &h->rows.items[i];
        if (!bit_get(row->row.present, step)) continue;
        h->scratch[count++] =
            (struct bucket){.upper_bound = row->upper_bound, .count = row->row.v[step]};
    }
    return count;
}

static enum status note_repair(struct histograms *h, size_t group, size_t step,
                               const struct bucket_repair *repair, struct error *err)
{
    if (!repair->forced) return OK;
    struct str name = remark_name(h, h->groups.items[group].labels);
    int64_t t_ms = eval_step_ms(h->range, step);
    struct forced_monotonicity forced = {
        .t_min_ms = t_ms,
        .t_max_ms = t_ms,
        .bucket_min = repair->bucket_min,
        .bucket_max = repair->bucket_max,
        .difference_max = repair->difference_max,
        .samples = 1,
    };
    return annotation_add_forced(&h->ev->notes, name, &forced, h->vector->position, h->ev->arena,
                                 err);
}

/* One row per histogram: a quantile per step (upper == NULL), or the fraction between two values.
 */
static enum status histogram_row_of(struct histograms *h, size_t group, const double *lower,
                                    const double *upper, struct row *out, struct error *err)
{
    enum status st = row_alloc(out, h->range->steps, h->ev->arena, err);
    for (size_t i = 0; !st && i < h->range->steps; i++) {
        size_t count = gather(h, group, i);
        if (!count) continue;
        bit_set(out->present, i);
        if (upper) {
            out->v[i] = bucket_fraction(lower[i], upper[i], h->scratch, count);
        } else {
            struct bucket_repair repair;
            out->v[i] = bucket_quantile(lower[i], h->scratch, count, &repair);
            st = note_repair(h, group, i, &repair, err);
        }
        if (!st) st = eval_tick(h->ev, count, err);
    }
    if (st) return st;
    out->labels = h->groups.items[group].labels;
    out->drops_name = h->ev->delays_names;
    return out->drops_name ? OK : labels_unname(out->labels, NULL, h->ev->arena, &out->labels, err);
}

/* label: what tells rows of one histogram apart; empty: there are none. */
static enum status histogram_finish(struct histograms *h, const struct row_table *table,
                                    struct str label, struct rows **out, struct error *err)
{
    bool unnamed_unique = !h->ev->delays_names && !label_is_reserved(label);
    struct rows *rows;
    eval_drop(h->ev, h->held);
    enum status st = rows_from_table(h->ev, table, h->range->steps, unnamed_unique, &rows, err);
    return st ? st : rows_merge(rows, MERGE_DISJOINT, out, err);
}

static enum status warn_quantile(struct eval *ev, const double *q, const struct eval_range *range,
                                 const struct ast *arg, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; !st && i < range->steps; i++)
        if (isnan(q[i]) || q[i] < 0 || q[i] > 1)
            st = annotation_add_quantile(&ev->notes, q[i], arg->position, ev->arena, err);
    return st;
}

static enum status rows_histogram_quantile(struct eval *ev, const struct ast *call,
                                           const struct eval_range *range, struct rows **out,
                                           struct error *err)
{
    struct histograms h;
    struct row_table table = {0};
    double *q;
    enum status st = eval_scalar(ev, call->call.args[0], range, &q, err);
    if (!st) st = warn_quantile(ev, q, range, call->call.args[0], err);
    if (!st) st = histograms_open(&h, ev, call, call->call.args[1], range, err);
    for (size_t g = 0; !st && g < h.groups.count; g++) {
        struct row *row = VEC_PUSH(&table, ev->arena);
        if (!row) return no_room(ev->arena, err);
        st = histogram_row_of(&h, g, q, NULL, row, err);
    }
    return st ? st : histogram_finish(&h, &table, STR(""), out, err);
}

static enum status rows_histogram_fraction(struct eval *ev, const struct ast *call,
                                           const struct eval_range *range, struct rows **out,
                                           struct error *err)
{
    struct histograms h;
    struct row_table table = {0};
    double *lower;
    double *upper;
    enum status st = eval_scalar(ev, call->call.args[0], range, &lower, err);
    if (!st) st = eval_scalar(ev, call->call.args[1], range, &upper, err);
    if (!st) st = histograms_open(&h, ev, call, call->call.args[2], range, err);
    for (size_t g = 0; !st && g < h.groups.count; g++) {
        struct row *row = VEC_PUSH(&table, ev->arena);
        if (!row) return no_room(ev->arena, err);
        st = histogram_row_of(&h, g, lower, upper, row, err);
    }
    return st ? st : histogram_finish(&h, &table, STR(""), out, err);
}

/* histogram_quantiles(v, "label", q ...): one row per histogram and quantile, told apart by a
 * label. Numbers are written as OpenMetrics writes them: 1 is "1.0". */
static struct str quantile_text(struct eval *ev, double q)
{
    char number[NUMBER_TEXT_BYTES];
    int size = (int)number_format_general(number, q);
    bool whole =
        !memchr(number, '.', (size_t)size) && !memchr(number, 'e', (size_t)size) && isfinite(q);
    return arena_printf(ev->arena, "%.*s%s", size, number, whole ? ".0" : "");
}

/* The steps that ask for one quantile. */
struct asked {
    double q;
    uint64_t *steps;
};
struct asked_list VEC_OF(struct asked);

/* Mostly it is the same at all steps. */
static enum status find_asked(struct eval *ev, const double *q, size_t steps,
                              struct asked_list *out, struct error *err)
{
    struct hash_index index = {0};
    *out = (struct asked_list){0};
    for (size_t i = 0; i < steps; i++) {
        double key = isnan(q[i]) ? (double)NAN : q[i] + 0; /* without the sign of a zero */
        uint64_t hash = hash_mix(bits_from_double(key), 0);
        size_t probe = 0;
        size_t item;
        while ((item = hash_index_next(&index, hash, &probe)) != HASH_INDEX_END) {
            DEBUG_ASSERT(out->items);
            if (bits_from_double(out->items[item].q) == bits_from_double(key)) break;
        }
        if (item == HASH_INDEX_END) {
            struct asked *slot = VEC_PUSH(out, ev->arena);
            if (!slot) return no_room(ev->arena, err);
            *slot = (struct asked){.q = key};
            slot->steps = arena_calloc(ev->arena, row_words(steps), sizeof(uint64_t));
            if (!slot->steps) return no_room(ev->arena, err);
            item = out->count - 1;
            enum status st = hash_index_add(&index, hash, item, ev->arena, err);
            if (st) return st;
        }
        bit_set(out->items[item].steps, i);
    }
    return OK;
}

/* What a row has at some steps, under the label of their quantile. */
static enum status add_asked_row(struct eval *ev, const struct row *all, const struct asked *asked,
                                 size_t steps, struct str label, struct row_table *table,
                                 struct error *err)
{
    struct str value = quantile_text(ev, asked->q);
    struct row *row = VEC_PUSH(table, ev->arena);
    if (!value.data || !row) return no_room(ev->arena, err);
    enum status st = row_copy(all, steps, ev->arena, row, err);
    for (size_t w = 0; !st && w < row_words(steps); w++)
        row->present[w] &= asked->steps[w];
    if (!st) st = labels_set(row->labels, label, value, ev->arena, &row->labels, err);
    return st ? st : eval_tick(ev, steps, err);
}

static enum status add_quantile_rows(struct histograms *h, const double *q, struct str label,
                                     struct row_table *table, struct error *err)
{
    struct asked_list asked;
    size_t steps = h->range->steps;
    enum status st = find_asked(h->ev, q, steps, &asked, err);
    for (size_t g = 0; !st && g < h->groups.count; g++) {
        struct row row;
        st = histogram_row_of(h, g, q, NULL, &row, err);
        for (size_t i = 0; !st && i < asked.count; i++)
            st = add_asked_row(h->ev, &row, &asked.items[i], steps, label, table, err);
    }
    return st;
}

static enum status rows_histogram_quantiles(struct eval *ev, const struct ast *call,
                                            const struct eval_range *range, struct rows **out,
                                            struct error *err)
{
    enum { QUANTILES_AT = 2 };
    struct histograms h;
    struct row_table table = {0};
    struct str label = eval_string(call->call.args[1]);
    enum status st = histograms_open(&h, ev, call, call->call.args[0], range, err);
    for (size_t i = QUANTILES_AT; !st && i < call->call.arg_count; i++) {
        double *q;
        st = eval_scalar(ev, call->call.args[i], range, &q, err);
        if (!st) st = warn_quantile(ev, q, range, call->call.args[i], err);
        if (!st) st = add_quantile_rows(&h, q, label, &table, err);
    }
    return st ? st : histogram_finish(&h, &table, label, out, err);
}

const struct function_impl func_histogram_quantile = {.kind = FUNCTION_ROWS,
                                                      .rows = rows_histogram_quantile};
const struct function_impl func_histogram_fraction = {.kind = FUNCTION_ROWS,
                                                      .rows = rows_histogram_fraction};
const struct function_impl func_histogram_quantiles = {.kind = FUNCTION_ROWS,
                                                       .rows = rows_histogram_quantiles};
