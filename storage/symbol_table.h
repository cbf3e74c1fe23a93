/*
 * symbol_table - symbols by their text, found without a lock.
 *
 * Open addressing with linear probing. Who looks beside a change may miss a symbol that is being
 * moved, and never finds a wrong one: text decides. Slots that a table has outgrown are retired.
 *
 * Threads: find from any thread inside the epoch; all else one at a time.
 */
#ifndef HEARTH_STORAGE_SYMBOL_TABLE_H
#define HEARTH_STORAGE_SYMBOL_TABLE_H

#include "storage/symbol.h"

struct symbol_slots {
    struct epoch_node retired;        /* first: destroyed through it */
    uint32_t capacity;                /* a power of two */
    _Atomic(struct symbol *) items[]; /* `capacity`, then as many hashes, 32 bits each */
};

/* Zero: empty. */
struct symbol_table {
    _Atomic(struct symbol_slots *) slots; /* heap; NULL: none */
    uint32_t count;
};

/* name: NULL for a label name; hash: symbol_hash. NULL when there is none, or, beside a change, by
 * mistake. */
struct symbol *symbol_table_find(const struct symbol_table *t, const struct symbol *name,
                                 struct str text, uint32_t hash);

/* Room for one more; false at the limit, nothing changed. */
MUST_USE bool symbol_table_reserve(struct symbol_table *t, struct epoch *epoch);
/* Room was reserved, and it is not there. */
void symbol_table_insert(struct symbol_table *t, struct symbol *item);
/* It is there. */
void symbol_table_remove(struct symbol_table *t, const struct symbol *item, struct epoch *epoch);
/* Nobody looks any more. */
void symbol_table_release(struct symbol_table *t);

/* Bytes of slots that hold nothing. */
uint64_t symbol_table_spare(const struct symbol_table *t);

/* For the epoch: frees retired slots. */
void symbol_table_destroy_retired(void *self, struct epoch_node *node);

#endif
