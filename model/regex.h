/*
 * regex - anchored RE2 expressions, the language of =~ and !~ and of label_replace.
 *
 * The pattern is compiled as ^(?s:pattern)$: it must match the whole text, and . matches newlines
 * (Prometheus 3.x). RE2 runs in linear time; its memory is capped (REGEX_BYTES_MAX) and lives in
 * libc's heap, not ours.
 *
 * Patterns that need no engine (model/regex_shape.h) are matched without it.
 *
 * Threads: a compiled regex may be used by any number of threads.
 */
#ifndef HEARTH_MODEL_REGEX_H
#define HEARTH_MODEL_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "alloc/arena.h"
#include "base/error.h"
#include "base/str.h"

#ifdef __cplusplus
extern "C" {
#endif

struct regex;

enum { REGEX_PATTERN_BYTES_MAX = 65536, REGEX_BYTES_MAX = 8 << 20, REGEX_GROUPS_MAX = 64 };

/* For matching and expanding. ERR_INVALID with RE2's words; ERR_TOO_LARGE; ERR_NO_MEMORY. */
MUST_USE enum status regex_create(struct str pattern, struct regex **out, struct error *err);
/* For matching only: without an engine when the shape says it all, and the pattern must be an
 * expression by itself. The text that regex_create puts around it hides some mistakes, as it does
 * in Prometheus' label_replace: a)(b passes there, but not here. Statuses as regex_create. */
MUST_USE enum status regex_create_matching(struct str pattern, struct regex **out,
                                           struct error *err);
void regex_destroy(struct regex *re);

bool regex_matches(const struct regex *re, struct str text);

/* Of regex_create_matching: the only texts that match, sorted, when the pattern comes down to a
 * list of literals (a|b|c): an index can look them up. NULL for every other pattern. Owned by re.
 */
const struct str *regex_literals(const struct regex *re, size_t *count);

/* Of regex_create: match text and expand the template: $1, ${1}, ${name}, $$, as Go's
 * Regexp.Expand. Absent groups are empty. *matched says whether the text matched; *out (on the
 * arena) is set only then. */
MUST_USE enum status regex_expand(const struct regex *re, struct str text, struct str replacement,
                                  struct arena *a, bool *matched, struct str *out,
                                  struct error *err);

#ifdef __cplusplus
}
#endif

#endif
