/*
 * regex_shape - expressions that need no engine: lists of literals, and of literals with anything
 * before or behind them.
 *
 *     a|b  node-(1|2)  cpu-[0-3]  ^a$      literals: a set to look up
 *     a.*  .*a  .+a.*  (a|b)-.*  .*        parts: prefixes, suffixes, texts contained
 *
 * Most expressions of dashboards are of these forms. Telling them apart lets matching be a few
 * comparisons, and lets an index look literals up instead of trying every value.
 *
 * A literal is a run of characters without meaning in an expression, or escaped punctuation (\.).
 * Groups and classes of letters, digits, _ and - are multiplied out, up to REGEX_SHAPE_PARTS_MAX
 * parts. ^ and $ say nothing at the ends of an expression that matches whole texts. + asks for one
 * character at least where * asks for none.
 *
 * What has a form is a valid expression if it is UTF-8.
 *
 * Threads: immutable once made.
 */
#ifndef HEARTH_MODEL_REGEX_SHAPE_H
#define HEARTH_MODEL_REGEX_SHAPE_H

#include <stdbool.h>

#include "alloc/arena.h"
#include "base/error.h"
#include "base/str.h"

#ifdef __cplusplus
extern "C" {
#endif

/* REGEX_SHAPE_PARTS_MAX: of a product, and of what is tried one by one; literals that are listed
 * may be more. */
enum { REGEX_SHAPE_PARTS_MAX = 256, REGEX_SHAPE_DEPTH_MAX = 16 };

enum regex_form {
    REGEX_OTHER,    /* ask the engine */
    REGEX_LITERALS, /* one of the literals, whole */
    REGEX_AROUND    /* one of the parts: something, the literal, something */
};

/* What may stand before or behind the literal of a part. */
enum regex_rest { REST_NOTHING, REST_ANY, REST_SOME };

struct regex_part {
    struct str literal;
    enum regex_rest before, behind;
};

struct regex_shape {
    enum regex_form form;
    struct regex_part *parts; /* on the arena; literals: sorted and unique */
    size_t count;
    struct str *literals; /* of REGEX_LITERALS: the same, for who looks them up */
    struct arena arena;
};

/* Find the form of a pattern. ERR_NO_MEMORY: nothing to release. */
MUST_USE enum status regex_shape_init(struct regex_shape *shape, struct str pattern,
                                      struct error *err);
void regex_shape_release(struct regex_shape *shape);

/* Whether text matches; the form is not REGEX_OTHER. text is valid UTF-8. */
bool regex_shape_matches(const struct regex_shape *shape, struct str text);

#ifdef __cplusplus
}
#endif

#endif
