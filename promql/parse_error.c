/* parse_error - line and column are counted only now: errors are rare. */
#include "promql/parse_error.h"

#include <stdarg.h>
#include <stdio.h>

#include "promql/ast.h"

struct place {
    size_t line;
    size_t column;
};

static struct place find_place(struct str query, size_t position)
{
    struct place place = {.line = 1, .column = position + 1};
    for (size_t i = 0; i < position && i < query.size; i++) {
        if (query.data[i] != '\n') continue;
        place.line++;
        place.column = position - i;
    }
    return place;
}

enum status parse_error(struct error *err, struct str query, size_t position, const char *format,
                        ...)
{
    char words[ERROR_TEXT_BYTES];
    struct place place = find_place(query, position);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    if (query.size == 0)
        return error_set(err, ERR_INVALID, "unknown position: parse error: %s", words);
    return error_set(err, ERR_INVALID, "%zu:%zu: parse error: %s", place.line, place.column, words);
}

enum status parse_error_too_deep(struct error *err, struct str query, size_t position)
{
    struct place place = find_place(query, position);
    return error_set(err, ERR_INVALID,
                     "%zu:%zu: parse error: expression is nested more than %d levels deep "
                     "(a chain of binary operators counts one level each)",
                     place.line, place.column, AST_DEPTH_MAX);
}
