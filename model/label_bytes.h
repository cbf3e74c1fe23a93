/*
 * label_bytes - a label as remote write sends it, and comparing such bytes quickly.
 *
 *     | 0A | size of the rest | 0A | size | name | 12 | size | value |
 *
 * That is field 1 of a TimeSeries in protobuf: a Label with its fields in order, sizes as short as
 * they can be. It is what all senders write, so a series whose labels are kept in this form is
 * recognized by its bytes, without taking them apart. Other encodings of the same label are legal
 * and are only slower.
 *
 * Pure, but for the arena.
 */
#ifndef HEARTH_MODEL_LABEL_BYTES_H
#define HEARTH_MODEL_LABEL_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "alloc/arena.h"
#include "model/labels.h"

enum {
    LABEL_BYTES_MIN = 8,   /* name and value have at least one byte each */
    LABEL_BYTES_FRONT = 24 /* readable in front of the first of several that are to be compared */
};

/* How many bytes label_bytes_put writes before the value, which comes last. */
size_t label_bytes_head(struct label label);
/* Write the label to out[label_bytes_head(label) + label.value.size]. */
void label_bytes_put(struct label label, uint8_t *out);
/* All labels one after the other, as they stand in a request, with LABEL_BYTES_FRONT bytes in
 * front; data is NULL when the arena refuses. */
MUST_USE struct str label_bytes_of(struct labels set, struct arena *a);

/* Are a[size] and b[size] the same? size is at least LABEL_BYTES_MIN; loads that overlap instead of
 * a loop for what most labels are: 64 bytes at most. */
static inline bool label_bytes_equal(const uint8_t *a, const uint8_t *b, size_t size)
{
    if (size > 64) return memcmp(a, b, size) == 0;
    if (size > 32 &&
        (memcmp(a + 16, b + 16, 16) != 0 || memcmp(a + size - 32, b + size - 32, 16) != 0))
        return false;
    if (size < 16) return memcmp(a, b, 8) == 0 && memcmp(a + size - 8, b + size - 8, 8) == 0;
    return memcmp(a, b, 16) == 0 && memcmp(a + size - 16, b + size - 16, 16) == 0;
}

#endif
