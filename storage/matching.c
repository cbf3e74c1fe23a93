/* matching - matchers to terms of symbols. */
#include "storage/matching.h"

#include <stdlib.h>

#include "base/assert.h"

/* Below this many values a scan beats a binary search. */
enum { SCAN_MAX = 8 };

static int compare_addresses(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (struct symbol *const *)a;
    uintptr_t y = (uintptr_t) * (struct symbol *const *)b;
    return x < y ? -1 : x > y;
}

static int compare_terms(const void *a, const void *b)
{
    const struct match_term *x = a;
    const struct match_term *y = b;
    if (x->any != y->any) return x->any ? 1 : -1;
    return x->count < y->count ? -1 : x->count > y->count;
}

/* = and != with a value: one lookup, no list. */
static enum status term_of_literal(struct storage *db, const struct matcher *m,
                                   struct match_term *term, struct arena *a, struct error *err)
{
    term->values = arena_alloc(a, sizeof(*term->values));
    if (!term->values) return arena_error(a, err);
    term->values[0] = symbols_find_value(&db->symbols, m->name, m->value);
    term->count = term->values[0] != NULL;
    return OK;
}

static enum status term_of_pattern(struct storage *db, const struct matcher *m,
                                   struct match_term *term, struct arena *a, struct error *err)
{
    struct symbol_list list;
    enum status st = symbols_values(&db->symbols, m->name, a, &list, err);
    if (st) return st;
    size_t kept = 0;
    for (size_t i = 0; i < list.count; i++) {
        if (matcher_matches(m, symbol_text(list.items[i])) != term->exclude)
            list.items[kept++] = list.items[i];
    }
    term->any = kept == list.count && kept > 0;
    term->values = list.items;
    term->count = term->any ? 0 : kept;
    if (term->count > 1) qsort(term->values, term->count, sizeof(*term->values), compare_addresses);
    return OK;
}

static enum status term_of(struct storage *db, const struct matcher *m, struct match_term *term,
                           struct arena *a, struct error *err)
{
    bool literal = m->type == MATCH_EQUAL || m->type == MATCH_NOT_EQUAL;
    *term = (struct match_term){
        .name = symbols_find_name(&db->symbols, m->name),
        .exclude = matcher_matches_empty(m),
    };
    if (!term->name) return OK;
    if (!literal) return term_of_pattern(db, m, term, a, err);
    if (m->value.size > 0) return term_of_literal(db, m, term, a, err);
    term->any = true; /* {job=""}: no value at all; {job!=""}: any */
    return OK;
}

enum status match_plan_build(struct storage *db, const struct matcher *matchers, size_t count,
                             struct arena *a, struct match_plan *out, struct error *err)
{
    /* First the number, then the lists: a series born up to here has its symbols listed. */
    *out = (struct match_plan){.newest_birth = atomic_load(&db->common.births)};
    out->terms = arena_alloc_array(a, count, sizeof(*out->terms));
    if (!out->terms) return arena_error(a, err);
    for (size_t i = 0; i < count && !out->impossible; i++) {
        struct match_term term;
        enum status st = term_of(db, &matchers[i], &term, a, err);
        if (st) return st;
        if (term.any || term.count > 0)
            out->terms[out->count++] = term;
        else
            out->impossible = !term.exclude;
    }
    if (out->count > 1) qsort(out->terms, out->count, sizeof(*out->terms), compare_terms);
    return OK;
}

static bool holds(const struct match_term *term, struct symbol *value)
{
    if (term->any) return true;
    if (term->count > SCAN_MAX)
        return bsearch(&value, term->values, term->count, sizeof(*term->values),
                       compare_addresses) != NULL;
    for (size_t i = 0; i < term->count; i++) {
        if (term->values[i] == value) return true;
    }
    return false;
}

bool match_term_accepts(const struct match_term *term, const struct series *s)
{
    struct symbol *value = series_find_symbol(s, term->name);
    return (value && holds(term, value)) != term->exclude;
}
