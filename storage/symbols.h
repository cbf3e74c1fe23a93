/*
 * symbols - the strings of all labels, each stored once, and the list of what exists.
 *
 *     "job" -----+--> "node"        a label name has a family: its distinct values
 *                +--> "hearth"
 *     "__name__" +--> "up"
 *
 * A value symbol belongs to one name, so it stands for the pair name="value": a series is an array
 * of value symbols, postings are found by them, and two series share a label exactly when they
 * share the pointer. Its references are the series that have it; with the last one it is forgotten,
 * and its name with the last value. Names and values can be listed without touching series.
 *
 * Each symbol knows in which windows its series have samples (storage/seen.h), so that listing what
 * there was in a part of the retained time does not touch series either.
 *
 * A value is kept as the bytes of its label in a remote write request, so that series are
 * recognized by them (series_match).
 *
 * Symbols live in open-addressed tables (64 of them by hash, so that growing one is short),
 * families in plain arrays.
 *
 * Invariants, see symbols_check(): every value is in the table and at `position` of its name's
 * family; refs > 0.
 *
 * Threads: one rwlock inside (LOCK_SYMBOLS), taken only for new and forgotten series and by
 * queries. A symbol that was found stays readable until the epoch the finder is in has passed;
 * name, size and bytes never change.
 */
#ifndef HEARTH_STORAGE_SYMBOLS_H
#define HEARTH_STORAGE_SYMBOLS_H

#include "alloc/arena.h"
#include "base/counter.h"
#include "base/lock.h"
#include "model/label_bytes.h"
#include "storage/epoch.h"
#include "storage/seen.h"

struct symbol {
    struct epoch_node retired; /* first: destroyed through it */
    struct symbol *name;       /* NULL: this is a label name */
    _Atomic uint32_t refs;     /* series; of a name: its values. Changed under the lock */
    uint32_t position;         /* in its family; of a name: in symbols.families. The lock's */
    uint32_t hash;
    uint32_t size;    /* of the text */
    uint32_t text_at; /* in bytes[] */
    struct seen seen; /* where series that have it have samples; changed under the lock */
    uint8_t bytes[];  /* of a value: its label (model/label_bytes.h), which ends with the text */
};

static inline struct str symbol_text(const struct symbol *s)
{
    return (struct str){.data = (const char *)s->bytes + s->text_at, .size = s->size};
}

static inline struct label symbol_label(const struct symbol *value)
{
    return (struct label){.name = symbol_text(value->name), .value = symbol_text(value)};
}

struct symbol_table {
    struct symbol **items; /* heap; `capacity` pointers, then as many hashes */
    uint32_t *hashes;
    uint32_t capacity; /* 0 or a power of two */
    uint32_t count;
};

struct symbol_family {
    struct symbol *name;
    struct symbol **values; /* heap; in no order */
    uint32_t count;
    uint32_t capacity;
    uint64_t value_bytes; /* sum of the values' sizes */
};

enum { SYMBOL_TABLES = 64 };

struct symbols {
    struct rwlock lock; /* guards all below, and refs and position of every symbol */
    struct epoch *epoch;
    struct symbol_table tables[SYMBOL_TABLES];
    struct symbol_family *families; /* heap; in no order */
    uint32_t family_count;
    uint32_t family_capacity;
    struct gauge symbol_count; /* names and values */
    struct gauge pair_count;
    struct gauge text_bytes;
};

void symbols_init(struct symbols *s, struct epoch *epoch);
/* Frees every symbol still there. */
void symbols_release(struct symbols *s);
/* For the epoch: frees one retired symbol. */
void symbols_destroy_retired(void *self, struct epoch_node *node);

/* The value symbols of a label set, one reference each, in the set's order. false at the memory
 * limit: nothing has changed. */
MUST_USE bool symbols_acquire(struct symbols *s, struct labels set, struct symbol **out);
/* Give the references back; what nobody refers to any more is forgotten and retired. */
void symbols_drop(struct symbols *s, struct symbol *const *items, size_t count);

/* A series with these values has samples in this window, and so have they and their names. The lock
 * is taken only when one of them did not know. */
void symbols_mark_seen(struct symbols *s, struct symbol *const *items, size_t count,
                       int64_t window);

/* NULL when there is none. The caller is inside the epoch; so for all below. */
struct symbol *symbols_find_name(struct symbols *s, struct str name);
struct symbol *symbols_find_value(struct symbols *s, struct str name, struct str value);

struct symbol_list {
    struct symbol **items; /* on the arena */
    size_t count;
};
/* All values of a name (none when it does not exist), and all names; in no order.
 * ERR_TOO_LARGE, ERR_NO_MEMORY from the arena. */
MUST_USE enum status symbols_values(struct symbols *s, struct str name, struct arena *a,
                                    struct symbol_list *out, struct error *err);
MUST_USE enum status symbols_names(struct symbols *s, struct arena *a, struct symbol_list *out,
                                   struct error *err);

/* Per name: how many values and how many bytes of them. */
struct symbol_family_size {
    struct symbol *name;
    uint64_t values;
    uint64_t value_bytes;
};
struct symbol_family_sizes {
    struct symbol_family_size *items; /* on the arena */
    size_t count;
};
MUST_USE enum status symbols_sizes(struct symbols *s, struct arena *a,
                                   struct symbol_family_sizes *out, struct error *err);

void symbols_check(struct symbols *s);

#endif
