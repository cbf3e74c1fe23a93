/* func_sort - order for instant queries: by value, by labels. A range query's is by labels always.
 */
#include <math.h>
#include <stdlib.h>

#include "promql/func_impl.h"

enum { SORT_WORK = 32 }; /* of a row's place among others, in samples that are looked at */

/* Values first, NaN last either way; equal ones in the order of their labels. */
static int compare_values(const struct row *a, const struct row *b)
{
    double x = a->v[0];
    double y = b->v[0];
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    return (x > y) - (x < y);
}

static int compare_ascending(const void *a, const void *b)
{
    int order = compare_values(a, b);
    return order ? order
                 : labels_compare(((const struct row *)a)->labels, ((const struct row *)b)->labels);
}

static int compare_descending(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;
    bool nan = isnan(x->v[0]) || isnan(y->v[0]);
    int order = nan ? compare_values(x, y) : compare_values(y, x);
    return order ? order : labels_compare(x->labels, y->labels);
}

static enum status warn_sort(struct eval *ev, const struct ast *call,
                             const struct eval_range *range, struct error *err)
{
    if (range->steps == 1) return OK;
    return eval_warn(ev,
                     STR("PromQL warning: sort is ineffective for range queries since results are "
                         "always ordered by labels"),
                     call, err);
}

static enum status sort_with(struct eval *ev, const struct ast *call,
                             const struct eval_range *range,
                             int (*compare)(const void *, const void *), struct rows **out,
                             struct error *err)
{
    struct row_table table = {0};
    enum status st = eval_rows(ev, call->call.args[0], range, out, err);
    if (!st) st = warn_sort(ev, call, range, err);
    if (st || range->steps > 1) return st;
    struct rows *child = *out;
    st = func_collect(call, child, &table, err);
    if (st) return st;
    if (table.count) qsort(table.items, table.count, sizeof(table.items[0]), compare);
    st = eval_tick(ev, table.count * SORT_WORK, err);
    if (st) return st;
    return rows_from_table(ev, &table, 1, child->unnamed_unique, out, err);
}

static enum status rows_sort(struct eval *ev, const struct ast *call,
                             const struct eval_range *range, struct rows **out, struct error *err)
{
    return sort_with(ev, call, range, compare_ascending, out, err);
}

static enum status rows_sort_desc(struct eval *ev, const struct ast *call,
                                  const struct eval_range *range, struct rows **out,
                                  struct error *err)
{
    return sort_with(ev, call, range, compare_descending, out, err);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The next run of digits, or of anything else. */
static struct str take_run(struct str text, size_t *at)
{
    struct str run = {.data = text.data + *at};
    bool digits = is_digit(text.data[*at]);
    while (*at < text.size && is_digit(text.data[*at]) == digits) {
        (*at)++;
        run.size++;
    }
    return run;
}

/* Is a run a number that an int64 holds? Those alone compare as numbers. */
static bool is_number(struct str run)
{
    static const struct str most = {.data = "9223372036854775807", .size = 19};
    while (run.size > 1 && run.data[0] == '0') {
        run.data++;
        run.size--;
    }
    return is_digit(run.data[0]) &&
           (run.size < most.size || (run.size == most.size && str_compare(run, most) <= 0));
}

static int compare_numbers(struct str a, struct str b)
{
    while (a.size && a.data[0] == '0') {
        a.data++;
        a.size--;
    }
    while (b.size && b.data[0] == '0') {
        b.data++;
        b.size--;
    }
    return a.size == b.size ? str_compare(a, b) : a.size < b.size ? -1 : 1;
}

/* Natural order, run by run: "9" comes before "10", "ab" before "ab1" and "abc". */
static int compare_natural(struct str a, struct str b)
{
    size_t i = 0;
    size_t k = 0;
    while (i < a.size && k < b.size) {
        struct str x = take_run(a, &i);
        struct str y = take_run(b, &k);
        int order = is_number(x) && is_number(y) ? compare_numbers(x, y) : str_compare(x, y);
        if (order) return order;
    }
    int order = (i < a.size) - (k < b.size);
    return order ? order : str_compare(a, b);
}

/* A row beside the values it is sorted by. */
struct label_key {
    struct row row;
    const struct str *values;
};

struct label_order {
    struct eval *ev;
    size_t count; /* of values */
    int sign;
    enum status failed; /* the order does not matter any more */
    struct error *err;
};

static int compare_label_keys(const void *a, const void *b, void *order_of_labels)
{
    struct label_order *o = order_of_labels;
    const struct label_key *x = a;
    const struct label_key *y = b;
    int order = 0;
    size_t i = 0;
    if (o->failed) return 0;
    while (i < o->count && order == 0) {
        order = compare_natural(x->values[i], y->values[i]);
        i++;
    }
    if (order == 0) order = labels_compare(x->row.labels, y->row.labels);
    o->failed = eval_tick(o->ev, i + 1, o->err);
    return o->sign * order;
}

static enum status sort_keys(struct eval *ev, const struct ast *call, struct row_table *table,
                             int sign, struct error *err)
{
    size_t names = call->call.arg_count - 1;
    struct label_key *keys = arena_alloc_array(ev->arena, table->count, sizeof(*keys));
    if (!keys) return no_room(ev->arena, err);
    for (size_t i = 0; i < table->count; i++) {
        struct str *values = arena_alloc_array(ev->arena, names, sizeof(*values));
        if (!values) return no_room(ev->arena, err);
        for (size_t k = 0; k < names; k++)
            values[k] = labels_get(table->items[i].labels, eval_string(call->call.args[k + 1]));
        keys[i] = (struct label_key){.row = table->items[i], .values = values};
        enum status st = eval_tick(ev, names, err);
        if (st) return st;
    }
    struct label_order order = {.ev = ev, .count = names, .sign = sign, .err = err};
    qsort_r(keys, table->count, sizeof(*keys), compare_label_keys, &order);
    if (order.failed) return order.failed;
    for (size_t i = 0; i < table->count; i++)
        table->items[i] = keys[i].row;
    return OK;
}

static enum status sort_by_label(struct eval *ev, const struct ast *call,
                                 const struct eval_range *range, int sign, struct rows **out,
                                 struct error *err)
{
    struct row_table table = {0};
    enum status st = eval_rows(ev, call->call.args[0], range, out, err);
    if (!st) st = warn_sort(ev, call, range, err);
    if (st || range->steps > 1) return st;
    struct rows *child = *out;
    st = rows_collect(child, &table, err);
    if (!st && table.count) st = sort_keys(ev, call, &table, sign, err);
    return st ? st : rows_from_table(ev, &table, 1, child->unnamed_unique, out, err);
}

static enum status rows_sort_by_label(struct eval *ev, const struct ast *call,
                                      const struct eval_range *range, struct rows **out,
                                      struct error *err)
{
    return sort_by_label(ev, call, range, 1, out, err);
}

static enum status rows_sort_by_label_desc(struct eval *ev, const struct ast *call,
                                           const struct eval_range *range, struct rows **out,
                                           struct error *err)
{
    return sort_by_label(ev, call, range, -1, out, err);
}

const struct function_impl func_sort = {.kind = FUNCTION_ROWS, .rows = rows_sort};
const struct function_impl func_sort_desc = {.kind = FUNCTION_ROWS, .rows = rows_sort_desc};
const struct function_impl func_sort_by_label = {.kind = FUNCTION_ROWS, .rows = rows_sort_by_label};
const struct function_impl func_sort_by_label_desc = {.kind = FUNCTION_ROWS,
                                                      .rows = rows_sort_by_label_desc};
