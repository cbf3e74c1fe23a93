/*
 * regex_shape - expressions that need no engine: a, a|b|c, a.*, .*a, .*a.*, .*, .+.
 *
 * Most expressions of dashboards are lists of literals and prefixes. Telling them apart lets
 * matching be a comparison, and lets an index look literals up instead of trying every value.
 *
 * A literal is a run of characters without meaning in an expression, or escaped punctuation (\.).
 * One pair of parentheses around the whole is allowed. + asks for one character at least where *
 * asks for none.
 *
 * Threads: immutable once made.
 */
#ifndef HEARTH_MODEL_REGEX_SHAPE_H
#define HEARTH_MODEL_REGEX_SHAPE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"

#ifdef __cplusplus
extern "C" {
#endif

enum regex_form {
    REGEX_OTHER,    /* ask the engine */
    REGEX_LITERALS, /* one of the literals, whole */
    REGEX_AROUND    /* something, the only literal, something */
};

/* What may stand before or behind the literal of REGEX_AROUND. */
enum regex_rest { REST_NOTHING, REST_ANY, REST_SOME };

struct regex_shape {
    enum regex_form form;
    enum regex_rest before, behind;
    struct str *literals; /* sorted and unique; heap; owned by the shape */
    size_t count;
    size_t count_max;
    char *text; /* what the literals view; heap; owned */
    size_t text_bytes;
};

/* Find the form of a valid pattern. ERR_NO_MEMORY: nothing to release. */
MUST_USE enum status regex_shape_init(struct regex_shape *shape, struct str pattern,
                                      struct error *err);
void regex_shape_release(struct regex_shape *shape);

/* Whether text matches; the form is not REGEX_OTHER. text is valid UTF-8. */
bool regex_shape_matches(const struct regex_shape *shape, struct str text);

#ifdef __cplusplus
}
#endif

#endif
