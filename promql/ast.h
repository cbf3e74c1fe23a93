/*
 * ast - the tree of a PromQL expression, as the parser makes it and the engine walks it.
 *
 * All nodes and texts live on the arena given to the parser (texts may view the query itself).
 * Positions are byte offsets into the query, [start, end).
 *
 * No path from the root to a leaf is longer than AST_DEPTH_MAX nodes: the parser refuses what is
 * deeper, so that everyone may walk the tree by plain recursion. Left-deep trees count like any
 * other: a + a + a + ... is as deep as it has operators. A walker that keeps its frames under
 * 2 KiB per level stays within 2 MiB of stack.
 *
 * The grammar is Prometheus 3.x: documentation "Querying basics", "Operators", "Functions".
 */
#ifndef HEARTH_PROMQL_AST_H
#define HEARTH_PROMQL_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/matcher.h"

enum { AST_DEPTH_MAX = 1000 };

enum value_type { VALUE_NONE, VALUE_SCALAR, VALUE_STRING, VALUE_VECTOR, VALUE_MATRIX };

enum ast_kind {
    AST_NUMBER,
    AST_STRING,
    AST_VECTOR_SELECTOR,
    AST_MATRIX_SELECTOR, /* a vector selector with a range */
    AST_SUBQUERY,
    AST_CALL,
    AST_AGGREGATE,
    AST_BINARY,
    AST_UNARY,
    AST_PAREN,
    AST_DURATION, /* only under range_expr, step_expr and offset_expr: promql/duration_expr.h */
    AST_STEP_INVARIANT /* put in by the engine's preparation: evaluated once for the whole range */
};

enum ast_op {
    OP_NONE,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_POW,
    OP_ATAN2,
    OP_EQL,
    OP_NEQ,
    OP_GTR,
    OP_LSS,
    OP_GTE,
    OP_LTE,
    OP_AND,
    OP_OR,
    OP_UNLESS,
    OP_TRIM_UPPER, /* </ and >/ cut native histograms */
    OP_TRIM_LOWER
};

enum ast_aggregation {
    AGG_SUM,
    AGG_AVG,
    AGG_COUNT,
    AGG_MIN,
    AGG_MAX,
    AGG_GROUP,
    AGG_STDDEV,
    AGG_STDVAR,
    AGG_TOPK,
    AGG_BOTTOMK,
    AGG_QUANTILE,
    AGG_COUNT_VALUES,
    AGG_LIMITK,
    AGG_LIMIT_RATIO
};

enum duration_op {
    DURATION_ADD,
    DURATION_SUB,
    DURATION_MUL,
    DURATION_DIV,
    DURATION_MOD,
    DURATION_POW,
    DURATION_STEP,  /* step(): the step of the query */
    DURATION_RANGE, /* range(): its end less its start */
    DURATION_MIN_OF,
    DURATION_MAX_OF
};

/* offset and @ of selectors and subqueries.
 *
 * Durations that are not plain literals are kept as expressions (offset_expr here, range_expr and
 * step_expr below), because step() and range() are known only when the query runs: the number
 * beside such an expression is 0 until ast_resolve_durations (promql/duration_expr.h) has run. */
enum at_kind { AT_NONE, AT_TIMESTAMP, AT_START, AT_END };
struct ast_time_shift {
    int64_t offset_ms;
    struct ast *offset_expr; /* NULL when offset_ms was written as a literal */
    enum at_kind at;
    int64_t at_ms; /* for AT_TIMESTAMP */
};

struct ast_position {
    uint32_t start;
    uint32_t end;
};

struct str_array {
    struct str *items;
    size_t count;
};

enum match_cardinality { CARD_ONE_TO_ONE, CARD_MANY_TO_ONE, CARD_ONE_TO_MANY, CARD_MANY_TO_MANY };

struct vector_matching {
    enum match_cardinality cardinality;
    bool on;                  /* on(...) rather than ignoring(...) */
    struct str_array labels;  /* of on or ignoring: sorted, each once */
    struct str_array written; /* the same as written, for printing */
    struct str_array include; /* of group_left or group_right, as written */
    /* fill(v), fill_left(v), fill_right(v): experimental. */
    bool fills_left;
    bool fills_right;
    double fill_left;
    double fill_right;
};

struct function; /* promql/functions.h: one row of the function table */

struct ast {
    enum ast_kind kind;
    enum value_type type; /* set by the parser's type check */
    struct ast_position position;
    uint32_t depth; /* nodes on the longest way down, this one included; <= AST_DEPTH_MAX */
    union {
        struct {
            double value;
            bool is_duration; /* written as 5m (value is in seconds): for printing */
        } number;
        struct str string;
        struct {
            struct str name; /* the metric name as written before the braces; may be empty */
            struct matcher *matchers; /* __name__ included */
            size_t matcher_count;
            struct ast_time_shift shift;
            bool anchored; /* experimental: refused unless enabled */
            bool smoothed;
            bool only_labels; /* the second argument of info() */
        } selector;
        struct {
            struct ast *selector; /* AST_VECTOR_SELECTOR; offset and @ are in there */
            int64_t range_ms;
            struct ast *range_expr; /* NULL when written as a literal */
        } matrix;
        struct {
            struct ast *expr;
            int64_t range_ms;
            int64_t step_ms; /* 0 without step_expr: the default step of the engine */
            struct ast *range_expr;
            struct ast *step_expr;
            struct ast_time_shift shift;
        } subquery;
        struct {
            const struct function *function;
            struct ast **args;
            size_t arg_count;
        } call;
        struct {
            enum ast_aggregation op;
            struct ast *expr;
            struct ast *param;         /* of topk, quantile, count_values, ...; else NULL */
            struct str_array grouping; /* as written */
            bool without;
        } aggregate;
        struct {
            enum ast_op op;
            struct ast *lhs;
            struct ast *rhs;
            bool return_bool;
            struct vector_matching *matching; /* NULL unless both sides are vectors */
        } binary;
        struct {
            enum ast_op op; /* OP_ADD or OP_SUB */
            struct ast *expr;
        } unary;
        struct {
            enum duration_op op;
            struct ast *lhs; /* NULL for a unary sign, step() and range() */
            struct ast *rhs; /* NULL for step() and range() */
            bool wrapped;    /* in parentheses: for printing */
        } duration;
        struct ast *inner; /* AST_PAREN, AST_STEP_INVARIANT */
    };
};

/* The node behind parentheses. */
const struct ast *ast_unwrap_parens(const struct ast *node);

/* Do two trees, whose durations are resolved, ask the same? Parentheses do not count. */
bool ast_equal(const struct ast *a, const struct ast *b);

/* "+", "and", "atan2"; static storage. */
const char *ast_op_text(enum ast_op op);
bool ast_op_is_comparison(enum ast_op op);
bool ast_op_is_set(enum ast_op op);
bool ast_op_is_trim(enum ast_op op);

/* "sum", "count_values"; static storage. */
const char *ast_aggregation_text(enum ast_aggregation op);
/* Does it take a parameter before the vector, as topk does? */
bool ast_aggregation_has_param(enum ast_aggregation op);

#endif
