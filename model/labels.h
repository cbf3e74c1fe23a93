/*
 * labels - label sets: what a series is called.
 *
 *     {__name__="up", instance="a:9100", job="node"}
 *
 * A label set is a view: an array of name-value pairs, sorted by name (bytes), names unique, no
 * empty value (Prometheus: an empty value is an absent label). Text and array belong to someone
 * else, most often a request's arena or the storage's symbols.
 *
 * Threads: values; no state.
 */
#ifndef HEARTH_MODEL_LABELS_H
#define HEARTH_MODEL_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/arena.h"
#include "base/error.h"
#include "base/str.h"

struct label {
    struct str name;
    struct str value;
};

struct labels {
    const struct label *items;
    size_t count;
};

#define LABEL_METRIC_NAME STR("__name__")

/* Sort items in place by name, drop empty values, check the rest: result in *out, which views
 * items.
 *
 * ERR_INVALID   a duplicate name, an invalid name, a name or value that is not UTF-8; err names it
 */
MUST_USE enum status labels_normalize(struct label *items, size_t count, struct labels *out,
                                      struct error *err);

/* The value of a label; size 0 when it is absent. */
struct str labels_get(struct labels set, struct str name);
bool labels_has(struct labels set, struct str name);

/* Prometheus' order: pair by pair, then the shorter first. */
int labels_compare(struct labels a, struct labels b);
bool labels_equal(struct labels a, struct labels b);

/* A hash of names and values; the same in the whole process, not for disk. */
uint64_t labels_hash(struct labels set);
/* The hash of the labels named in names (sorted), or of all others but __name__. */
uint64_t labels_hash_with(struct labels set, const struct str *names, size_t count);
uint64_t labels_hash_without(struct labels set, const struct str *names, size_t count);

/* New sets on the arena; texts are shared with the old one, not copied. names: sorted.
 * ERR_NO_MEMORY, ERR_TOO_LARGE from the arena. */
MUST_USE enum status labels_keep(struct labels set, const struct str *names, size_t count,
                                 struct arena *a, struct labels *out, struct error *err);
MUST_USE enum status labels_drop(struct labels set, const struct str *names, size_t count,
                                 struct arena *a, struct labels *out, struct error *err);
/* With name = value (value.size 0: without it). */
MUST_USE enum status labels_set(struct labels set, struct str name, struct str value,
                                struct arena *a, struct labels *out, struct error *err);
/* Array and texts copied onto the arena. */
MUST_USE enum status labels_copy(struct labels set, struct arena *a, struct labels *out,
                                 struct error *err);

/* {__name__="up", job="node"} as Prometheus prints it in messages: up{job="node"}. */
MUST_USE enum status labels_print(struct labels set, struct arena *a, struct str *out,
                                  struct error *err);
/* The same into a fixed buffer, for error texts: no allocation, cut with "..." to fit room (at
 * least 16 bytes), NUL-terminated. set may be unsorted and may hold bytes that are not UTF-8.
 * Returns out.
 */
const char *labels_print_short(struct labels set, char *out, size_t room);

#endif
