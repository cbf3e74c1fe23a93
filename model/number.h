/*
 * number - doubles as text and back, byte for byte as Prometheus (Go) writes them.
 *
 * The one door to double-conversion (shortest digits that read back to the same bits).
 */
#ifndef HEARTH_MODEL_NUMBER_H
#define HEARTH_MODEL_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { NUMBER_TEXT_BYTES = 352 }; /* -1.7976931348623157e308 in full 'f' form fits */

/* Each writes at most NUMBER_TEXT_BYTES, no NUL, and returns the length. */

/* Go's FormatFloat(v, 'f', -1, 64): never an exponent. NaN, +Inf, -Inf. */
size_t number_format_plain(char *out, double v);
/* As Prometheus' JSON sample values: 'f', but 'e' form below 1e-6 and from 1e21 (as encoding/json:
 * 1e-7, 1e+21). */
size_t number_format_json(char *out, double v);
/* Go's 'g', -1: exponent below 1e-4 and from 1e21: for text exposition (1e+06 is written
 * "1e+06" there: exponent from 21 digits on, two exponent digits at least). */
size_t number_format_general(char *out, double v);
/* Timestamp ms as seconds: 1435781451.781, 1435781451, -0.001. */
size_t number_format_seconds(char *out, int64_t t_ms);

/* The whole text as a double, as Go's ParseFloat accepts it: decimal, exponent, 0x hex, inf,
 * infinity, nan in any case, one sign; underscores are not accepted here. false when text is
 * anything else. */
bool number_parse(struct str text, double *out);

#ifdef __cplusplus
}
#endif

#endif
