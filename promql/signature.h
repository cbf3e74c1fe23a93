/*
 * signature - what two label sets must agree in to match: on(...), or all but ignoring(...) and the
 * name. Each signature met gets a number.
 */
#ifndef HEARTH_PROMQL_SIGNATURE_H
#define HEARTH_PROMQL_SIGNATURE_H

#include "promql/ast.h"
#include "promql/row.h"

struct signature_table {
    const struct vector_matching *matching;
    struct hash_index index;
    struct signature_examples VEC_OF(struct labels) examples; /* one label set of each */
};

/* The number of the set's signature, a new one if need be. */
MUST_USE enum status signature_number(struct signature_table *table, struct labels set,
                                      struct arena *a, size_t *out, struct error *err);
/* HASH_INDEX_END when it has none. */
size_t signature_lookup(const struct signature_table *table, struct labels set);

#endif
