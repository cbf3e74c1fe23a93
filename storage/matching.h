/*
 * matching - what a list of matchers means for this index.
 *
 * A matcher that does not match the empty value asks for one of some values of its label: a term
 * that includes. One that does match it ({job=""}, {job!="x"}, {job=~".*"}) forbids the values it
 * does not match: a term that excludes, and none at all when it matches everything. Terms hold
 * symbols, so that a series is tested by comparing pointers.
 *
 * In order of cost: literals, and expressions that come down to them, are looked up first. Other
 * expressions run once per distinct value, without any lock, and the result is remembered
 * (storage/match_cache.h). When the terms before leave fewer series than there are values, an
 * expression is asked of these series instead.
 *
 * Threads: a plan belongs to one query, inside its epoch; it lives as long as the request. The
 * plan does not know values that appear later, and series born after `newest_birth` are not part of
 * the answer.
 */
#ifndef HEARTH_STORAGE_MATCHING_H
#define HEARTH_STORAGE_MATCHING_H

#include "model/matcher.h"
#include "storage/querier.h"
#include "storage/series.h"
#include "storage/state.h"

struct match_term {
    const struct symbol *name;
    bool exclude;
    bool any;               /* every value of the name */
    struct symbol **values; /* on the arena, in order of address; of `any` only when they are few */
    size_t count;
    const struct matcher
        *pattern; /* asked of each series; no values then; NULL: values say it all */
};

struct match_plan {
    struct match_term *terms; /* on the arena; fewest values first, then `any`, then patterns */
    size_t count;
    bool impossible; /* no series can match */
    uint64_t newest_birth;
    const struct select_request *request;
};

/* Of the matchers of a request. ERR_TOO_LARGE, ERR_NO_MEMORY from the arena, or what its tick says.
 */
MUST_USE enum status match_plan_build(struct storage *db, const struct select_request *request,
                                      struct arena *a, struct match_plan *out, struct error *err);

/* One of so many values or series was tried. An expression may take milliseconds for a text. */
static inline enum status match_tick(const struct select_request *request, size_t i,
                                     struct error *err)
{
    enum { TICKED = 64, WORK_OF_A_MATCH = 256 };
    if (i % TICKED || !request->tick) return OK;
    return request->tick(request->tick_self, (uint64_t)TICKED * WORK_OF_A_MATCH, err);
}

/* It asks for one of some values: their sets can be looked up. */
static inline bool match_term_has_sets(const struct match_term *term)
{
    return !term->exclude && !term->any && !term->pattern;
}

bool match_term_accepts(const struct match_term *term, const struct series *s);

/* Some expression is asked of each series. */
static inline bool match_plan_has_patterns(const struct match_plan *plan)
{
    return plan->count > 0 && plan->terms[plan->count - 1].pattern;
}

#endif
