/*
 * row - one series of a result over all steps: labels, a value per step, and which steps have one.
 *
 *     v           | 1.0 | 1.5 |  -  |  -  |    T doubles; undefined where absent
 *     histograms  |  -  |  -  |  -  |  h  |    the step has this instead of a float
 *     present     |  1  |  1  |  0  |  1  |    one bit per step: any double, NaN too, is a value
 *
 * Operators pull rows from each other (struct rows), so that an aggregation over many series needs
 * the row of one series at a time. A row belongs to its source until the next pull; the puller may
 * change values, bits and labels in place. Sources with `stable` set hand out rows that stay.
 *
 * No source hands out a row without a single value.
 *
 * A sample is a float or a native histogram. None of the latter is stored in this version, so no
 * source hands out any yet; functions already know which of the two they take (promql/functions.h).
 *
 * Threads: one query, one thread.
 */
#ifndef HEARTH_PROMQL_ROW_H
#define HEARTH_PROMQL_ROW_H

#include "alloc/vec.h"
#include "model/labels.h"

struct eval;
struct native_histogram;
struct series;

struct row {
    struct labels labels;
    double *v;
    const struct native_histogram **histograms; /* by step, NULL without; NULL: no step has one */
    uint64_t *present;
    bool drops_name; /* the labels lose their name when the query ends: see row_unname */
    /* When not NULL, there are no labels here: they are this series', or what is left of them
     * without the reserved ones. Only of sources that are bare. */
    const struct series *series;
    bool unnamed;
    size_t others; /* so many more rows are as this one (ROWS_ASKED_COUNT) */
};

struct row_table VEC_OF(struct row);

/* What a puller looks at: all there is; not at values, which may be any; or only at how many rows
 * have one, and then a row may stand for several. */
enum rows_asked { ROWS_ASKED_ALL, ROWS_ASKED_PRESENCE, ROWS_ASKED_COUNT };

/* A source of rows: the first member of every operator's own struct. */
struct rows {
    /* The next row, or NULL at the end. */
    enum status (*next)(struct rows *self, struct row **out, struct error *err);
    struct eval *ev;
    size_t steps;
    bool stable; /* rows outlive the next pull */
    /* Label sets are distinct even without __name__, __type__ and __unit__: dropping the name
     * cannot make two of them equal. */
    bool unnamed_unique;
    /* Set by a puller who wants no labels as long as a row can say whose they are (row.series): he
     * looks at the labels of a few series of very many. */
    bool bare;
    enum rows_asked asked; /* set by the puller */
};

static inline size_t row_words(size_t steps)
{
    return (steps + 63) / 64;
}

static inline bool bit_get(const uint64_t *words, size_t i)
{
    return words[i / 64] >> (i % 64) & 1;
}

static inline void bit_set(uint64_t *words, size_t i)
{
    words[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline void bit_clear(uint64_t *words, size_t i)
{
    words[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

/* A load of what memset has just written with a mask waits until it is in the cache; one word, as
 * most rows have, is written as it will be read. */
static inline void bits_zero(uint64_t *words, size_t steps)
{
    if (row_words(steps) == 1)
        words[0] = 0;
    else
        memset(words, 0, row_words(steps) * sizeof(words[0]));
}

/* All bits of the steps, and none behind them. */
void bits_fill(uint64_t *words, size_t steps);
size_t bits_count(const uint64_t *words, size_t steps);
bool bits_any(const uint64_t *words, size_t steps);
void bits_or(uint64_t *into, const uint64_t *other, size_t steps);

/* Walk the set bits in order:  struct bit_walk w = bit_walk(p, n); while (bit_walk_next(&w, &i))
 * Clearing the current bit on the way is fine. */
struct bit_walk {
    const uint64_t *words;
    size_t word_count;
    size_t word;
    uint64_t left;
};

static inline struct bit_walk bit_walk(const uint64_t *words, size_t steps)
{
    return (struct bit_walk){
        .words = words, .word_count = row_words(steps), .left = steps ? words[0] : 0};
}

static inline bool bit_walk_next(struct bit_walk *w, size_t *out)
{
    while (!w->left) {
        if (++w->word >= w->word_count) return false;
        w->left = w->words[w->word];
    }
    *out = w->word * 64 + (size_t)__builtin_ctzll(w->left);
    w->left &= w->left - 1;
    return true;
}

/* Walk the runs of set bits: [from, to). */
struct bit_runs {
    const uint64_t *words;
    size_t steps;
    size_t from;
    size_t to;
};

static inline struct bit_runs bit_runs(const uint64_t *words, size_t steps)
{
    return (struct bit_runs){.words = words, .steps = steps};
}

bool bit_runs_next(struct bit_runs *run);

/* Why the arena refused: never OK, which arena_error cannot tell a static analyzer. */
static inline enum status no_room(const struct arena *a, struct error *err)
{
    enum status st = arena_error(a, err);
    return st ? st : ERR_NO_MEMORY;
}

/* Room for the values and bits of a row; bits are zero, labels empty. */
MUST_USE enum status row_alloc(struct row *row, size_t steps, struct arena *a, struct error *err);

/* A copy, bare if the row is. */
MUST_USE enum status row_copy(const struct row *from, size_t steps, struct arena *a,
                              struct row *out, struct error *err);

/* Take away all of one kind. */
void row_drop_histograms(struct row *row, size_t steps);
void row_drop_floats(struct row *row, size_t steps);

/* Keep a row that was just pulled: */
MUST_USE enum status rows_keep(struct rows *rows, const struct row *row, struct row_table *table,
                               struct error *err);
/* Pull every row and keep it: copied unless the source is stable, bare if it was made so. The
 * samples are held (eval_hold). */
MUST_USE enum status rows_collect(struct rows *rows, struct row_table *table, struct error *err);
/* How many values a table has, for eval_drop. */
uint64_t row_table_samples(const struct row_table *table, size_t steps);

/* Hand out the rows of a table, in order, but for those without a value. */
MUST_USE enum status rows_from_table(struct eval *ev, const struct row_table *table, size_t steps,
                                     bool unnamed_unique, struct rows **out, struct error *err);
MUST_USE enum status rows_empty(struct eval *ev, size_t steps, struct rows **out,
                                struct error *err);

/* Make label sets distinct: rows with equal ones become one.
 *
 * ERR_CONFLICT   both have a value at the same step (with MERGE_DISJOINT), or there are two at all
 *                (MERGE_NONE): "vector cannot contain metrics with the same labelset" */
enum merge_rule { MERGE_DISJOINT, MERGE_NONE };
MUST_USE enum status rows_merge(struct rows *child, enum merge_rule rule, struct rows **out,
                                struct error *err);
enum status error_same_labelset(struct error *err);

/* From hashes to numbers of items; equality is the caller's business:
 *
 *     size_t probe = 0;
 *     while ((item = hash_index_next(&ix, hash, &probe)) != HASH_INDEX_END) ... */
#define HASH_INDEX_END SIZE_MAX
struct hash_slot {
    uint64_t hash;
    size_t item_plus_one; /* 0: free */
};
struct hash_index {
    struct hash_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};
size_t hash_index_next(const struct hash_index *ix, uint64_t hash, size_t *probe);
MUST_USE enum status hash_index_add(struct hash_index *ix, uint64_t hash, size_t item,
                                    struct arena *a, struct error *err);

/* Label sets without __name__, __type__ and __unit__: a view where possible, else built in the
 * scratch (valid until its next use) or, without one, on the arena. */
struct label_scratch {
    struct label *items;
    size_t capacity;
};
bool label_is_reserved(struct str name);
MUST_USE enum status labels_unname(struct labels set, struct label_scratch *scratch,
                                   struct arena *a, struct labels *out, struct error *err);

/* An operator changed what a row means: its name has to go, now or, with delayed name removal, when
 * the query ends. What goes now is built in the scratch unless the source is stable. */
MUST_USE enum status row_unname(struct rows *source, struct row *row, struct label_scratch *scratch,
                                struct error *err);
/* The labels of a row that may be bare; on the arena then. */
MUST_USE enum status row_labels(const struct row *row, struct arena *a, struct labels *out,
                                struct error *err);
/* Behind an operator that unnames each of its rows: join those that now have equal labels. */
MUST_USE enum status rows_unnamed(struct rows *source, enum merge_rule rule, struct rows **out,
                                  struct error *err);
/* A copy of the array; texts are shared. */
MUST_USE enum status labels_pin(struct labels set, struct arena *a, struct labels *out,
                                struct error *err);
/* {__name__="up", job="node"}: the form of engine errors. */
MUST_USE enum status labels_text(struct labels set, struct arena *a, struct str *out,
                                 struct error *err);

#endif
