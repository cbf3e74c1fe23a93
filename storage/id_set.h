/*
 * id_set - a set of ids, compressed.
 *
 * One 64-bit word, tagged in its lowest bits:
 *
 *     0               empty
 *     id << 2 | 1     one id
 *     address | 2     one container (storage/id_container.h): ids of one upper half
 *     address | 3     a list of containers, ascending by upper half
 *
 * An index has a set for every pair of label and value in every shard: most are tiny and most ids
 * are in few large ones. So one id takes no memory of its own, few take 2 bytes each, and many a
 * bit each. CRoaring has no hook for memory in this version (0.2) and does not survive a refused
 * allocation; here everything is on our heap and may be refused.
 *
 * Threads: the owner's lock.
 */
#ifndef HEARTH_STORAGE_ID_SET_H
#define HEARTH_STORAGE_ID_SET_H

#include "alloc/arena.h"
#include "base/error.h"
#include "storage/id_container.h"

struct id_set {
    uint64_t word;
};
enum { ID_SET_FORM_MASK = 3 };

/* Add an id that is not in it. false at the memory limit: unchanged. */
MUST_USE bool id_set_add(struct id_set *s, uint32_t id);
/* Remove an id that is in it. */
void id_set_remove(struct id_set *s, uint32_t id);
void id_set_release(struct id_set *s);
size_t id_set_count(const struct id_set *s);
bool id_set_contains(const struct id_set *s, uint32_t id);
/* Whether one of its ids has its bit set among so many words; ids behind them have not. */
bool id_set_touches(const struct id_set *s, const uint64_t *bits, size_t words);
/* Ask for the memory that id_set_add will look at first. */
static inline void id_set_prefetch(const struct id_set *s)
{
    __builtin_prefetch((const void *)(uintptr_t)(s->word & ~(uint64_t)ID_SET_FORM_MASK), 1);
}

void id_set_check(const struct id_set *s);

struct id_list {
    uint32_t *items; /* on the arena; ascending */
    size_t count;
};

/* Ids that are in all of `with`, at least one set, and in none of `without`; best the smallest of
 * `with` comes first. ERR_TOO_LARGE, ERR_NO_MEMORY from the arena. */
struct id_terms {
    const struct id_set *const *with;
    size_t with_count;
    const struct id_set *const *without;
    size_t without_count;
};
MUST_USE enum status id_set_intersect(const struct id_terms *terms, struct arena *a,
                                      struct id_list *out, struct error *err);

#endif
