/* matching - matchers to terms of symbols, the cheap ones first. */
#include "storage/matching.h"

#include <stdlib.h>

/* Below this many values a scan beats a binary search. */
enum { SCAN_MAX = 8, PREFETCH_AHEAD = 8 };

static int compare_addresses(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (struct symbol *const *)a;
    uintptr_t y = (uintptr_t) * (struct symbol *const *)b;
    return x < y ? -1 : x > y;
}

static int kind_of(const struct match_term *term)
{
    return term->pattern ? 2 : term->any ? 1 : 0;
}

static int compare_terms(const void *a, const void *b)
{
    const struct match_term *x = a;
    const struct match_term *y = b;
    if (kind_of(x) != kind_of(y)) return kind_of(x) - kind_of(y);
    return x->count < y->count ? -1 : x->count > y->count;
}

/* The texts that a matcher names, if it names all that count: for = and != its value, for =~ and !~
 * those the expression comes down to. */
static const struct str *named_texts(const struct matcher *m, size_t *count)
{
    *count = 1;
    if (m->type == MATCH_EQUAL || m->type == MATCH_NOT_EQUAL) return &m->value;
    const struct str *texts = regex_literals(m->regex, count);
    /* a| matches the empty text: it forbids all values but a, and those have to be looked for. */
    return texts && (*count == 1 || texts[0].size > 0) ? texts : NULL;
}

static enum status term_of_texts(struct storage *db, const struct str *texts, size_t count,
                                 struct match_term *term, struct arena *a, struct error *err)
{
    term->any = texts[0].size == 0; /* {job=""}: no value at all; {job!=""}: any */
    if (term->any) return OK;
    term->values = arena_alloc_array(a, count, sizeof(*term->values));
    if (!term->values) return arena_error(a, err);
    term->count = symbols_find_values(&db->symbols, term->name, texts, count, term->values);
    if (term->count > 1) qsort(term->values, term->count, sizeof(*term->values), compare_addresses);
    return OK;
}

/* Try the expression on every value. */
static enum status try_values(struct storage *db, const struct select_request *request,
                              bool exclude, struct match_question *question,
                              struct match_answer *out, struct arena *a, struct error *err)
{
    const struct matcher *m = question->matcher;
    struct symbol_list list;
    enum status st = symbols_values(&db->symbols, m->name, a, &list, err);
    if (st) return st;
    size_t kept = 0;
    for (size_t i = 0; i < list.count; i++) {
        if (i + PREFETCH_AHEAD < list.count) __builtin_prefetch(list.items[i + PREFETCH_AHEAD]);
        if (matcher_matches(m, symbol_text(list.items[i])) != exclude)
            list.items[kept++] = list.items[i];
        st = match_tick(request, i, err);
        if (st) return st;
    }
    *out = (struct match_answer){.any = kept == list.count && kept > 0, .values = list.items};
    out->count = out->any ? 0 : kept;
    if (out->count > 1) qsort(out->values, out->count, sizeof(*out->values), compare_addresses);
    question->generation = list.generation;
    match_cache_put(&db->matches, question, out);
    return OK;
}

/* least: how many series the other terms leave at most. */
static enum status term_of_pattern(struct storage *db, const struct select_request *request,
                                   const struct matcher *m, uint64_t least, struct match_term *term,
                                   struct arena *a, struct error *err)
{
    struct symbol_name name = symbols_look_up(&db->symbols, m->name);
    struct match_question question = {
        .name = name.symbol, .generation = name.generation, .matcher = m};
    struct match_answer answer = {0};
    if (!name.symbol) return OK; /* it has gone meanwhile, and its series with it */
    term->name = name.symbol;
    if (!match_cache_find(&db->matches, &question, &answer)) {
        if (least < name.values) {
            term->pattern = m;
            return OK;
        }
        enum status st = try_values(db, request, term->exclude, &question, &answer, a, err);
        if (st) return st;
    }
    term->any = answer.any;
    term->values = answer.values;
    term->count = answer.count;
    return OK;
}

/* Add the term to the plan, if it says anything. */
static void plan_add(struct match_plan *plan, const struct match_term *term)
{
    if (term->any || term->count > 0 || term->pattern)
        plan->terms[plan->count++] = *term;
    else
        plan->impossible |= !term->exclude;
}

/* Terms of what is named, of all matchers but those for which nothing is. */
static enum status add_named(struct storage *db, const struct matcher *matchers, size_t count,
                             struct match_plan *plan, struct arena *a, struct error *err)
{
    for (size_t i = 0; i < count && !plan->impossible; i++) {
        const struct matcher *m = &matchers[i];
        size_t text_count;
        const struct str *texts = named_texts(m, &text_count);
        if (!texts) continue;
        struct match_term term = {.name = symbols_find_name(&db->symbols, m->name),
                                  .exclude = matcher_matches_empty(m)};
        if (term.name) {
            enum status st = term_of_texts(db, texts, text_count, &term, a, err);
            if (st) return st;
        }
        plan_add(plan, &term);
    }
    return OK;
}

/* Series that have one of the term's values. */
static uint64_t series_of(const struct match_term *term)
{
    uint64_t series = 0;
    for (size_t i = 0; i < term->count; i++)
        series += atomic_load_explicit(&term->values[i]->refs, memory_order_relaxed);
    return series;
}

static uint64_t least_series(const struct match_plan *plan)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < plan->count; i++) {
        if (!match_term_has_sets(&plan->terms[i])) continue;
        uint64_t series = series_of(&plan->terms[i]);
        if (series < least) least = series;
    }
    return least;
}

static enum status add_patterns(struct storage *db, const struct select_request *request,
                                struct match_plan *plan, struct arena *a, struct error *err)
{
    uint64_t least = least_series(plan);
    for (size_t i = 0; i < request->matcher_count && !plan->impossible; i++) {
        const struct matcher *m = &request->matchers[i];
        size_t text_count;
        if (named_texts(m, &text_count)) continue;
        struct match_term term = {.exclude = matcher_matches_empty(m)};
        enum status st = term_of_pattern(db, request, m, least, &term, a, err);
        if (st) return st;
        plan_add(plan, &term);
        if (match_term_has_sets(&term) && series_of(&term) < least) least = series_of(&term);
    }
    return OK;
}

/* A name that all series have, as __name__, has few values most often: by their sets it is known
 * that no series need be asked. */
static enum status list_any(struct storage *db, struct match_plan *plan, struct arena *a,
                            struct error *err)
{
    enum { LISTED_MAX = 512 };
    enum status st = OK;
    for (size_t i = 0; i < plan->count && !st; i++) {
        struct match_term *term = &plan->terms[i];
        struct str name = symbol_text(term->name);
        struct symbol_list list = {0};
        if (!term->any || term->exclude) continue;
        if (symbols_look_up(&db->symbols, name).values > LISTED_MAX) continue;
        st = symbols_values(&db->symbols, name, a, &list, err);
        term->values = list.items;
        term->count = list.count;
    }
    return st;
}

enum status match_plan_build(struct storage *db, const struct select_request *request,
                             struct arena *a, struct match_plan *out, struct error *err)
{
    size_t count = request->matcher_count;
    /* First the number, then the lists: a series born up to here has its symbols listed. */
    *out = (struct match_plan){.newest_birth = atomic_load(&db->common.births), .request = request};
    out->terms = arena_alloc_array(a, count, sizeof(*out->terms));
    if (!out->terms) return arena_error(a, err);
    enum status st = add_named(db, request->matchers, count, out, a, err);
    if (!st) st = add_patterns(db, request, out, a, err);
    if (!st) st = list_any(db, out, a, err);
    if (out->count > 1) qsort(out->terms, out->count, sizeof(*out->terms), compare_terms);
    return st;
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
    if (term->pattern) return matcher_matches(term->pattern, value ? symbol_text(value) : STR(""));
    return (value && holds(term, value)) != term->exclude;
}
