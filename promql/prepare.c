/* prepare - query constants, @ and step invariance. */
#include "promql/prepare.h"

#include "promql/eval.h"
#include "promql/func_impl.h"
#include "promql/functions.h"

struct preparation {
    const struct prepare_times *times;
    struct arena *arena;
};

/* What a subtree is: the same at every step; and, if so, worth a mark of its own (a literal is not,
 * nor is a range vector, which its function reads directly). */
struct invariance {
    bool invariant;
    bool wrap;
};

static bool is_call_of(const struct ast *node, const char *name)
{
    return node->kind == AST_CALL && str_equal(str_from(node->call.function->name), str_from(name));
}

/* The value of start(), end(), range() or step(), in seconds. */
static bool query_constant(const struct preparation *p, const struct ast *node, double *out)
{
    const struct prepare_times *t = p->times;
    if (is_call_of(node, "start"))
        *out = (double)t->start_ms / 1000;
    else if (is_call_of(node, "end"))
        *out = (double)t->end_ms / 1000;
    else if (is_call_of(node, "range"))
        *out = (double)(t->end_ms - t->start_ms) / 1000;
    else if (is_call_of(node, "step"))
        *out = t->start_ms == t->end_ms ? 0 : (double)t->step_ms / 1000;
    else
        return false;
    return true;
}

static void prepare_shift(const struct preparation *p, struct ast_time_shift *shift)
{
    if (shift->at == AT_START) shift->at_ms = p->times->start_ms;
    if (shift->at == AT_END) shift->at_ms = p->times->end_ms;
    if (shift->at != AT_NONE) shift->at = AT_TIMESTAMP;
}

static enum status wrap(const struct preparation *p, struct ast **slot, struct error *err)
{
    struct ast *mark = arena_calloc(p->arena, 1, sizeof(*mark));
    if (!mark) return no_room(p->arena, err);
    mark->kind = AST_STEP_INVARIANT;
    mark->type = (*slot)->type;
    mark->position = (*slot)->position;
    mark->inner = *slot;
    *slot = mark;
    return OK;
}

/* Recursion: AST_DEPTH_MAX bounds it. */
static enum status prepare_node(const struct preparation *p, struct ast **slot,
                                struct invariance *out, struct error *err);

static void prepare_selector(const struct preparation *p, struct ast *node, struct invariance *out)
{
    bool fixed = node->selector.shift.at != AT_NONE;
    *out = (struct invariance){.invariant = fixed, .wrap = fixed};
    prepare_shift(p, &node->selector.shift);
}

/* The inside of a subquery is marked on its own: it is evaluated over the subquery's steps. */
static enum status prepare_subquery(const struct preparation *p, struct ast *node,
                                    struct invariance *out, struct error *err)
{
    struct invariance inner = {0};
    enum status st = prepare_node(p, &node->subquery.expr, &inner, err);
    if (!st && inner.invariant && inner.wrap) st = wrap(p, &node->subquery.expr, err);
    *out = (struct invariance){.invariant = node->subquery.shift.at != AT_NONE};
    prepare_shift(p, &node->subquery.shift);
    return st;
}

/* Parentheses around an argument go, as in Prometheus: remarks name the place of what is inside. */
static void unwrap(struct ast **slot)
{
    while ((*slot)->kind == AST_PAREN)
        *slot = (*slot)->inner;
}

/* All of several children, or each marked on its own. */
static enum status prepare_children(const struct preparation *p, struct ast **slots[], size_t count,
                                    bool *all, struct error *err)
{
    struct invariance found[2] = {0};
    *all = true;
    for (size_t i = 0; i < count; i++) {
        enum status st = prepare_node(p, slots[i], &found[i], err);
        if (st) return st;
        *all = *all && found[i].invariant;
    }
    for (size_t i = 0; i < count && !*all; i++) {
        enum status st = found[i].invariant && found[i].wrap ? wrap(p, slots[i], err) : OK;
        if (st) return st;
    }
    return OK;
}

/* timestamp(metric @ 1) is the same at every step, timestamp(abs(metric @ 1)) is not. */
static bool is_safe_timestamp(const struct ast *node)
{
    return is_call_of(node, "timestamp") &&
           ast_unwrap_parens(node->call.args[0])->kind == AST_VECTOR_SELECTOR;
}

static enum status prepare_call(const struct preparation *p, struct ast *node,
                                struct invariance *out, struct error *err)
{
    double constant;
    if (query_constant(p, node, &constant)) {
        node->kind = AST_NUMBER;
        node->number.value = constant;
        node->number.is_duration = false;
        *out = (struct invariance){.invariant = true};
        return OK;
    }
    size_t count = node->call.arg_count;
    struct invariance *args = arena_calloc(p->arena, count + 1, sizeof(*args));
    if (!args) return no_room(p->arena, err);
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        unwrap(&node->call.args[i]);
        enum status st = prepare_node(p, &node->call.args[i], &args[i], err);
        if (st) return st;
        all = all && args[i].invariant;
    }
    const struct function_impl *impl = node->call.function->impl;
    bool same = all && impl && (!impl->uses_time || is_safe_timestamp(node));
    *out = (struct invariance){.invariant = same, .wrap = same};
    for (size_t i = 0; i < count && !same; i++) {
        enum status st = args[i].invariant && args[i].wrap ? wrap(p, &node->call.args[i], err) : OK;
        if (st) return st;
    }
    return OK;
}

static enum status prepare_node(const struct preparation *p, struct ast **slot,
                                struct invariance *out, struct error *err)
{
    struct ast *node = *slot;
    bool all = false;
    enum status st = OK;
    switch (node->kind) {
    case AST_NUMBER:
    case AST_STRING: *out = (struct invariance){.invariant = true}; return OK;
    case AST_VECTOR_SELECTOR: prepare_selector(p, node, out); return OK;
    case AST_MATRIX_SELECTOR:
        prepare_selector(p, node->matrix.selector, out);
        out->wrap = false;
        return OK;
    case AST_SUBQUERY: return prepare_subquery(p, node, out, err);
    case AST_CALL: return prepare_call(p, node, out, err);
    case AST_AGGREGATE: {
        struct ast **slots[] = {&node->aggregate.expr, &node->aggregate.param};
        unwrap(&node->aggregate.expr);
        if (node->aggregate.param) unwrap(&node->aggregate.param);
        st = prepare_children(p, slots, node->aggregate.param ? 2 : 1, &all, err);
        break;
    }
    case AST_BINARY: {
        struct ast **slots[] = {&node->binary.lhs, &node->binary.rhs};
        st = prepare_children(p, slots, 2, &all, err);
        break;
    }
    case AST_UNARY: return prepare_node(p, &node->unary.expr, out, err);
    case AST_PAREN: return prepare_node(p, &node->inner, out, err);
    case AST_DURATION:
    case AST_STEP_INVARIANT: break; /* resolved, and a tree is prepared once */
    }
    *out = (struct invariance){.invariant = all, .wrap = all};
    return st;
}

enum status prepare_tree(struct ast **root, const struct prepare_times *times, struct arena *a,
                         struct error *err)
{
    struct preparation p = {.times = times, .arena = a};
    struct invariance whole = {0};
    enum status st = prepare_node(&p, root, &whole, err);
    if (!st && whole.invariant && whole.wrap) st = wrap(&p, root, err);
    return st;
}
