/* links: promql */
/*
 * fuzz_promql - any text parses or is refused, and what parses can be printed and read back.
 *
 * The first byte switches the feature flags, the rest is the query.
 */
#include <string.h>

#include "base/assert.h"
#include "promql/duration_expr.h"
#include "promql/parser.h"
#include "promql/printer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str print(const struct ast *tree, struct arena *a)
{
    struct str printed;
    ASSERT(ast_print(tree, a, &printed, NULL) == OK);
    return printed;
}

/* Prometheus, too, prints a range below a millisecond as 0s, which no parser takes; and what is
 * printed may be longer and deeper than what was read. */
static bool is_known_loss(const struct error *err)
{
    return strstr(err->text, "duration must be greater than 0") || strstr(err->text, "more than ");
}

/* What a printed form is printed as when it is read again; NULL: it is not read. */
static struct str print_again(struct str printed, enum value_type type,
                              const struct parse_options *options, struct arena *a)
{
    struct error err;
    struct ast *tree;
    struct str again;
    enum status st = parse_expr(printed, options, a, &tree, &err);

    if (st) {
        ASSERT(st == ERR_TOO_LARGE || is_known_loss(&err));
        return STR("");
    }
    ASSERT(tree->type == type);
    again = print(tree, a);
    ast_release(tree);
    return again;
}

static void read_back(const struct ast *tree, const struct parse_options *options, struct arena *a)
{
    struct str pretty;
    struct str again = print_again(print(tree, a), tree->type, options, a);
    enum status st = ast_prettify(tree, 10, a, &pretty, NULL);

    ASSERT(st == OK || st == ERR_TOO_LARGE); /* by the indentation */
    if (st || !again.size) return;
    pretty = print_again(pretty, tree->type, options, a);
    ASSERT(!pretty.size || str_equal(pretty, again));
}

static void parse_as_expression(struct str text, uint8_t flags, struct arena *a)
{
    const struct parse_options options = {
        .experimental_functions = flags & 1,
        .extended_range_selectors = flags & 2,
        .fill_modifiers = flags & 4,
    };
    const struct duration_context context = {.step_ms = 15000, .range_ms = 3600000};
    struct error err;
    struct ast *tree;
    enum status st = parse_expr(text, &options, a, &tree, &err);

    if (st) {
        ASSERT(st == ERR_INVALID || st == ERR_TOO_LARGE);
        ASSERT(err.text[0] != '\0');
        return;
    }
    ASSERT(tree->depth <= AST_DEPTH_MAX && tree->position.end <= text.size);
    read_back(tree, &options, a);
    (void)!ast_resolve_durations(tree, context, &err);
    ast_release(tree);
}

static void parse_as_selector(struct str text, struct arena *a)
{
    struct error err;
    struct matcher *matchers;
    size_t count;

    if (parse_selector(text, a, &matchers, &count, &err)) return;
    for (size_t i = 0; i < count; i++)
        matcher_release(&matchers[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct str text;

    if (size == 0) return 0;
    text = (struct str){.data = (const char *)data + 1, .size = size - 1};
    arena_init(&a, HEAP_QUERY, 64 << 20);
    parse_as_expression(text, data[0], &a);
    parse_as_selector(text, &a);
    arena_release(&a);
    return 0;
}
