/* func_label - label_replace and label_join: new labels, the same values. */
#include "model/names.h"
#include "model/regex.h"
#include "promql/func_impl.h"

struct label_rows {
    struct rows base;
    struct rows *child;
    struct str destination;
    /* label_replace */
    const struct regex *regex; /* NULL: label_join */
    struct str replacement;
    struct str source;
    /* label_join */
    struct str separator;
    struct str *sources;
    size_t source_count;
};

static enum status replaced(const struct label_rows *l, struct labels set, bool *changed,
                            struct str *out, struct error *err)
{
    return regex_expand(l->regex, labels_get(set, l->source), l->replacement, l->base.ev->arena,
                        changed, out, err);
}

static enum status joined(const struct label_rows *l, struct labels set, struct str *out,
                          struct error *err)
{
    size_t size = 0;
    for (size_t i = 0; i < l->source_count; i++)
        size += labels_get(set, l->sources[i]).size + (i ? l->separator.size : 0);
    char *text = arena_alloc(l->base.ev->arena, size);
    if (!text) return no_room(l->base.ev->arena, err);
    size_t at = 0;
    for (size_t i = 0; i < l->source_count; i++) {
        struct str value = labels_get(set, l->sources[i]);
        if (i && l->separator.size) memcpy(text + at, l->separator.data, l->separator.size);
        if (i) at += l->separator.size;
        if (value.size) memcpy(text + at, value.data, value.size);
        at += value.size;
    }
    *out = (struct str){.data = text, .size = size};
    return OK;
}

static enum status label_next(struct rows *self, struct row **out, struct error *err)
{
    struct label_rows *l = (struct label_rows *)self;
    enum status st = l->child->next(l->child, out, err);
    if (st || !*out) return st;
    struct labels *set = &(*out)->labels;
    struct str value = {0};
    bool changed = true;
    st = l->regex ? replaced(l, *set, &changed, &value, err) : joined(l, *set, &value, err);
    /* A replacement of many references is much work for each row. */
    if (!st) st = eval_tick(self->ev, 1 + l->replacement.size + l->source_count, err);
    if (st || !changed) return st;
    if (str_equal(l->destination, LABEL_METRIC_NAME)) (*out)->drops_name = false;
    return labels_set(*set, l->destination, value, self->ev->arena, set, err);
}

static enum status label_open(struct eval *ev, const struct ast *call,
                              const struct eval_range *range, struct label_rows *l,
                              struct rows **out, struct error *err)
{
    enum status st = eval_rows(ev, call->call.args[0], range, &l->child, err);
    if (st) return st;
    l->base = *l->child;
    l->base.next = label_next;
    l->base.unnamed_unique = false;
    return rows_merge(&l->base, MERGE_DISJOINT, out, err);
}

static enum status check_label_name(struct str name, const char *which, const char *function,
                                    struct error *err)
{
    if (name.size && name_is_utf8(name)) return OK;
    return error_set(err, ERR_CONFLICT, "invalid %s label name in %s(): %.*s", which, function,
                     STR_ARG(name));
}

static enum status rows_label_replace(struct eval *ev, const struct ast *call,
                                      const struct eval_range *range, struct rows **out,
                                      struct error *err)
{
    struct ast *const *args = call->call.args;
    struct str pattern = eval_string(args[4]);
    struct regex *regex;
    struct label_rows *l = arena_calloc(ev->arena, 1, sizeof(*l));
    if (!l) return no_room(ev->arena, err);
    l->destination = eval_string(args[1]);
    l->replacement = eval_string(args[2]);
    l->source = eval_string(args[3]);
    enum status st = regex_create(pattern, &regex, err);
    if (st == ERR_INVALID)
        return error_set(err, ERR_CONFLICT, "invalid regular expression in label_replace(): %.*s",
                         STR_ARG(pattern));
    if (st) return st;
    l->regex = regex;
    st = check_label_name(l->destination, "destination", "label_replace", err);
    /* Merging pulls every row here and now: the regex is not needed later. */
    if (!st) st = label_open(ev, call, range, l, out, err);
    regex_destroy(regex);
    return st;
}

static enum status rows_label_join(struct eval *ev, const struct ast *call,
                                   const struct eval_range *range, struct rows **out,
                                   struct error *err)
{
    enum { SOURCES_AT = 3 };
    struct label_rows *l = arena_calloc(ev->arena, 1, sizeof(*l));
    if (!l) return no_room(ev->arena, err);
    l->destination = eval_string(call->call.args[1]);
    l->separator = eval_string(call->call.args[2]);
    l->source_count = call->call.arg_count - SOURCES_AT;
    l->sources = arena_alloc_array(ev->arena, l->source_count, sizeof(l->sources[0]));
    if (!l->sources) return no_room(ev->arena, err);
    enum status st = OK;
    for (size_t i = 0; i < l->source_count && !st; i++) {
        l->sources[i] = eval_string(call->call.args[SOURCES_AT + i]);
        st = check_label_name(l->sources[i], "source", "label_join", err);
    }
    if (!st) st = check_label_name(l->destination, "destination", "label_join", err);
    return st ? st : label_open(ev, call, range, l, out, err);
}

const struct function_impl func_label_replace = {.kind = FUNCTION_ROWS, .rows = rows_label_replace};
const struct function_impl func_label_join = {.kind = FUNCTION_ROWS, .rows = rows_label_join};
