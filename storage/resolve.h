/*
 * resolve - the symbols of a label set, and its hash, without a lock.
 *
 * Series that are sent one after the other share most of their labels, and have them in the same
 * places; so each label is compared with the one in this place of the set before, and only when it
 * is another one its text is hashed and looked up.
 *
 * The hash of a set is made of the hashes of its symbols, so what has been resolved is not read
 * again. It is the same for symbols that are not there.
 *
 * Threads: a resolver belongs to one thread, inside the epoch from the first set to the last use of
 * a symbol.
 */
#ifndef HEARTH_STORAGE_RESOLVE_H
#define HEARTH_STORAGE_RESOLVE_H

#include "alloc/arena.h"
#include "storage/symbols.h"

/* A label set with what is known of it. */
struct resolved {
    struct labels labels;
    struct symbol **symbols; /* [labels.count]; NULL: there was none */
    uint64_t hash;           /* of the labels; the same in this process */
    bool complete;           /* no symbol is missing */
};

struct resolver {
    const struct symbols *symbols;
    struct arena *arena;
    struct symbol **items; /* two times `room` places: the set before, and the next one */
    size_t room;
    size_t count; /* of the set before */
    bool second;  /* it is in the second half */
};

void resolver_init(struct resolver *r, const struct symbols *symbols, struct arena *a);

/* false when the arena refuses. out->symbols is the resolver's, until the next set but one; what
 * the caller puts there where NULL was, sets that follow will find, too. */
MUST_USE bool resolve(struct resolver *r, struct labels labels, struct resolved *out);

/* Its symbols are on the arena from now on; false when that refuses. */
MUST_USE bool resolved_keep(struct resolved *set, struct arena *a);

#endif
