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
/* As Prometheus' JSON sample values: 'f', but 'e' form below 1e-6 and from 1e21; at least two
 * digits of exponent (1e-07, 1e+21). */
size_t number_format_json(char *out, double v);
/* Go's FormatFloat(v, 'g', -1, 64), for text exposition: 'e' form below 1e-4 and from 1e6 on, with
 * at least two digits of exponent (100000, 1e+06, 1.23456789e+08, 0.0001, 1e-05). */
size_t number_format_general(char *out, double v);
/* Timestamp ms as seconds: 1435781451.781, 1435781451, -0.001. */
size_t number_format_seconds(char *out, int64_t t_ms);

/* The whole text as a double, as Go's ParseFloat accepts it: decimal, exponent, 0x hex with a p
 * exponent, inf, infinity, nan in any case, one sign, underscores between digits (of numbers with
 * up to NUMBER_TEXT_BYTES).
 * false when text is anything else, or a finite number beyond the range of a double (1e400). */
bool number_parse(struct str text, double *out);

#ifdef __cplusplus
}
#endif

#endif
