/*
 * form - parameters from URL query strings and application/x-www-form-urlencoded bodies.
 *
 *     match%5B%5D=up&start=1&match[]=a+b   ->   match[] = "up", start = "1", match[] = "a b"
 *
 * Parameters keep their order and may repeat. Parsed texts add up: parse the body first, then the
 * URL, and the body's values come first, as in Go's Request.Form. Names and values without escapes
 * view the text; the others are on the arena.
 *
 * Threads: one at a time while parsing; a value afterwards.
 */
#ifndef HEARTH_WIRE_FORM_H
#define HEARTH_WIRE_FORM_H

#include <stdbool.h>

#include "alloc/arena.h"
#include "alloc/vec.h"
#include "base/error.h"
#include "base/str.h"

enum { FORM_PARAMETERS_MAX = 10000 };

struct form_parameter {
    struct str name;
    struct str value;
};

/* Starts as {0}. */
struct form VEC_OF(struct form_parameter);

/* Add the parameters of text, without the leading "?".
 *
 * ERR_INVALID     a bad escape: invalid URL escape "%zz"; a raw semicolon
 * ERR_TOO_LARGE   more than FORM_PARAMETERS_MAX, or the arena
 * ERR_NO_MEMORY
 */
MUST_USE enum status form_parse(struct form *form, struct str text, struct arena *a,
                                struct error *err);

/* The first value of name; empty when there is none (form_has tells them apart). */
struct str form_get(const struct form *form, struct str name);
bool form_has(const struct form *form, struct str name);
/* All values of name in order, on the arena. */
MUST_USE enum status form_get_all(const struct form *form, struct str name, struct arena *a,
                                  struct str **out, size_t *count, struct error *err);

/* Percent-decode one text; + is a space when plus_is_space (forms: yes, paths: no). */
MUST_USE enum status form_unescape(struct str text, bool plus_is_space, struct arena *a,
                                   struct str *out, struct error *err);

#endif
