/*
 * ast_json - the tree of a query as JSON.
 *
 * A tree may be deeper than the JSON writer counts (JSON_DEPTH_MAX), so brackets are put here, and
 * the writer writes what is between them. Recursion is bounded by AST_DEPTH_MAX.
 */
#include "server/ast_json.h"

#include "model/number.h"
#include "promql/functions.h"
#include "promql/printer.h"
#include "wire/json.h"

static void write_node(struct buf *b, const struct ast *node);

static void put(struct buf *b, const char *text)
{
    buf_append_str(b, str_from(text));
}

/* The first key of an object comes with its bracket: {"expr": */
static void put_string(struct buf *b, const char *before, struct str text)
{
    struct json j;
    put(b, before);
    json_init(&j, b);
    json_string(&j, text);
}

static void put_bool(struct buf *b, const char *before, bool v)
{
    put(b, before);
    put(b, v ? "true" : "false");
}

static void put_ms(struct buf *b, const char *before, int64_t ms)
{
    struct json j;
    put(b, before);
    json_init(&j, b);
    json_int(&j, ms);
}

static void put_node(struct buf *b, const char *before, const struct ast *node)
{
    put(b, before);
    if (node)
        write_node(b, node);
    else
        put(b, "null");
}

static void put_list(struct buf *b, const char *before, struct str_array list)
{
    put(b, before);
    buf_append_byte(b, '[');
    for (size_t i = 0; i < list.count; i++)
        put_string(b, i > 0 ? "," : "", list.items[i]);
    buf_append_byte(b, ']');
}

static void put_number(struct buf *b, const char *before, double v)
{
    char text[NUMBER_TEXT_BYTES];
    put_string(b, before, (struct str){text, number_format_plain(text, v)});
}

static void put_type(struct buf *b, const char *type)
{
    put_string(b, ",\"type\":", str_from(type));
    buf_append_byte(b, '}');
}

/* ---- Selectors ---- */

static void put_start_or_end(struct buf *b, const char *before, const struct ast_time_shift *shift)
{
    put(b, before);
    put(b, shift->at == AT_START ? "\"start\"" : shift->at == AT_END ? "\"end\"" : "null");
}

static void put_timestamp(struct buf *b, const struct ast_time_shift *shift)
{
    if (shift->at == AT_TIMESTAMP)
        put_ms(b, ",\"timestamp\":", shift->at_ms);
    else
        put(b, ",\"timestamp\":null");
}

static void put_shift(struct buf *b, const struct ast_time_shift *shift)
{
    put_ms(b, ",\"offset\":", shift->offset_ms);
    put_node(b, ",\"offsetExpr\":", shift->offset_expr);
}

static void put_matchers(struct buf *b, const struct ast *selector)
{
    put(b, ",\"matchers\":[");
    for (size_t i = 0; i < selector->selector.matcher_count; i++) {
        const struct matcher *m = &selector->selector.matchers[i];
        put_string(b, i > 0 ? ",{\"name\":" : "{\"name\":", m->name);
        put_string(b, ",\"type\":", str_from(matcher_symbol(m->type)));
        put_string(b, ",\"value\":", m->value);
        buf_append_byte(b, '}');
    }
    buf_append_byte(b, ']');
}

/* matrix: the node around the selector, or NULL. */
static void write_selector(struct buf *b, const struct ast *selector, const struct ast *matrix)
{
    put_bool(b, "{\"anchored\":", selector->selector.anchored);
    put_matchers(b, selector);
    put_string(b, ",\"name\":", selector->selector.name);
    put_shift(b, &selector->selector.shift);
    if (matrix) {
        put_ms(b, ",\"range\":", matrix->matrix.range_ms);
        put_node(b, ",\"rangeExpr\":", matrix->matrix.range_expr);
    }
    put_bool(b, ",\"smoothed\":", selector->selector.smoothed);
    put_start_or_end(b, ",\"startOrEnd\":", &selector->selector.shift);
    put_timestamp(b, &selector->selector.shift);
    put_type(b, matrix ? "matrixSelector" : "vectorSelector");
}

static void write_subquery(struct buf *b, const struct ast *node)
{
    put_node(b, "{\"expr\":", node->subquery.expr);
    put_shift(b, &node->subquery.shift);
    put_ms(b, ",\"range\":", node->subquery.range_ms);
    put_node(b, ",\"rangeExpr\":", node->subquery.range_expr);
    put_start_or_end(b, ",\"startOrEnd\":", &node->subquery.shift);
    put_ms(b, ",\"step\":", node->subquery.step_ms);
    put_node(b, ",\"stepExpr\":", node->subquery.step_expr);
    put_timestamp(b, &node->subquery.shift);
    put_type(b, "subquery");
}

/* A literal in the arithmetic of durations says whether it was written as one. */
static void put_operand(struct buf *b, const char *before, const struct ast *node)
{
    if (!node || node->kind != AST_NUMBER) {
        put_node(b, before, node);
        return;
    }
    put(b, before);
    put_bool(b, "{\"duration\":", node->number.is_duration);
    put(b, ",\"type\":\"numberLiteral\"");
    put_number(b, ",\"val\":", node->number.value);
    buf_append_byte(b, '}');
}

static void write_duration(struct buf *b, const struct ast *node)
{
    static const char *const names[] = {
        [DURATION_ADD] = "+",         [DURATION_SUB] = "-",       [DURATION_MUL] = "*",
        [DURATION_DIV] = "/",         [DURATION_MOD] = "%",       [DURATION_POW] = "^",
        [DURATION_STEP] = "step",     [DURATION_RANGE] = "range", [DURATION_MIN_OF] = "min_of",
        [DURATION_MAX_OF] = "max_of",
    };
    put_operand(b, "{\"lhs\":", node->duration.lhs);
    put_string(b, ",\"op\":", str_from(names[node->duration.op]));
    put_operand(b, ",\"rhs\":", node->duration.rhs);
    put(b, ",\"type\":\"durationExpr\"");
    put_bool(b, ",\"wrapped\":", node->duration.wrapped);
    buf_append_byte(b, '}');
}

/* ---- Calls and operators ---- */

static void write_call(struct buf *b, const struct ast *node)
{
    const struct function *function = node->call.function;
    put(b, "{\"args\":[");
    for (size_t i = 0; i < node->call.arg_count; i++)
        put_node(b, i > 0 ? "," : "", node->call.args[i]);
    put(b, "],\"func\":{\"argTypes\":[");
    for (size_t i = 0; i < function->arg_count; i++)
        put_string(b, i > 0 ? "," : "", str_from(value_type_name(function->args[i])));
    put_string(b, "],\"name\":", str_from(function->name));
    put_string(b, ",\"returnType\":", str_from(value_type_name(function->returns)));
    put_ms(b, ",\"variadic\":", function->variadic);
    buf_append_byte(b, '}');
    put_type(b, "call");
}

static void write_aggregate(struct buf *b, const struct ast *node)
{
    put_node(b, "{\"expr\":", node->aggregate.expr);
    put_list(b, ",\"grouping\":", node->aggregate.grouping);
    put_string(b, ",\"op\":", str_from(ast_aggregation_text(node->aggregate.op)));
    put_node(b, ",\"param\":", node->aggregate.param);
    put(b, ",\"type\":\"aggregation\"");
    put_bool(b, ",\"without\":", node->aggregate.without);
    buf_append_byte(b, '}');
}

static void put_fill(struct buf *b, const char *before, bool fills, double value)
{
    struct json j;
    put(b, before);
    json_init(&j, b);
    if (fills)
        json_number(&j, value);
    else
        json_null(&j);
}

static void write_matching(struct buf *b, const struct vector_matching *matching)
{
    static const char *const cards[] = {[CARD_ONE_TO_ONE] = "one-to-one",
                                        [CARD_MANY_TO_ONE] = "many-to-one",
                                        [CARD_ONE_TO_MANY] = "one-to-many",
                                        [CARD_MANY_TO_MANY] = "many-to-many"};
    put_string(b, "{\"card\":", str_from(cards[matching->cardinality]));
    put_fill(b, ",\"fillValues\":{\"lhs\":", matching->fills_left, matching->fill_left);
    put_fill(b, ",\"rhs\":", matching->fills_right, matching->fill_right);
    put_list(b, "},\"include\":", matching->include);
    put_list(b, ",\"labels\":", matching->written);
    put_bool(b, ",\"on\":", matching->on);
    buf_append_byte(b, '}');
}

static void write_binary(struct buf *b, const struct ast *node)
{
    put_bool(b, "{\"bool\":", node->binary.return_bool);
    put_node(b, ",\"lhs\":", node->binary.lhs);
    put(b, ",\"matching\":");
    if (node->binary.matching)
        write_matching(b, node->binary.matching);
    else
        put(b, "null");
    put_string(b, ",\"op\":", str_from(ast_op_text(node->binary.op)));
    put_node(b, ",\"rhs\":", node->binary.rhs);
    put_type(b, "binaryExpr");
}

static void write_node(struct buf *b, const struct ast *node)
{
    if (b->refused) return;
    switch (node->kind) {
    case AST_NUMBER:
        put_number(b, "{\"type\":\"numberLiteral\",\"val\":", node->number.value);
        buf_append_byte(b, '}');
        return;
    case AST_STRING:
        put_string(b, "{\"type\":\"stringLiteral\",\"val\":", node->string);
        buf_append_byte(b, '}');
        return;
    case AST_VECTOR_SELECTOR: write_selector(b, node, NULL); return;
    case AST_MATRIX_SELECTOR: write_selector(b, node->matrix.selector, node); return;
    case AST_SUBQUERY: write_subquery(b, node); return;
    case AST_CALL: write_call(b, node); return;
    case AST_AGGREGATE: write_aggregate(b, node); return;
    case AST_BINARY: write_binary(b, node); return;
    case AST_UNARY:
        put_node(b, "{\"expr\":", node->unary.expr);
        put_string(b, ",\"op\":", str_from(ast_op_text(node->unary.op)));
        put_type(b, "unaryExpr");
        return;
    case AST_PAREN:
    case AST_STEP_INVARIANT:
        put_node(b, "{\"expr\":", node->inner);
        put_type(b, "parenExpr");
        return;
    case AST_DURATION: write_duration(b, node); return;
    }
}

void ast_json_write(struct buf *out, const struct ast *root)
{
    write_node(out, root);
}
