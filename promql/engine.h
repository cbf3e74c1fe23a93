/*
 * engine - queries: text and time in, values out, within limits.
 *
 * A query is evaluated series by series over the whole step range at once: a selector's series is
 * decoded once into columns, a range function slides over them, an aggregation folds the result
 * straight into its group's row. Memory grows with groups and steps, not with series x steps,
 * wherever the operator allows it.
 *
 * Limits: a deadline, a number of samples, the arena's ceiling, and a flag that cancels.
 *
 * Threads: engine_* may be called by any number of threads; a query belongs to one, which may be
 * helped by a crew.
 */
#ifndef HEARTH_PROMQL_ENGINE_H
#define HEARTH_PROMQL_ENGINE_H

#include <stdatomic.h>

#include "alloc/arena.h"
#include "alloc/vec.h"
#include "promql/parser.h"
#include "promql/value.h"
#include "storage/querier.h"

struct engine_options {
    int64_t lookback_ms;         /* --query.lookback-delta, 5 min */
    uint64_t samples_max;        /* --query.max-samples, 50,000,000 */
    int64_t default_step_ms;     /* of subqueries without one, 1 min */
    struct parse_options syntax; /* all off */
    uint32_t threads_max;        /* of one query, its own among them: with a crew */
    size_t part_series;          /* how series are cut: promql/parts.h. Tests make it small */
    bool delayed_name_removal;   /* off: operators drop the names of metrics at once */
    bool type_labels;            /* off: remarks on counters go by names, not by __type__ */
    bool per_step_stats;         /* off: the server sets no query's counts_steps */
};

struct crew;

struct engine {
    struct storage *db;
    struct crew *crew; /* helps with large queries: promql/crew.h; NULL: nobody does */
    struct engine_options options;
};

struct engine_options engine_options_default(void);

/* Turn on the features of a list, as --enable-feature takes it: Prometheus' names, separated by
 * commas, or "all" for those named promql-... Its features that are no part of the language are
 * accepted and change nothing.
 * ERR_INVALID: a name that Prometheus does not know either. */
MUST_USE enum status engine_enable_features(struct engine_options *options, struct str names,
                                            struct error *err);

struct query_stats {
    uint64_t samples_read;       /* decoded from chunks */
    uint64_t samples_queryable;  /* as Prometheus counts them: promql/tally.h */
    uint64_t *queryable_by_step; /* of a range query that counts_steps; else NULL */
    uint64_t samples_peak;       /* the most held at once */
    int64_t parse_ns;
    int64_t eval_ns;
};

/* What a part of a query gave and cost, together with everything below it. */
struct explained {
    struct ast_position position; /* in the text */
    uint32_t depth;               /* of those above it in the list; the first has 0 */
    uint64_t series;              /* in its result */
    uint64_t values;              /* of them, over all steps */
    uint64_t samples_read;
    uint64_t bytes; /* taken from the query's arena */
    int64_t ns;     /* of all threads */
};
enum { EXPLAINED_MAX = 1000 };
struct explained_list VEC_OF(struct explained);

/* What is a little work: at most 64 series, all of them together with about as many samples as take
 * a quarter of a millisecond, a short text without patterns and subqueries, few steps. */
enum {
    QUICK_TEXT_BYTES = 256,
    QUICK_STEPS = 1000,
    QUICK_SERIES = 64,  /* of one selector */
    QUICK_WORK = 16384, /* samples and steps that were looked at */
    QUICK_HELD = 4096   /* samples in memory, those of the answer among them */
};

struct query {
    /* The question. */
    struct str text;
    int64_t start_ms; /* instant: the time; end_ms == start_ms, step_ms == 0 */
    int64_t end_ms;
    int64_t step_ms;
    int64_t lookback_ms;          /* 0: the engine's */
    int64_t deadline_ns;          /* on clock_mono_ns; 0: none */
    const atomic_bool *cancelled; /* may be NULL */
    struct arena *arena;
    bool explains;     /* fill in explained */
    bool counts_steps; /* fill in queryable_by_step */
    bool quick;        /* give up as soon as it turns out to be more than a little work */
    /* The answer. */
    bool gave_up; /* quick, and it was more: the answer is ERR_CANCELLED, ask without */
    struct value value;
    struct annotations annotations;
    struct query_stats stats;
    struct explained_list explained; /* nodes that have series, each above those below it */
    /* Kept until query_finish: the pinned readers, the regexes. */
    struct querier *querier;
    struct ast *tree;
};

/* Of an instant query one. */
static inline size_t query_steps(const struct query *query)
{
    if (query->step_ms == 0) return 1;
    return (size_t)((query->end_ms - query->start_ms) / query->step_ms) + 1;
}

/* Fill in the answer. Call query_finish whatever comes back, after the answer has been written out.
 *
 * ERR_INVALID      it does not parse ("invalid parameter \"query\": 1:5: parse error: ..."), a
 *                  duration in it is none, or a range query is neither scalar nor vector
 * ERR_CONFLICT     it cannot be executed (HTTP 422): many-to-many matching, "vector cannot contain
 *                  metrics with the same labelset", a bad parameter or regex of a function
 * ERR_TOO_LARGE    samples_max, or the arena's ceiling
 * ERR_TIMEOUT, ERR_CANCELLED, ERR_NO_MEMORY, ERR_CORRUPT */
MUST_USE enum status query_run(const struct engine *engine, struct query *query, struct error *err);
void query_finish(struct query *query);

#endif
