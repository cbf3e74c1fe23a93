/*
 * parse_expr - the parser as a filter, for tests written in other languages.
 *
 * stdin: queries, each as "<flags> <bytes>\n" and so many bytes; flags are letters, or - for none:
 * e experimental functions, r extended range selectors, f fill modifiers, s a match[] selector, p
 * to split the printed form into lines of ten bytes. stdout: one line per query: "ok <printed
 * form>" or "error <words>"; newlines are written as \n.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "promql/parser.h"
#include "promql/printer.h"

enum { QUERY_BYTES_MAX = PARSE_TEXT_BYTES_MAX + 1, LINE_BYTES = 10 };

static char query[QUERY_BYTES_MAX];

static void write_line(const char *word, struct str text)
{
    printf("%s ", word);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\n')
            fputs("\\n", stdout);
        else
            putchar(text.data[i]);
    }
    putchar('\n');
}

static enum status parse_and_print(struct str text, const char *flags, struct arena *a,
                                   struct str *printed, struct error *err)
{
    struct parse_options options = {
        .experimental_functions = strchr(flags, 'e') != NULL,
        .extended_range_selectors = strchr(flags, 'r') != NULL,
        .fill_modifiers = strchr(flags, 'f') != NULL,
    };
    struct ast *tree;
    enum status st = parse_expr(text, &options, a, &tree, err);

    if (st) return st;
    st = strchr(flags, 'p') ? ast_prettify(tree, LINE_BYTES, a, printed, err)
                            : ast_print(tree, a, printed, err);
    ast_release(tree);
    return st;
}

static enum status parse_as_selector(struct str text, struct arena *a, struct error *err)
{
    struct matcher *matchers;
    size_t count;
    enum status st = parse_selector(text, a, &matchers, &count, err);

    for (size_t i = 0; !st && i < count; i++)
        matcher_release(&matchers[i]);
    return st;
}

static void answer(struct str text, const char *flags)
{
    struct error err = {0};
    struct arena a;
    struct str printed = STR("");
    enum status st;

    arena_init(&a, HEAP_QUERY, 64 << 20);
    if (strchr(flags, 's'))
        st = parse_as_selector(text, &a, &err);
    else
        st = parse_and_print(text, flags, &a, &printed, &err);
    write_line(st ? "error" : "ok", st ? str_from(err.text) : printed);
    arena_release(&a);
}

int main(void)
{
    char head[64];

    while (fgets(head, sizeof(head), stdin)) {
        char *space = strchr(head, ' ');
        if (!space) return 2;
        *space = '\0';
        size_t size = strtoul(space + 1, NULL, 10);
        if (size >= sizeof(query) || fread(query, 1, size, stdin) != size) return 2;
        answer((struct str){.data = query, .size = size}, head);
    }
    return 0;
}
