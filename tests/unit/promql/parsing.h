/*
 * parsing - what the tests of the parser share: an arena, one parse, and the cases of
 * tests/data/promql/parser_cases.txt.
 */
#ifndef HEARTH_TESTS_UNIT_PROMQL_PARSING_H
#define HEARTH_TESTS_UNIT_PROMQL_PARSING_H

#include <stdio.h>

#include "promql/parser.h"
#include "promql/printer.h"
#include "tests/unit/suite.h"

struct parsed {
    struct arena arena;
    struct ast *tree; /* NULL after an error */
    enum status status;
    struct error error;
};

static inline void parsed_init(struct parsed *p, struct str query)
{
    const struct parse_options options = {.experimental_functions = false};

    *p = (struct parsed){.tree = NULL};
    arena_init(&p->arena, HEAP_QUERY, 64 << 20);
    p->status = parse_expr(query, &options, &p->arena, &p->tree, &p->error);
    if (p->status) p->tree = NULL;
}

static inline void parsed_release(struct parsed *p)
{
    ast_release(p->tree);
    arena_release(&p->arena);
}

/* Fails the test when the query does not parse. */
static inline void parsed_init_ok(struct parsed *p, const char *query)
{
    parsed_init(p, str_from(query));
    ck_assert_msg(p->status == OK, "%s: %s", query, p->error.text);
}

static inline void assert_error(const char *query, const char *words)
{
    struct parsed p;
    parsed_init(&p, str_from(query));
    ck_assert_msg(p.status == ERR_INVALID, "%s: parses", query);
    ck_assert_str_eq(p.error.text, words);
    parsed_release(&p);
}

/* ---- The file of cases ---- */

enum { CASE_BYTES_MAX = 4096 };

struct cases {
    FILE *file;
    char query[CASE_BYTES_MAX];
    bool ok;
    char expected[CASE_BYTES_MAX]; /* the canonical form, or the error */
};

static inline void cases_open(struct cases *c, const char *path)
{
    c->file = fopen(path, "r");
    ck_assert_msg(c->file != NULL, "cannot open %s", path);
}

static inline bool cases_line(struct cases *c, char line[CASE_BYTES_MAX])
{
    if (!fgets(line, CASE_BYTES_MAX, c->file)) return false;
    line[strcspn(line, "\n")] = '\0';
    return true;
}

/* The sign U+23CE stands for a newline. */
static inline void cases_put_newlines(char *text)
{
    const char sign[] = "\xE2\x8F\x8E";
    for (char *at = strstr(text, sign); at; at = strstr(at, sign)) {
        *at = '\n';
        memmove(at + 1, at + 3, strlen(at + 3) + 1);
    }
}

static inline bool cases_next(struct cases *c)
{
    char line[CASE_BYTES_MAX];

    do {
        if (!cases_line(c, line)) {
            (void)fclose(c->file);
            return false;
        }
    } while (line[0] == '\0' || line[0] == '#');
    memcpy(c->query, line, sizeof(line));
    cases_put_newlines(c->query);
    ck_assert_msg(cases_line(c, line) && (line[0] == '=' || line[0] == '!') && line[1] == ' ',
                  "no result behind: %s", c->query);
    c->ok = line[0] == '=';
    memcpy(c->expected, line + 2, strlen(line + 2) + 1);
    return true;
}

#endif
