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
 * Symbols live in tables that are read without a lock (storage/symbol_table.h; 64 of them by hash,
 * so that growing one is short), families in plain arrays.
 *
 * Invariants, see symbols_check(): every value is in the table and at `position` of its name's
 * family; refs > 0.
 *
 * Threads: one rwlock inside (LOCK_SYMBOLS), taken for new and forgotten symbols, for those that
 * are seen in a window for the first time, and by queries. References to a symbol that somebody
 * else refers to are taken and given back without it; only under it do they become 0, and from 0
 * they never come back.
 */
#ifndef HEARTH_STORAGE_SYMBOLS_H
#define HEARTH_STORAGE_SYMBOLS_H

#include "alloc/arena.h"
#include "base/counter.h"
#include "base/lock.h"
#include "storage/symbol_table.h"

struct symbol_family {
    struct symbol *name;
    struct symbol **values; /* heap; in no order */
    uint32_t count;
    uint32_t capacity;
    uint64_t value_bytes; /* sum of the values' sizes */
    uint64_t generation;  /* another one, never used before, when a value comes or goes */
};

/* Upper bits of the hash choose the table, lower ones the place in it. */
enum { SYMBOL_TABLES = 64, SYMBOL_TABLE_SHIFT = 26 };

struct symbols {
    struct rwlock lock; /* guards all below, positions, `seen`, and that a refs becomes 0 */
    struct epoch *epoch;
    struct symbol_table tables[SYMBOL_TABLES];
    struct symbol_family *families; /* heap; in no order */
    uint32_t family_count;
    uint32_t family_capacity;
    uint64_t generation;       /* the last that a family was given */
    struct gauge symbol_count; /* names and values */
    struct gauge pair_count;
    struct gauge text_bytes;
};

void symbols_init(struct symbols *s, struct epoch *epoch);
/* Frees every symbol still there. */
void symbols_release(struct symbols *s);
/* For the epoch: frees one retired symbol. */
void symbols_destroy_retired(void *self, struct epoch_node *node);

/* The symbol of a name (name NULL), or of a value of a name, by its symbol_hash, without a lock.
 * The caller is inside the epoch. NULL: there is none, or it is just being moved. */
static inline struct symbol *symbols_peek(const struct symbols *s, const struct symbol *name,
                                          struct str text, uint32_t hash)
{
    return symbol_table_find(&s->tables[hash >> SYMBOL_TABLE_SHIFT], name, text, hash);
}

/* Refer once to each value symbol of a label set. items[set.count]: the symbols that the caller has
 * found since it is inside the epoch, NULL where it has found none; in the end all of them. false
 * at the memory limit: nobody is referred to. */
MUST_USE bool symbols_acquire(struct symbols *s, struct labels set, struct symbol **items);
/* The same for sets that come one after the other. Most of their labels are those of the set
 * before, and two threads that count the same symbol wait for each other: so of a label that stays,
 * more and more references are taken at once. Zero: none yet. */
enum { SYMBOL_CREDITS = 16 };
struct symbol_credits {
    struct symbol_credit {
        struct symbol *symbol; /* of the set before, in this place */
        uint32_t left;         /* references to it that are still to be given out, */
        uint32_t taken;        /* of so many that were taken at last */
    } items[SYMBOL_CREDITS];
};
MUST_USE bool symbols_acquire_next(struct symbols *s, struct symbol_credits *credits,
                                   struct labels set, struct symbol **items);
/* Give back what is left. */
void symbols_settle(struct symbols *s, struct symbol_credits *credits);
/* Give the references back; what nobody refers to any more is forgotten and retired. */
void symbols_drop(struct symbols *s, struct symbol *const *items, size_t count);

/* The value symbol of a label, which is made when there is none, referred to so many times (at
 * least once). The caller is inside the epoch. NULL at the memory limit. */
MUST_USE struct symbol *symbols_refer(struct symbols *s, struct label label, uint32_t times);
/* So many times more; the caller refers to it already. */
static inline void symbols_refer_more(struct symbol *value, uint32_t times)
{
    atomic_fetch_add_explicit(&value->refs, times, memory_order_relaxed);
}
/* Give so many references back. */
void symbols_give_back(struct symbols *s, struct symbol *value, uint32_t times);

/* A series with these values has samples in this window, and so have they and their names. The lock
 * is taken only when one of them did not know. */
void symbols_mark_seen(struct symbols *s, struct symbol *const *items, size_t count,
                       int64_t window);

/* NULL when there is none. The caller is inside the epoch; so for all below. */
struct symbol *symbols_find_name(struct symbols *s, struct str name);

/* A name with its values as they are now. */
struct symbol_name {
    struct symbol *symbol; /* NULL when there is none */
    uint64_t generation;
    size_t values;
};
struct symbol_name symbols_look_up(struct symbols *s, struct str name);
/* The values of a name that have these texts, in the order of the texts; returns how many. */
size_t symbols_find_values(struct symbols *s, const struct symbol *name, const struct str *texts,
                           size_t count, struct symbol **items);

struct symbol_list {
    struct symbol **items; /* on the arena */
    size_t count;
    uint64_t generation; /* of values */
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
