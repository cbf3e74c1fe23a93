/*
 * series - one label set and its chunks: a small struct reached by a 32-bit id.
 *
 *     | id, hash, defined_in | ring: slots words | label_count value symbols |
 *
 *     id = local << shard_bits | shard
 *
 * The ring's slot of a window is window mod slots. What a word stands for, and whether it still
 * counts, storage/regions.h tells.
 *
 * Threads: labels never change. Words are stored with release under the shard's write lock
 * and loaded with acquire by readers inside the epoch, without a lock.
 */
#ifndef HEARTH_STORAGE_SERIES_H
#define HEARTH_STORAGE_SERIES_H

#include "storage/regions.h"
#include "storage/resolve.h"

enum { SERIES_LABELS_MAX = UINT16_MAX };

struct series {
    struct epoch_node retired; /* first: destroyed through it */
    uint64_t birth;            /* running number of creation, over all shards */
    uint32_t id;
    uint32_t hash;               /* lower half of the hash of the labels (storage/resolve.h) */
    _Atomic uint32_t defined_in; /* the journal's (storage/journal.h) */
    uint16_t label_count;
    uint8_t slots;
    bool forgotten;          /* under the shard's write lock: it is out of every index */
    _Atomic uint64_t ring[]; /* [slots], then the symbols */
};

static inline struct symbol **series_symbols(const struct series *s)
{
    return (struct symbol **)(uintptr_t)(s->ring + s->slots);
}

static inline uint64_t series_word(const struct series *s, uint32_t slot)
{
    return atomic_load_explicit(&s->ring[slot], memory_order_acquire);
}

/* The open chunk in the slot, whatever its window; NULL: none. */
static ALWAYS_INLINE struct chunk *series_open_chunk(const struct series *s, uint32_t slot)
{
    uint64_t word = series_word(s, slot);
    return ring_word_is_sealed(word) ? NULL : ring_word_chunk(word);
}

static inline void series_set_word(struct series *s, uint32_t slot, uint64_t word)
{
    atomic_store_explicit(&s->ring[slot], word, memory_order_release);
}

/* What the slot holds now. A word that lost its region may have been moved to another one since it
 * was read: then there is a new word. */
static inline struct held series_hold(const struct series *s, const struct regions *regions,
                                      uint32_t slot)
{
    for (uint64_t word = series_word(s, slot);;) {
        struct held held = regions_hold(regions, slot, word);
        uint64_t again;
        if (held_any(&held) || (again = series_word(s, slot)) == word) return held;
        word = again;
    }
}

/* An empty ring; the references to the set's symbols become the series'. NULL at the limit, they
 * stay the caller's. */
MUST_USE struct series *series_create(const struct resolved *set, uint32_t slots);
/* Free a series; its chunks and symbols have been given back. */
void series_destroy(struct series *s);

/* Of the record, without chunks and symbols. */
size_t series_bytes(const struct series *s);

bool series_has_labels(const struct series *s, const struct resolved *set);

/* Ask for the memory that series_match and a new sample will look at. */
void series_prefetch(const struct series *s);

/* No word in any slot, not even one that does not count any more. */
bool series_is_empty(const struct series *s);

/* The value symbol under this name; NULL when the series has no such label. */
struct symbol *series_find_symbol(const struct series *s, const struct symbol *name);

#endif
