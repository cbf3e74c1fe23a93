/*
 * symbol - a label name, or the pair of a name and a value, stored once (storage/symbols.h).
 *
 * A value is kept as the bytes of its label in a remote write request, so that series are
 * recognized by them (series_match).
 *
 * Threads: name, hash, sizes and bytes never change. A symbol that was found stays readable until
 * the epoch the finder is in has passed.
 */
#ifndef HEARTH_STORAGE_SYMBOL_H
#define HEARTH_STORAGE_SYMBOL_H

#include "base/hash.h"
#include "model/label_bytes.h"
#include "storage/epoch.h"
#include "storage/seen.h"

struct symbol {
    struct epoch_node retired; /* first: destroyed through it */
    struct seen seen;          /* where series that have it have samples; changed under the lock */
    _Atomic uint32_t refs;     /* series; of a name: its values. 0: forgotten, for good */
    uint32_t position;         /* in its family; of a name: in symbols.families. The lock's */
    struct symbol *name;       /* NULL: this is a label name */
    uint32_t hash;             /* symbol_hash of the text */
    uint32_t size;             /* of the text */
    uint32_t bytes_size;       /* of bytes[], which ends with the text */
    _Alignas(8) uint8_t bytes[]; /* of a value: its label (model/label_bytes.h) */
};

/* The same text under different names hashes differently; above a name itself is 0. */
static inline uint32_t symbol_hash(uint32_t name_hash, struct str text)
{
    return (uint32_t)hash_bytes(text.data, text.size, name_hash);
}

static inline struct str symbol_text(const struct symbol *s)
{
    return (struct str){.data = (const char *)s->bytes + s->bytes_size - s->size, .size = s->size};
}

static inline struct label symbol_label(const struct symbol *value)
{
    return (struct label){.name = symbol_text(value->name), .value = symbol_text(value)};
}

#endif
