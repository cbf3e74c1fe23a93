/*
 * parser - text to a typed tree.
 *
 * A hand-written lexer feeds a Pratt parser (Pratt, "Top down operator precedence", POPL 1973); the
 * type check runs on the finished tree. Errors carry a position in Prometheus' form:
 *
 *     1:5: parse error: unexpected end of input
 *
 * Depth is bounded: neither the parser's own recursion nor the tree goes deeper than AST_DEPTH_MAX,
 * so that no input can exhaust the stack of the parser or of anyone who walks the tree.
 *
 * Threads: no state.
 */
#ifndef HEARTH_PROMQL_PARSER_H
#define HEARTH_PROMQL_PARSER_H

#include "alloc/arena.h"
#include "promql/ast.h"

/* Bounds that Prometheus has not: what a query may cost before anything is evaluated. */
enum {
    PARSE_TEXT_BYTES_MAX = 1 << 20,
    PARSE_MATCHERS_MAX = 1000,
    PARSE_NAMES_MAX = 1000 /* in one list of labels */
};

/* What is off unless asked for, as behind Prometheus' feature flags. */
struct parse_options {
    bool experimental_functions;
    bool extended_range_selectors; /* anchored, smoothed */
    bool fill_modifiers;           /* fill, fill_left, fill_right */
};

/* The tree lives on the arena. Regexes of its matchers live in libc's heap: release the tree with
 * ast_release when done (also after an error of the engine).
 *
 * ERR_INVALID    with position and words, also when text or depth is too much; nothing to release
 * ERR_TOO_LARGE  the arena;  ERR_NO_MEMORY */
MUST_USE enum status parse_expr(struct str text, const struct parse_options *options,
                                struct arena *a, struct ast **out, struct error *err);
void ast_release(struct ast *root);

/* A series selector as match[] takes it: no offset, no @, no range. At least one matcher must not
 * match the empty string. Release each matcher with matcher_release. */
MUST_USE enum status parse_selector(struct str text, struct arena *a, struct matcher **matchers,
                                    size_t *count, struct error *err);

#endif
