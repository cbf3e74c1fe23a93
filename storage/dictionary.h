/*
 * dictionary - the texts of a block of chunk images, by number, and the symbols they have become.
 *
 *     texts:    0 "__name__" | 1 "up" | 2 "job" | 3 "node" | ...
 *     labels:   0 1  2 3  ...             names and values by turns
 *
 * A text is checked once; a pair of a name and a value is looked up once, and after that found by
 * the number of its value. (Under another name the same value is looked up again.) References to
 * symbols come out of a stock, which is taken from the symbol, that all threads share, in one step.
 *
 * Threads: one at a time. The caller is inside the epoch in every call; a symbol in the dictionary
 * stays between them, because it is referred to.
 */
#ifndef HEARTH_STORAGE_DICTIONARY_H
#define HEARTH_STORAGE_DICTIONARY_H

#include "storage/symbols.h"

struct dictionary_text {
    struct symbol *symbol; /* of the pair that was looked up last with this value; NULL: none */
    uint32_t name;         /* of that pair */
    uint32_t stock;        /* references to it; at least 1 */
    uint32_t after;        /* this is a name, and stands behind that one in order: its number + 1 */
    bool is_name;          /* was checked as one */
};

struct dictionary {
    struct symbols *symbols;
    const struct str *texts;
    struct dictionary_text *items; /* [count] */
    uint32_t count;
};

/* The texts stay where they are. false when the arena refuses. */
MUST_USE bool dictionary_open(struct dictionary *d, struct symbols *symbols,
                              const struct str *texts, size_t count, struct arena *a);
/* Give back what is left of the stocks. A zeroed one is ignored. */
void dictionary_close(struct dictionary *d);

/* The symbols of a label set, each referred to once for the caller; the hash is that of resolve().
 *
 * OK
 * ERR_CORRUPT     a number out of range, a text that no label has, names out of order
 * ERR_NO_MEMORY   the limit */
MUST_USE enum status dictionary_take(struct dictionary *d, const uint32_t *numbers, size_t count,
                                     struct symbol **symbols, uint64_t *hash, struct error *err);
/* The references were not needed. */
void dictionary_give_back(struct dictionary *d, const uint32_t *numbers, size_t count,
                          struct symbol *const *symbols);

#endif
