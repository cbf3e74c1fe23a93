/*
 * duration - 1h30m and its kin, in milliseconds, as Prometheus reads and writes them.
 *
 * Units y w d h m s ms, each at most once, in that order, whole numbers; "0" is allowed.
 */
#ifndef HEARTH_MODEL_DURATION_H
#define HEARTH_MODEL_DURATION_H

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

enum { DURATION_TEXT_BYTES = 64 };

/* ERR_INVALID: empty, unknown unit, wrong order, or out of range; err has Prometheus' words
 * ("not a valid duration string: \"5x\"", "empty duration string", "duration out of range"). */
MUST_USE enum status duration_parse(struct str text, int64_t *out_ms, struct error *err);

/* "1h30m", "5m", "0s"; at most DURATION_TEXT_BYTES, no NUL; returns the length. Negative: "-5m". */
size_t duration_format(char *out, int64_t ms);

#endif
