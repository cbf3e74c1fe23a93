/*
 * names - which metric and label names are legal.
 *
 * Prometheus 3.x: names are any non-empty UTF-8. The legacy form (no quotes needed in PromQL) is
 * [a-zA-Z_:][a-zA-Z0-9_:]* for metrics and [a-zA-Z_][a-zA-Z0-9_]* for labels.
 */
#ifndef HEARTH_MODEL_NAMES_H
#define HEARTH_MODEL_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

bool name_is_utf8(struct str text); /* valid UTF-8; the empty text is */
/* Bytes of the UTF-8 character that text starts with; 0 when it starts with none, or is empty. */
size_t name_character_size(const char *text, size_t size);
/* Write a code point as UTF-8; returns how many bytes it takes, 1 to 4. */
size_t name_character_put(uint32_t code, char *out);
bool name_is_legacy_metric(struct str name);
bool name_is_legacy_label(struct str name);

/* U__ escaping of label names in URLs (label/U__my_2e_label/values): decode into out, which has
 * room for text.size bytes; returns the decoded size, or 0 when text is no such name (use it as it
 * is). */
size_t name_unescape(struct str text, char *out);

#endif
