/*
 * ast - the tree of a PromQL expression, as the parser makes it and the engine walks it.
 *
 * All nodes and texts live on the arena given to the parser (texts may view the query itself).
 * Positions are byte offsets into the query, [start, end).
 *
 * The grammar is Prometheus 3.x: documentation "Querying basics", "Operators", "Functions".
 */
#ifndef HEARTH_PROMQL_AST_H
#define HEARTH_PROMQL_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/matcher.h"

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
    OP_UNLESS
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

/* offset and @ of selectors and subqueries. Offsets may be given by duration expressions; the
 * parser leaves the plain result here when it is constant, and the expression otherwise. */
enum at_kind { AT_NONE, AT_TIMESTAMP, AT_START, AT_END };
struct ast_time_shift {
    int64_t offset_ms;
    struct ast *offset_expr; /* NULL unless it depends on step() or range() */
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
    struct str_array labels;  /* sorted, of on or ignoring */
    struct str_array include; /* of group_left or group_right, as written */
};

struct function; /* promql/functions.h: one row of the function table */

struct ast {
    enum ast_kind kind;
    enum value_type type; /* set by the parser's type check */
    struct ast_position position;
    union {
        struct {
            double value;
            bool is_duration; /* written as 5m: for printing */
        } number;
        struct str string;
        struct {
            struct str name; /* the metric name as written before the braces; may be empty */
            struct matcher *matchers; /* __name__ included */
            size_t matcher_count;
            struct ast_time_shift shift;
            bool anchored; /* experimental: refused by the type check unless enabled */
            bool smoothed;
        } selector;
        struct {
            struct ast *selector; /* AST_VECTOR_SELECTOR; offset and @ are in there */
            int64_t range_ms;
            struct ast *range_expr; /* NULL when constant */
        } matrix;
        struct {
            struct ast *expr;
            int64_t range_ms;
            int64_t step_ms; /* 0: the default step of the engine */
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
        struct ast *inner; /* AST_PAREN, AST_STEP_INVARIANT */
    };
};

#endif
