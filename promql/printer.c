/*
 * printer - the canonical form: one space around operators, matchers sorted, labels quoted only
 * where they must be, modifiers in the order [range] anchored @ offset of Prometheus.
 *
 * Recursion is bounded by AST_DEPTH_MAX.
 */
#include "promql/printer.h"

#include <math.h>
#include <stdlib.h>

#include "alloc/buf.h"
#include "model/duration.h"
#include "model/names.h"
#include "model/number.h"
#include "promql/functions.h"
#include "promql/literal.h"
#include "promql/parser.h"

/* No escape makes a byte longer than four; numbers and the spaces that are put in have room. */
enum { PRINTED_BYTES_MAX = 16 * PARSE_TEXT_BYTES_MAX };

static void print(struct buf *b, const struct ast *node);

static void print_text(struct buf *b, const char *text)
{
    buf_append_str(b, str_from(text));
}

static void print_duration_ms(struct buf *b, int64_t ms)
{
    char text[DURATION_TEXT_BYTES];
    buf_append(b, text, duration_format(text, ms));
}

static void print_number(struct buf *b, const struct ast *node)
{
    char text[NUMBER_TEXT_BYTES];

    if (node->number.is_duration)
        print_duration_ms(b, llround(node->number.value * 1e3));
    else
        buf_append(b, text, number_format_plain(text, node->number.value));
}

static void print_labels(struct buf *b, struct str_array labels)
{
    for (size_t i = 0; i < labels.count; i++) {
        if (i > 0) print_text(b, ", ");
        if (name_is_legacy_label(labels.items[i]))
            buf_append_str(b, labels.items[i]);
        else
            quote_append(b, labels.items[i]);
    }
}

/* ---- Selectors ---- */

static void print_matcher(struct buf *b, const struct matcher *m)
{
    if (name_is_legacy_label(m->name))
        buf_append_str(b, m->name);
    else
        quote_append(b, m->name);
    print_text(b, matcher_symbol(m->type));
    quote_append(b, m->value);
}

struct slice {
    size_t start;
    size_t size;
};

struct slices {
    struct slice *items;
    size_t count;
};

static int compare_slices(const void *a, const void *b, void *bytes)
{
    const struct slice *left = a;
    const struct slice *right = b;
    const char *base = bytes;
    return str_compare((struct str){.data = base + left->start, .size = left->size},
                       (struct str){.data = base + right->start, .size = right->size});
}

/* Is it the matcher of the name before the braces? */
static bool is_own_name(const struct ast *node, const struct matcher *m)
{
    return m->type == MATCH_EQUAL && m->value.size > 0 && str_equal(m->name, LABEL_METRIC_NAME) &&
           str_equal(m->value, node->selector.name);
}

/* Print each matcher into scratch, then copy them in order of their texts. */
static void print_sorted(struct buf *b, struct buf *scratch, struct slices sorted)
{
    qsort_r(sorted.items, sorted.count, sizeof(*sorted.items), compare_slices, scratch->data);
    for (size_t i = 0; i < sorted.count; i++) {
        buf_append_byte(b, i == 0 ? '{' : ',');
        buf_append(b, scratch->data + sorted.items[i].start, sorted.items[i].size);
    }
    if (sorted.count > 0) buf_append_byte(b, '}');
}

static void print_matchers(struct buf *b, const struct ast *node)
{
    size_t count = node->selector.matcher_count;
    struct buf scratch;
    struct slices sorted = {0};

    if (count == 0) return;
    buf_init(&scratch, b->tag, b->ceiling_bytes);
    sorted.items = heap_calloc(count, sizeof(*sorted.items), b->tag);
    for (size_t i = 0; sorted.items && i < count; i++) {
        const struct matcher *m = &node->selector.matchers[i];
        size_t start = scratch.size;
        if (is_own_name(node, m)) continue;
        print_matcher(&scratch, m);
        sorted.items[sorted.count++] = (struct slice){start, scratch.size - start};
    }
    if (!sorted.items || scratch.refused)
        b->refused = ERR_NO_MEMORY;
    else
        print_sorted(b, &scratch, sorted);
    heap_free(sorted.items, count * sizeof(*sorted.items), b->tag);
    buf_release(&scratch);
}

static void print_at(struct buf *b, const struct ast_time_shift *shift)
{
    switch (shift->at) {
    case AT_NONE: return;
    case AT_TIMESTAMP: buf_printf(b, " @ %.3f", (double)shift->at_ms / 1000.0); return;
    case AT_START: print_text(b, " @ start()"); return;
    case AT_END: print_text(b, " @ end()"); return;
    }
}

/* What follows a literal behind offset is no part of it, unless the offset begins with two signs,
 * which are not printed: a sum has to stand in parentheses. */
static bool is_open_sum(const struct ast *offset)
{
    return offset->kind == AST_DURATION && offset->duration.op <= DURATION_POW &&
           offset->duration.lhs && !offset->duration.wrapped;
}

static void print_offset(struct buf *b, const struct ast_time_shift *shift)
{
    if (!shift->offset_expr && shift->offset_ms == 0) return;
    bool open = shift->offset_expr && is_open_sum(shift->offset_expr);
    print_text(b, open ? " offset (" : " offset ");
    if (shift->offset_expr)
        print(b, shift->offset_expr);
    else
        print_duration_ms(b, shift->offset_ms);
    if (open) buf_append_byte(b, ')');
}

static void print_range_modifier(struct buf *b, const struct ast *selector)
{
    if (selector->selector.anchored)
        print_text(b, " anchored");
    else if (selector->selector.smoothed)
        print_text(b, " smoothed");
}

static void print_vector_selector(struct buf *b, const struct ast *node)
{
    buf_append_str(b, node->selector.name);
    print_matchers(b, node);
    print_at(b, &node->selector.shift);
    print_range_modifier(b, node);
    print_offset(b, &node->selector.shift);
}

static void print_span(struct buf *b, int64_t ms, const struct ast *expr)
{
    if (expr)
        print(b, expr);
    else
        print_duration_ms(b, ms);
}

static void print_matrix_selector(struct buf *b, const struct ast *node)
{
    const struct ast *selector = node->matrix.selector;

    buf_append_str(b, selector->selector.name);
    print_matchers(b, selector);
    buf_append_byte(b, '[');
    print_span(b, node->matrix.range_ms, node->matrix.range_expr);
    buf_append_byte(b, ']');
    print_range_modifier(b, selector);
    print_at(b, &selector->selector.shift);
    print_offset(b, &selector->selector.shift);
}

static void print_subquery_times(struct buf *b, const struct ast *node)
{
    buf_append_byte(b, '[');
    print_span(b, node->subquery.range_ms, node->subquery.range_expr);
    buf_append_byte(b, ':');
    if (node->subquery.step_expr || node->subquery.step_ms != 0)
        print_span(b, node->subquery.step_ms, node->subquery.step_expr);
    buf_append_byte(b, ']');
    print_at(b, &node->subquery.shift);
    print_offset(b, &node->subquery.shift);
}

static void print_subquery(struct buf *b, const struct ast *node)
{
    print(b, node->subquery.expr);
    print_subquery_times(b, node);
}

/* ---- Calls and operators ---- */

static void print_call(struct buf *b, const struct ast *node)
{
    print_text(b, node->call.function->name);
    buf_append_byte(b, '(');
    for (size_t i = 0; i < node->call.arg_count; i++) {
        if (i > 0) print_text(b, ", ");
        print(b, node->call.args[i]);
    }
    buf_append_byte(b, ')');
}

static void print_aggregation(struct buf *b, const struct ast *node)
{
    print_text(b, ast_aggregation_text(node->aggregate.op));
    if (node->aggregate.without || node->aggregate.grouping.count > 0) {
        print_text(b, node->aggregate.without ? " without (" : " by (");
        print_labels(b, node->aggregate.grouping);
        print_text(b, ") ");
    }
    buf_append_byte(b, '(');
}

static void print_aggregate(struct buf *b, const struct ast *node)
{
    print_aggregation(b, node);
    if (node->aggregate.param) {
        print(b, node->aggregate.param);
        print_text(b, ", ");
    }
    print(b, node->aggregate.expr);
    buf_append_byte(b, ')');
}

static void print_fill(struct buf *b, const char *word, double value)
{
    char text[NUMBER_TEXT_BYTES];
    size_t size = number_format_general(text, value);
    buf_printf(b, " %s (%.*s)", word, (int)size, text);
}

static void print_fills(struct buf *b, const struct vector_matching *matching)
{
    bool both = matching->fills_left && matching->fills_right;

    if (both && matching->fill_left == matching->fill_right) {
        print_fill(b, "fill", matching->fill_left);
        return;
    }
    if (matching->fills_left) print_fill(b, "fill_left", matching->fill_left);
    if (matching->fills_right) print_fill(b, "fill_right", matching->fill_right);
}

static void print_matching(struct buf *b, const struct vector_matching *matching)
{
    bool many_to_one = matching->cardinality == CARD_MANY_TO_ONE;
    bool one_to_many = matching->cardinality == CARD_ONE_TO_MANY;
    bool grouped = many_to_one || one_to_many;

    if (matching->written.count > 0 || matching->on || grouped) {
        print_text(b, matching->on ? " on (" : " ignoring (");
        print_labels(b, matching->written);
        buf_append_byte(b, ')');
    }
    if (grouped) {
        print_text(b, many_to_one ? " group_left (" : " group_right (");
        print_labels(b, matching->include);
        buf_append_byte(b, ')');
    }
    print_fills(b, matching);
}

static void print_operator(struct buf *b, const struct ast *node)
{
    print_text(b, ast_op_text(node->binary.op));
    if (node->binary.return_bool) print_text(b, " bool");
    if (node->binary.matching) print_matching(b, node->binary.matching);
}

static void print_binary(struct buf *b, const struct ast *node)
{
    print(b, node->binary.lhs);
    buf_append_byte(b, ' ');
    print_operator(b, node);
    buf_append_byte(b, ' ');
    print(b, node->binary.rhs);
}

/* ---- Duration expressions ---- */

static void print_duration_operation(struct buf *b, const struct ast *node)
{
    static const char *const signs[] = {
        [DURATION_ADD] = "+", [DURATION_SUB] = "-", [DURATION_MUL] = "*",
        [DURATION_DIV] = "/", [DURATION_MOD] = "%", [DURATION_POW] = "^",
    };
    const char *sign = signs[node->duration.op];

    if (node->duration.lhs) {
        print(b, node->duration.lhs);
        buf_printf(b, " %s ", sign);
    } else if (node->duration.op == DURATION_SUB) {
        print_text(b, sign);
    }
    print(b, node->duration.rhs);
}

static void print_duration(struct buf *b, const struct ast *node)
{
    if (node->duration.wrapped) buf_append_byte(b, '(');
    switch (node->duration.op) {
    case DURATION_STEP: print_text(b, "step()"); break;
    case DURATION_RANGE: print_text(b, "range()"); break;
    case DURATION_MIN_OF:
    case DURATION_MAX_OF:
        print_text(b, node->duration.op == DURATION_MIN_OF ? "min_of(" : "max_of(");
        print(b, node->duration.lhs);
        print_text(b, ", ");
        print(b, node->duration.rhs);
        buf_append_byte(b, ')');
        break;
    default: print_duration_operation(b, node); break;
    }
    if (node->duration.wrapped) buf_append_byte(b, ')');
}

static void print(struct buf *b, const struct ast *node)
{
    if (b->refused) return; /* who asks whether a node is short does not walk all of it */
    switch (node->kind) {
    case AST_NUMBER: print_number(b, node); break;
    case AST_STRING: quote_append(b, node->string); break;
    case AST_VECTOR_SELECTOR: print_vector_selector(b, node); break;
    case AST_MATRIX_SELECTOR: print_matrix_selector(b, node); break;
    case AST_SUBQUERY: print_subquery(b, node); break;
    case AST_CALL: print_call(b, node); break;
    case AST_AGGREGATE: print_aggregate(b, node); break;
    case AST_BINARY: print_binary(b, node); break;
    case AST_UNARY:
        print_text(b, ast_op_text(node->unary.op));
        print(b, node->unary.expr);
        break;
    case AST_PAREN:
        buf_append_byte(b, '(');
        print(b, node->inner);
        buf_append_byte(b, ')');
        break;
    case AST_DURATION: print_duration(b, node); break;
    case AST_STEP_INVARIANT: print(b, node->inner); break;
    }
}

/* ---- Over several lines ---- */

/* What is printed, and a buffer for a try whether a node is short. */
struct lines {
    struct buf *out;
    struct buf try;
};

static bool is_long(struct lines *l, const struct ast *node)
{
    buf_reset(&l->try);
    print(&l->try, node);
    return l->try.refused;
}

static void put_indent(struct lines *l, int level)
{
    for (int i = 0; i < level; i++)
        print_text(l->out, "  ");
}

/* Put the first line at its level, unless it continues one. Recursion: AST_DEPTH_MAX bounds it. */
static void prettify(struct lines *l, const struct ast *node, int level, bool continues);

/* Behind the parenthesis that opens. */
static void prettify_inside(struct lines *l, const struct ast *const *nodes, size_t count,
                            int level)
{
    for (size_t i = 0; i < count; i++) {
        print_text(l->out, i > 0 ? ",\n" : "\n");
        prettify(l, nodes[i], level + 1, false);
    }
    buf_append_byte(l->out, '\n');
    put_indent(l, level);
    buf_append_byte(l->out, ')');
}

static void prettify_aggregate(struct lines *l, const struct ast *node, int level)
{
    const struct ast *nodes[] = {node->aggregate.param, node->aggregate.expr};
    bool has_param = node->aggregate.param != NULL;
    print_aggregation(l->out, node);
    prettify_inside(l, has_param ? nodes : nodes + 1, has_param ? 2 : 1, level);
}

static void prettify_call(struct lines *l, const struct ast *node, int level)
{
    print_text(l->out, node->call.function->name);
    buf_append_byte(l->out, '(');
    prettify_inside(l, (const struct ast *const *)node->call.args, node->call.arg_count, level);
}

static void prettify_binary(struct lines *l, const struct ast *node, int level, bool continues)
{
    prettify(l, node->binary.lhs, level + 1, continues);
    buf_append_byte(l->out, '\n');
    put_indent(l, level);
    print_operator(l->out, node);
    buf_append_byte(l->out, '\n');
    prettify(l, node->binary.rhs, level + 1, false);
}

static void prettify_long(struct lines *l, const struct ast *node, int level)
{
    const struct ast *inner;
    switch (node->kind) {
    case AST_AGGREGATE: prettify_aggregate(l, node, level); return;
    case AST_CALL: prettify_call(l, node, level); return;
    case AST_PAREN:
        inner = node->inner;
        buf_append_byte(l->out, '(');
        prettify_inside(l, &inner, 1, level);
        return;
    case AST_UNARY:
        print_text(l->out, ast_op_text(node->unary.op));
        prettify(l, node->unary.expr, level, true);
        return;
    default: print(l->out, node); return; /* cannot be split */
    }
}

static void prettify(struct lines *l, const struct ast *node, int level, bool continues)
{
    bool is_subquery = node->kind == AST_SUBQUERY;
    if (l->out->refused) return;
    if (!is_long(l, node)) {
        /* Prometheus does not indent a short subquery. */
        if (!continues && !is_subquery) put_indent(l, level);
        print(l->out, node);
    } else if (node->kind == AST_BINARY) {
        prettify_binary(l, node, level, continues);
    } else if (is_subquery) {
        prettify(l, node->subquery.expr, level, continues);
        print_subquery_times(l->out, node);
    } else {
        if (!continues) put_indent(l, level);
        prettify_long(l, node, level);
    }
}

static enum status take_printed(struct buf *b, struct arena *a, struct str *out, struct error *err)
{
    enum status st = buf_status(b, err);
    if (!st) {
        *out = arena_copy(a, (struct str){.data = (const char *)b->data, .size = b->size});
        if (!out->data) st = arena_error(a, err);
    }
    buf_release(b);
    return st;
}

enum status ast_print(const struct ast *root, struct arena *a, struct str *out, struct error *err)
{
    struct buf b;

    buf_init(&b, HEAP_QUERY, PRINTED_BYTES_MAX);
    print(&b, root);
    return take_printed(&b, a, out, err);
}

enum status ast_prettify(const struct ast *root, size_t line_bytes, struct arena *a,
                         struct str *out, struct error *err)
{
    struct buf b;
    struct lines lines = {.out = &b};

    buf_init(&b, HEAP_QUERY, PRINTED_BYTES_MAX);
    buf_init(&lines.try, HEAP_QUERY, line_bytes);
    prettify(&lines, root, 0, false);
    buf_release(&lines.try);
    return take_printed(&b, a, out, err);
}

const char *value_type_name(enum value_type type)
{
    static const char *const names[] = {[VALUE_NONE] = "none",
                                        [VALUE_SCALAR] = "scalar",
                                        [VALUE_STRING] = "string",
                                        [VALUE_VECTOR] = "vector",
                                        [VALUE_MATRIX] = "matrix"};
    return names[type];
}

const char *value_type_words(enum value_type type)
{
    static const char *const words[] = {[VALUE_NONE] = "none",
                                        [VALUE_SCALAR] = "scalar",
                                        [VALUE_STRING] = "string",
                                        [VALUE_VECTOR] = "instant vector",
                                        [VALUE_MATRIX] = "range vector"};
    return words[type];
}
