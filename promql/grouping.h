/*
 * grouping - rows that agree in some labels, by (...) or on (...), or in all others but the name,
 * without (...) or ignoring (...).
 *
 * A group is found by the hash of these labels, then compared. Rows of stored series are told apart
 * by the addresses of their label values first (classes: storage/querier.h), so that one of each
 * kind is asked for its labels.
 *
 * Threads: as the eval.
 */
#ifndef HEARTH_PROMQL_GROUPING_H
#define HEARTH_PROMQL_GROUPING_H

#include "promql/ast.h"
#include "promql/row.h"

#define GROUP_NONE SIZE_MAX

struct grouping_classes {
    struct series_classes *classes;
    struct grouping_numbers VEC_OF(size_t) groups; /* of the classes */
    size_t rows;                                   /* that were asked for */
};

/* Groups are numbered from 0 in order of appearance. */
struct grouping {
    struct str *names; /* sorted, distinct */
    size_t name_count;
    bool without;
    struct hash_index index;
    struct grouping_labels VEC_OF(struct labels) examples; /* of each group: all of its first row */
    bool by_class; /* set by the user of bare rows: each class is a group, without labels */
    struct grouping_classes classes[2]; /* of bare rows: with all labels, and unnamed */
};

/* Of an aggregation; of vector matching, where a group is a signature. */
MUST_USE enum status grouping_init(struct grouping *g, const struct ast *aggregation,
                                   struct arena *a, struct error *err);
MUST_USE enum status grouping_init_matching(struct grouping *g,
                                            const struct vector_matching *matching, struct arena *a,
                                            struct error *err);
/* The number of the set's group; *is_new when it was made just now. */
MUST_USE enum status grouping_find(struct grouping *g, struct labels set, struct arena *a,
                                   size_t *out, bool *is_new, struct error *err);
/* The same for a row that may be bare. */
MUST_USE enum status grouping_find_row(struct grouping *g, struct eval *ev, const struct row *row,
                                       size_t *out, bool *is_new, struct error *err);
/* Makes no group: GROUP_NONE. Not by_class. */
MUST_USE enum status grouping_look_up_row(struct grouping *g, struct eval *ev,
                                          const struct row *row, size_t *out, struct error *err);
/* What its rows agree in; on the arena. */
MUST_USE enum status grouping_labels(const struct grouping *g, size_t number, struct arena *a,
                                     struct labels *out, struct error *err);
/* There is but one group: no row is looked at for it. */
static inline bool grouping_is_one(const struct grouping *g)
{
    return !g->without && g->name_count == 0;
}
/* Results of the groups so far stay distinct without their names, and what goes with these: no
 * group is by such a label. */
bool grouping_is_unnamed(const struct grouping *g);

#endif
