/*
 * api_time - times and durations as parameters of the HTTP API.
 *
 * A time is seconds as a decimal number (rounded to milliseconds), or RFC 3339 with any number of
 * decimals (cut to milliseconds), or one of the two texts by which Go clients write the ends of
 * time. A duration is seconds or a Prometheus duration such as 1h30m.
 */
#ifndef HEARTH_WIRE_API_TIME_H
#define HEARTH_WIRE_API_TIME_H

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

/* -292273086-05-16T16:47:06Z and 292277025-08-18T07:12:54.999999999Z; numbers beyond are moved to
 * them, so that sums of a time and a duration of some years do not overflow. */
#define API_TIME_MIN_MS INT64_C(-9223309901257974000)
#define API_TIME_MAX_MS INT64_C(9223309901257974999)

/* ERR_INVALID: cannot parse "x" to a valid timestamp. */
MUST_USE enum status api_time_parse(struct str text, int64_t *out_t_ms, struct error *err);

/* Cut to whole milliseconds; may be negative or zero.
 * ERR_INVALID: cannot parse "x" to a valid duration, with " It overflows int64" beyond 292 years.
 */
MUST_USE enum status api_duration_parse(struct str text, int64_t *out_ms, struct error *err);

#endif
