/*
 * match_cache - which values of a label an expression matches, remembered.
 *
 * A dashboard asks the same expressions again and again, and values come and go seldom. An answer
 * holds for one generation of the values of its name (storage/symbols.h): when one comes or goes
 * the answer is found no more, and the next one takes its place.
 *
 *     name, type, pattern  --hash-->  slot: answer, or NULL
 *
 * A slot holds one answer; the newer one wins. All answers together take at most
 * MATCH_CACHE_BYTES_MAX; larger ones push others out. Under pressure there are none.
 *
 * Threads: any, without a lock. Answers are retired: who found one inside the epoch may use it
 * until it leaves.
 */
#ifndef HEARTH_STORAGE_MATCH_CACHE_H
#define HEARTH_STORAGE_MATCH_CACHE_H

#include "base/counter.h"
#include "model/matcher.h"
#include "storage/symbols.h"

enum {
    MATCH_CACHE_SLOTS = 256,
    MATCH_CACHE_BYTES_MAX = 2 << 20,
    MATCH_CACHE_ANSWER_BYTES_MAX = MATCH_CACHE_BYTES_MAX / 4
};

/* The values of a name that make a matcher say what it does not say about the empty value. */
struct match_answer {
    bool any;               /* all there are; values is empty then */
    struct symbol **values; /* in order of address */
    size_t count;
};

/* What is asked; the name is found together with its generation. */
struct match_question {
    const struct symbol *name;
    uint64_t generation;
    const struct matcher *matcher;
};

struct match_cache {
    struct epoch *epoch;
    _Atomic(struct match_entry *) slots[MATCH_CACHE_SLOTS];
    _Atomic uint64_t bytes;
    _Atomic uint32_t hand; /* the slot that is emptied next when there is no room */
    atomic_bool closed;
    struct counter hits;
    struct counter misses;
};

void match_cache_init(struct match_cache *c, struct epoch *epoch);
/* Nobody uses it any more. */
void match_cache_release(struct match_cache *c);

/* false when there is none. The answer's values live as long as the caller's stay in the epoch,
 * which began before the question's generation was read. */
bool match_cache_find(struct match_cache *c, const struct match_question *q,
                      struct match_answer *out);
/* Remember the answer, if there is memory for it. */
void match_cache_put(struct match_cache *c, const struct match_question *q,
                     const struct match_answer *answer);

/* Closed: everything is forgotten, and nothing remembered until it is open again. */
void match_cache_close(struct match_cache *c, bool closed);

/* For the epoch: frees one retired answer. */
void match_cache_destroy_retired(void *self, struct epoch_node *node);

#endif
