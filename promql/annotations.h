/*
 * annotations - remarks that do not fail a query, collected while it runs.
 *
 *     PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)
 *
 * Equal texts are one remark; the place (line and column in the query) is that of the last. At most
 * ANNOTATIONS_SHOWN of each kind are shown, then how many more there were.
 *
 * Threads: one query, one thread.
 */
#ifndef HEARTH_PROMQL_ANNOTATIONS_H
#define HEARTH_PROMQL_ANNOTATIONS_H

#include "alloc/vec.h"
#include "promql/value.h"

enum { ANNOTATIONS_KEPT_MAX = 1000 };

enum annotation_kind { ANNOTATION_WARNING, ANNOTATION_INFO };

/* What histogram_quantile had to change to make bucket counts rise. */
struct forced_monotonicity {
    int64_t t_min_ms, t_max_ms;
    double bucket_min, bucket_max;
    double difference_max;
    uint64_t samples; /* 0: the remark is not about this */
};

struct annotation {
    enum annotation_kind kind;
    struct str text;
    struct ast_position position;
    struct forced_monotonicity forced;
};

struct annotation_list VEC_OF(struct annotation);

struct annotation_set {
    struct annotation_list list;
    uint64_t beyond[2]; /* of each kind, not kept */
};

/* The text is copied. */
MUST_USE enum status annotation_add(struct annotation_set *set, enum annotation_kind kind,
                                    struct str text, struct ast_position position, struct arena *a,
                                    struct error *err);
/* metric: the name the remark is about, or empty. */
MUST_USE enum status annotation_add_forced(struct annotation_set *set, struct str metric,
                                           const struct forced_monotonicity *forced,
                                           struct ast_position position, struct arena *a,
                                           struct error *err);

/* "PromQL warning: quantile value should be between 0 and 1, got <q>". */
MUST_USE enum status annotation_add_quantile(struct annotation_set *set, double q,
                                             struct ast_position position, struct arena *a,
                                             struct error *err);

/* Those of a part of the query, as if they had been added one by one. */
MUST_USE enum status annotations_join(struct annotation_set *set, const struct annotation_set *part,
                                      struct arena *a, struct error *err);

/* Texts with their places, on the arena. */
MUST_USE enum status annotations_render(const struct annotation_set *set, struct str query,
                                        struct arena *a, struct annotations *out,
                                        struct error *err);

#endif
