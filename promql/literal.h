/*
 * literal - the values behind number and string literals, and text back into quotes.
 *
 * Numbers follow Go's ParseInt(text, 0, 64) and then ParseFloat, strings Go's escapes: that is what
 * Prometheus does. So 0755 is octal, 0x1F hexadecimal, and 1_000 a thousand.
 */
#ifndef HEARTH_PROMQL_LITERAL_H
#define HEARTH_PROMQL_LITERAL_H

#include "alloc/arena.h"
#include "alloc/buf.h"

/* ERR_INVALID with Prometheus' words, without a position; arena errors. */
MUST_USE enum status literal_number(struct str text, struct arena *a, double *out,
                                    struct error *err);

/* The inside of a quoted literal ("...", '...' or `...`) that the lexer has passed; views it when
 * there is nothing to unescape. Arena errors only. */
MUST_USE enum status literal_string(struct str quoted, struct arena *a, struct str *out,
                                    struct error *err);

enum { QUOTED_CHARACTER_BYTES = 16, QUOTED_TEXT_BYTES = 256 };

/* Write the first character of a text (not empty) as it stands between the given quotes, escaped as
 * Go's strconv.Quote does; returns how many bytes of text it took. */
size_t quote_character(struct str text, char quote, char out[QUOTED_CHARACTER_BYTES],
                       size_t *out_size);

/* The whole text in double quotes. */
void quote_append(struct buf *b, struct str text);

/* The same for messages: cut to fit, NUL-terminated. Returns out. */
const char *quote_text(struct str text, char out[QUOTED_TEXT_BYTES]);

#endif
