/*
 * func_info - info(v, {data labels}): the labels of info series go onto the series they tell of.
 *
 *     up{instance="a", job="j"}  and  target_info{instance="a", job="j", version="2"}
 *     info(up)                    up{instance="a", job="j", version="2"}
 *
 * An info series belongs to the series with the same `instance` and `job`, the identifying labels.
 * Which of several is the newest may change from step to step, and with it the labels of the
 * result: samples are handed from rows of the base to rows of the result one by one.
 *
 * Info series are looked up at the time that @ and offset of the first selector in v say.
 */
#include "base/bits.h"
#include "promql/func_impl.h"
#include "promql/select.h"

#define LABEL_INSTANCE STR("instance")
#define LABEL_JOB      STR("job")

enum { NO_ROW = -1 };

/* The matchers of one call. */
struct info_matchers {
    const struct matcher *data; /* all of the second argument: those of __name__ are not data */
    size_t data_count;
    struct matcher *names; /* of __name__: which series are info series */
    size_t name_count;
    struct matcher synthetic; /* one of names, when the call says too little */
    bool has_synthetic;
};

/* Info series of one metric with the same identifying labels. */
struct info_group {
    struct labels labels; /* of one of them */
    size_t metric;
    int64_t first; /* index into the info rows, then along next */
};

struct info {
    struct eval *ev;
    size_t steps;
    struct info_matchers matchers;
    struct row_table base;
    struct row_table info; /* values: times of the samples, ms */
    int64_t *next;         /* by info row: the next of its group */
    struct info_groups VEC_OF(struct info_group) groups;
    struct info_metrics VEC_OF(struct str) metrics;
    int64_t *of_metric; /* scratch, by metric: the group of the base row; NO_ROW: none */
    int64_t *winners;   /* scratch, by metric: the info row at the present step */
    int64_t *previous;  /* scratch: the winners of the step before */
    struct row_table results;
    struct hash_index result_index;
};

/* --- matchers ------------------------------------------------------------------------------- */

static bool is_name_matcher(const struct matcher *m)
{
    return str_equal(m->name, LABEL_METRIC_NAME);
}

/* Without a name that is asked for, all of .+_info is meant; without any name, target_info. */
static enum status complete_names(struct info_matchers *m, bool has_positive, struct error *err)
{
    if (has_positive) return OK;
    bool has_negative = m->name_count > 0;
    enum status st =
        matcher_init(&m->synthetic, has_negative ? MATCH_REGEX : MATCH_EQUAL, LABEL_METRIC_NAME,
                     has_negative ? STR(".+_info") : STR("target_info"), err);
    if (st) return st;
    m->has_synthetic = true;
    m->names[m->name_count++] = m->synthetic;
    return OK;
}

static enum status read_matchers(struct info_matchers *m, const struct ast *call, struct arena *a,
                                 struct error *err)
{
    bool has_positive = false;
    *m = (struct info_matchers){0};
    if (call->call.arg_count > 1) {
        const struct ast *selector = eval_unwrap(call->call.args[1]);
        m->data = selector->selector.matchers;
        m->data_count = selector->selector.matcher_count;
    }
    m->names = arena_alloc_array(a, m->data_count + 1, sizeof(m->names[0]));
    if (!m->names) return no_room(a, err);
    for (size_t i = 0; i < m->data_count; i++) {
        if (!is_name_matcher(&m->data[i])) continue;
        m->names[m->name_count++] = m->data[i];
        has_positive =
            has_positive || m->data[i].type == MATCH_EQUAL || m->data[i].type == MATCH_REGEX;
    }
    return complete_names(m, has_positive, err);
}

static bool names_info(const struct info_matchers *m, struct str name)
{
    for (size_t i = 0; i < m->name_count; i++)
        if (!matcher_matches(&m->names[i], name)) return false;
    return true;
}

/* Is a label of an info series asked for? Without a list all are. */
static bool is_wanted(const struct info_matchers *m, struct str name)
{
    bool listed = false;
    bool any = false;
    for (size_t i = 0; i < m->data_count; i++) {
        if (is_name_matcher(&m->data[i])) continue;
        any = true;
        listed = listed || str_equal(m->data[i].name, name);
    }
    return listed || !any;
}

/* May a series stay that no info series tells of? */
static bool allows_none(const struct info_matchers *m)
{
    for (size_t i = 0; i < m->data_count; i++)
        if (!is_name_matcher(&m->data[i]) && !matcher_matches_empty(&m->data[i])) return false;
    return true;
}

/* --- selecting info series ------------------------------------------------------------------ */

/* The time shift of the first selector in a tree, those of subqueries around it added until one @
 * settles it. Recursion: AST_DEPTH_MAX. */
static bool find_shift(const struct ast *node, struct ast_time_shift *out)
{
    if (!node) return false;
    switch (node->kind) {
    case AST_VECTOR_SELECTOR: *out = node->selector.shift; return true;
    case AST_MATRIX_SELECTOR: return find_shift(node->matrix.selector, out);
    case AST_SUBQUERY:
        if (!find_shift(node->subquery.expr, out)) return false;
        if (out->at != AT_NONE) return true;
        out->offset_ms = bits_add_clamped(out->offset_ms, node->subquery.shift.offset_ms);
        out->at = node->subquery.shift.at;
        out->at_ms = node->subquery.shift.at_ms;
        return true;
    case AST_CALL:
        for (size_t i = 0; i < node->call.arg_count; i++)
            if (find_shift(node->call.args[i], out)) return true;
        return false;
    case AST_AGGREGATE:
        return find_shift(node->aggregate.expr, out) || find_shift(node->aggregate.param, out);
    case AST_BINARY: return find_shift(node->binary.lhs, out) || find_shift(node->binary.rhs, out);
    case AST_UNARY: return find_shift(node->unary.expr, out);
    case AST_PAREN:
    case AST_STEP_INVARIANT: return find_shift(node->inner, out);
    case AST_NUMBER:
    case AST_STRING:
    case AST_DURATION: return false;
    }
    return false;
}

/* A base row that is an info series itself stays as it is. */
static bool is_ignored(const struct info *f, const struct row *base)
{
    return names_info(&f->matchers, labels_get(base->labels, LABEL_METRIC_NAME));
}

/* The values that a label has in the base. */
struct value_set {
    struct row_table *base;
    struct str label;
    struct hash_index index;
};

static bool has_value(const struct value_set *set, struct str value)
{
    uint64_t hash = labels_hash((struct labels){&(struct label){set->label, value}, 1});
    size_t probe = 0;
    size_t item;
    while ((item = hash_index_next(&set->index, hash, &probe)) != HASH_INDEX_END)
        if (str_equal(labels_get(set->base->items[item].labels, set->label), value)) return true;
    return false;
}

static enum status collect_values(struct info *f, struct str label, struct value_set *out,
                                  struct error *err)
{
    *out = (struct value_set){.base = &f->base, .label = label};
    for (size_t i = 0; i < f->base.count; i++) {
        struct str value = labels_get(f->base.items[i].labels, label);
        if (!value.size || is_ignored(f, &f->base.items[i]) || has_value(out, value)) continue;
        uint64_t hash = labels_hash((struct labels){&(struct label){label, value}, 1});
        enum status st = hash_index_add(&out->index, hash, i, f->ev->arena, err);
        if (st) return st;
    }
    return OK;
}

static bool may_tell(const struct value_set *set, struct labels info)
{
    return !set->index.count || has_value(set, labels_get(info, set->label));
}

/* Collect the rows of info series whose identifying values some base series has. */
static enum status collect_info(struct info *f, const struct ast *selector,
                                const struct eval_range *range, struct error *err)
{
    struct value_set instances;
    struct value_set jobs;
    struct rows *rows;
    size_t kept = 0;
    enum status st = collect_values(f, LABEL_INSTANCE, &instances, err);
    if (!st) st = collect_values(f, LABEL_JOB, &jobs, err);
    if (st || (!instances.index.count && !jobs.index.count)) return st;
    st = select_rows(f->ev, selector, range, SELECT_STAMPS, &rows, err);
    if (!st) st = rows_collect(rows, &f->info, err);
    for (size_t i = 0; !st && i < f->info.count; i++) {
        const struct row *row = &f->info.items[i];
        if (may_tell(&instances, row->labels) && may_tell(&jobs, row->labels))
            f->info.items[kept++] = *row;
        else
            eval_drop(f->ev, bits_count(row->present, f->steps));
    }
    f->info.count = kept;
    return st;
}

static enum status select_info(struct info *f, const struct ast *call,
                               const struct eval_range *range, struct error *err)
{
    const struct info_matchers *m = &f->matchers;
    struct ast selector = {.kind = AST_VECTOR_SELECTOR, .type = VALUE_VECTOR};
    struct matcher *all =
        arena_alloc_array(f->ev->arena, m->name_count + m->data_count, sizeof(*all));
    if (!all) return no_room(f->ev->arena, err);
    selector.selector.matchers = all;
    for (size_t i = 0; i < m->name_count; i++)
        all[selector.selector.matcher_count++] = m->names[i];
    for (size_t i = 0; i < m->data_count; i++)
        if (!is_name_matcher(&m->data[i])) all[selector.selector.matcher_count++] = m->data[i];
    (void)find_shift(call->call.args[0], &selector.selector.shift);
    return collect_info(f, &selector, range, err);
}

/* --- grouping info series ------------------------------------------------------------------- */

static bool is_told_by(struct labels base, struct labels info)
{
    return str_equal(labels_get(base, LABEL_INSTANCE), labels_get(info, LABEL_INSTANCE)) &&
           str_equal(labels_get(base, LABEL_JOB), labels_get(info, LABEL_JOB));
}

static enum status number_metric(struct info *f, struct str name, size_t *out, struct error *err)
{
    for (*out = 0; *out < f->metrics.count; *out += 1)
        if (str_equal(f->metrics.items[*out], name)) return OK;
    struct str *slot = VEC_PUSH(&f->metrics, f->ev->arena);
    if (!slot) return no_room(f->ev->arena, err);
    *slot = name;
    return OK;
}

static uint64_t identity_hash(struct labels set)
{
    const struct str names[] = {LABEL_INSTANCE, LABEL_JOB};
    return labels_hash_with(set, names, 2);
}

static enum status group_info(struct info *f, struct hash_index *index, struct error *err)
{
    struct arena *a = f->ev->arena;
    f->next = arena_alloc_array(a, f->info.count, sizeof(f->next[0]));
    if (!f->next) return no_room(a, err);
    for (size_t i = 0; i < f->info.count; i++) {
        struct labels labels = f->info.items[i].labels;
        uint64_t hash = identity_hash(labels);
        size_t metric;
        size_t probe = 0;
        size_t at;
        enum status st = number_metric(f, labels_get(labels, LABEL_METRIC_NAME), &metric, err);
        while (!st && (at = hash_index_next(index, hash, &probe)) != HASH_INDEX_END)
            if (f->groups.items[at].metric == metric &&
                is_told_by(f->groups.items[at].labels, labels))
                break;
        if (!st && at == HASH_INDEX_END) {
            struct info_group *slot = VEC_PUSH(&f->groups, a);
            if (!slot) return no_room(a, err);
            *slot = (struct info_group){.labels = labels, .metric = metric, .first = NO_ROW};
            at = f->groups.count - 1;
            st = hash_index_add(index, hash, at, a, err);
        }
        if (st) return st;
        f->next[i] = f->groups.items[at].first;
        f->groups.items[at].first = (int64_t)i;
    }
    return OK;
}

static enum status error_duplicate(const struct info *f, int64_t old, int64_t new, size_t step,
                                   struct error *err)
{
    struct arena *a = f->ev->arena;
    const struct row *rows[] = {&f->info.items[old], &f->info.items[new]};
    struct str texts[2];
    for (size_t i = 0; i < 2; i++) {
        enum status st = labels_text(rows[i]->labels, a, &texts[i], err);
        if (st) return st;
    }
    return error_set(
        err, ERR_CONFLICT,
        "found duplicate series for info metric: existing %.*s @ %lld, new %.*s @ %lld",
        STR_ARG(texts[0]), (long long)rows[0]->v[step], STR_ARG(texts[1]),
        (long long)rows[1]->v[step]);
}

/* The newest row of a group at a step; NO_ROW: none. Two of the same age are an error. */
static enum status find_winner(const struct info *f, const struct info_group *group, size_t step,
                               int64_t *out, struct error *err)
{
    int64_t tie = NO_ROW;
    *out = NO_ROW;
    for (int64_t i = group->first; i != NO_ROW; i = f->next[i]) {
        const struct row *row = &f->info.items[i];
        if (!bit_get(row->present, step)) continue;
        double best = *out == NO_ROW ? -(double)INFINITY : f->info.items[*out].v[step];
        if (row->v[step] == best) tie = i;
        if (row->v[step] > best) {
            *out = i;
            tie = NO_ROW;
        }
    }
    return tie == NO_ROW ? OK : error_duplicate(f, tie, *out, step, err);
}

/* Prometheus complains about twins even when no series asks for them. */
static enum status check_twins(const struct info *f, struct error *err)
{
    uint64_t *asked = arena_calloc(f->ev->arena, row_words(f->steps), sizeof(*asked));
    if (!asked) return no_room(f->ev->arena, err);
    for (size_t i = 0; i < f->base.count; i++)
        bits_or(asked, f->base.items[i].present, f->steps);
    for (size_t g = 0; g < f->groups.count; g++) {
        const struct info_group *group = &f->groups.items[g];
        struct bit_walk walk = bit_walk(asked, f->steps);
        size_t step;
        if (f->next[group->first] == NO_ROW) continue;
        while (bit_walk_next(&walk, &step)) {
            int64_t winner;
            enum status st = find_winner(f, group, step, &winner, err);
            if (!st) st = eval_tick(f->ev, 2, err);
            if (st) return st;
        }
    }
    return OK;
}

/* --- combining ------------------------------------------------------------------------------ */

/* The labels of a base row with those of the winners. */
static enum status enrich(const struct info *f, struct labels base, struct labels *out,
                          struct error *err)
{
    struct arena *a = f->ev->arena;
    struct labels added = {0};
    *out = base;
    for (size_t m = 0; m < f->metrics.count; m++) {
        if (f->winners[m] == NO_ROW) continue;
        struct labels info = f->info.items[f->winners[m]].labels;
        for (size_t i = 0; i < info.count; i++) {
            struct label label = info.items[i];
            struct str before = labels_get(added, label.name);
            if (str_equal(label.name, LABEL_METRIC_NAME) || !is_wanted(&f->matchers, label.name))
                continue;
            if (before.size && !str_equal(before, label.value))
                return error_set(err, ERR_CONFLICT, "conflicting label: %.*s", STR_ARG(label.name));
            if (labels_has(base, label.name)) continue;
            enum status st = labels_set(added, label.name, label.value, a, &added, err);
            if (!st) st = labels_set(*out, label.name, label.value, a, out, err);
            if (st) return st;
        }
    }
    return OK;
}

static enum status result_of(struct info *f, const struct row *base, struct labels labels,
                             size_t *out, struct error *err)
{
    uint64_t hash = labels_hash(labels);
    size_t probe = 0;
    while ((*out = hash_index_next(&f->result_index, hash, &probe)) != HASH_INDEX_END)
        if (labels_equal(f->results.items[*out].labels, labels)) return OK;
    struct row *slot = VEC_PUSH(&f->results, f->ev->arena);
    if (!slot) return no_room(f->ev->arena, err);
    enum status st = row_alloc(slot, f->steps, f->ev->arena, err);
    if (st) return st;
    slot->labels = labels;
    slot->drops_name = base->drops_name;
    *out = f->results.count - 1;
    return hash_index_add(&f->result_index, hash, *out, f->ev->arena, err);
}

/* Which groups tell of a base row, by metric. */
static void find_groups(struct info *f, const struct hash_index *index, const struct row *base)
{
    size_t probe = 0;
    size_t at;
    for (size_t m = 0; m < f->metrics.count; m++)
        f->of_metric[m] = NO_ROW;
    if (is_ignored(f, base)) return;
    uint64_t hash = identity_hash(base->labels);
    while ((at = hash_index_next(index, hash, &probe)) != HASH_INDEX_END)
        if (is_told_by(base->labels, f->groups.items[at].labels))
            f->of_metric[f->groups.items[at].metric] = (int64_t)at;
}

static enum status find_winners(struct info *f, size_t step, bool *any, struct error *err)
{
    *any = false;
    for (size_t m = 0; m < f->metrics.count; m++) {
        f->winners[m] = NO_ROW;
        if (f->of_metric[m] == NO_ROW) continue;
        const struct info_group *group = &f->groups.items[f->of_metric[m]];
        enum status st = find_winner(f, group, step, &f->winners[m], err);
        if (st) return st;
        *any = *any || f->winners[m] != NO_ROW;
    }
    return OK;
}

static enum status combine_row(struct info *f, const struct row *base, struct error *err)
{
    bool keeps_lonely = is_ignored(f, base) || allows_none(&f->matchers);
    size_t winners_bytes = f->metrics.count * sizeof(f->winners[0]);
    size_t result = SIZE_MAX; /* of the winners in f->previous */
    struct bit_walk walk = bit_walk(base->present, f->steps);
    size_t step;
    while (bit_walk_next(&walk, &step)) {
        bool any;
        enum status st = find_winners(f, step, &any, err);
        if (st) return st;
        if (!any && !keeps_lonely) continue;
        bool same = result != SIZE_MAX &&
                    (!winners_bytes || memcmp(f->winners, f->previous, winners_bytes) == 0);
        if (!same) {
            struct labels labels;
            st = enrich(f, base->labels, &labels, err);
            if (!st) st = result_of(f, base, labels, &result, err);
            if (st) return st;
            if (winners_bytes) memcpy(f->previous, f->winners, winners_bytes);
        }
        struct row *out = &f->results.items[result];
        if (bit_get(out->present, step)) return error_same_labelset(err);
        out->v[step] = base->v[step];
        bit_set(out->present, step);
    }
    return eval_tick(f->ev, f->steps * (1 + f->metrics.count), err);
}

static enum status combine(struct info *f, const struct hash_index *index, struct error *err)
{
    struct arena *a = f->ev->arena;
    size_t count = f->metrics.count + 1;
    f->of_metric = arena_alloc_array(a, count, sizeof(f->of_metric[0]));
    f->winners = arena_alloc_array(a, count, sizeof(f->winners[0]));
    f->previous = arena_alloc_array(a, count, sizeof(f->previous[0]));
    if (!f->of_metric || !f->winners || !f->previous) return no_room(a, err);
    enum status st = check_twins(f, err);
    for (size_t i = 0; !st && i < f->base.count; i++) {
        find_groups(f, index, &f->base.items[i]);
        st = combine_row(f, &f->base.items[i], err);
    }
    eval_drop(f->ev, row_table_samples(&f->base, f->steps) + row_table_samples(&f->info, f->steps));
    return st ? st : eval_hold(f->ev, row_table_samples(&f->results, f->steps), err);
}

static enum status rows_info(struct eval *ev, const struct ast *call,
                             const struct eval_range *range, struct rows **out, struct error *err)
{
    struct info f = {.ev = ev, .steps = range->steps};
    struct hash_index index = {0};
    struct rows *child;
    enum status st = eval_rows(ev, call->call.args[0], range, &child, err);
    if (!st) st = rows_collect(child, &f.base, err);
    if (!st) st = read_matchers(&f.matchers, call, ev->arena, err);
    if (!st) st = select_info(&f, call, range, err);
    if (!st) st = group_info(&f, &index, err);
    if (!st) st = combine(&f, &index, err);
    if (f.matchers.has_synthetic) matcher_release(&f.matchers.synthetic);
    return st ? st : rows_from_table(ev, &f.results, range->steps, false, out, err);
}

const struct function_impl func_info = {.kind = FUNCTION_ROWS, .rows = rows_info};
