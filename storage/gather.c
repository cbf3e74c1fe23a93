/* gather - choosing the base, narrowing it. */
#include "storage/gather.h"

/* Terms of more values than this are tested on the series: so many lookups in the postings of every
 * shard would hold its lock for long. */
enum { LOOKUPS_MAX = 4096 };

/* How many series of the shard have one of the term's values; stops counting at `enough`. */
static size_t term_size(const struct shard *sh, const struct match_term *term, size_t enough)
{
    size_t size = 0;
    for (size_t i = 0; i < term->count && size < enough; i++) {
        const struct id_set *ids = postings_find(&sh->postings, term->values[i]);
        if (ids) size += id_set_count(ids);
    }
    return size;
}

/* Choose the base: the including term with the fewest series here. false when a term has none. */
static bool choose_base(struct gather *g, const struct shard *sh)
{
    size_t best = id_set_count(&sh->all);
    g->base = NULL;
    for (size_t i = 0; i < g->plan->count; i++) {
        const struct match_term *term = &g->plan->terms[i];
        if (!match_term_has_sets(term)) continue;
        if (term->count > LOOKUPS_MAX || term->count > best) continue;
        size_t size = term_size(sh, term, best + 1);
        if (size == 0) return false;
        if (size > best) continue;
        best = size;
        g->base = term;
    }
    return best > 0;
}

/* One set that all ids can be narrowed by. */
static bool is_one_set(const struct match_term *term)
{
    return term->count == 1 && !term->any;
}

/* Do all series of the shard have the name? Each has at most one value of it. */
static bool is_true_of_all(const struct shard *sh, const struct match_term *term)
{
    return term->any && !term->exclude && term_size(sh, term, SIZE_MAX) == id_set_count(&sh->all);
}

static void collect_narrowing(struct gather *g, const struct shard *sh)
{
    g->with_count = 1;
    g->without_count = 0;
    for (size_t i = 0; i < g->plan->count; i++) {
        const struct match_term *term = &g->plan->terms[i];
        if (term == g->base) continue;
        if (!is_one_set(term)) {
            g->settled = g->settled && is_true_of_all(sh, term);
            continue;
        }
        const struct id_set *ids = postings_find(&sh->postings, term->values[0]);
        if (!ids) continue; /* included ones were found when the base was chosen */
        if (term->exclude)
            g->without[g->without_count++] = ids;
        else
            g->with[g->with_count++] = ids;
    }
}

static enum status gather_list(struct gather *g, const struct id_set *base, struct error *err)
{
    struct id_list *list = &g->lists[g->list_count];
    g->with[0] = base;
    struct id_terms terms = {
        .with = g->with,
        .with_count = g->with_count,
        .without = g->without,
        .without_count = g->without_count,
    };
    enum status st = id_set_intersect(&terms, g->arena, list, err);
    if (st || list->count == 0) return st;
    g->id_count += list->count;
    g->list_count++;
    return OK;
}

static enum status gather_locked(struct gather *g, const struct shard *sh, struct error *err)
{
    enum status st = OK;
    g->list_count = 0;
    g->id_count = 0;
    g->settled = sh->newest_birth <= g->plan->newest_birth;
    if (!choose_base(g, sh)) return OK;
    collect_narrowing(g, sh);
    size_t lists = g->base ? g->base->count : 1;
    g->lists = arena_alloc_array(g->arena, lists, sizeof(*g->lists));
    if (!g->lists) return arena_error(g->arena, err);
    if (!g->base) return gather_list(g, &sh->all, err);
    for (size_t i = 0; i < g->base->count && !st; i++) {
        const struct id_set *ids = postings_find(&sh->postings, g->base->values[i]);
        if (ids) st = gather_list(g, ids, err);
    }
    return st;
}

enum status gather_init(struct gather *g, const struct match_plan *plan, struct arena *a,
                        struct error *err)
{
    *g = (struct gather){.plan = plan, .arena = a};
    g->with = arena_alloc_array(a, plan->count + 1, sizeof(*g->with));
    g->without = arena_alloc_array(a, plan->count, sizeof(*g->without));
    return g->with && g->without ? OK : arena_error(a, err);
}

enum status gather_ids(struct gather *g, struct shard *sh, struct error *err)
{
    rwlock_read_lock(&sh->lock);
    enum status st = gather_locked(g, sh, err);
    rwlock_read_unlock(&sh->lock);
    return st;
}

bool gather_accepts(const struct gather *g, const struct series *s)
{
    if (g->settled) return true;
    if (s->birth > g->plan->newest_birth) return false;
    for (size_t i = 0; i < g->plan->count; i++) {
        const struct match_term *term = &g->plan->terms[i];
        if (term == g->base || is_one_set(term)) continue;
        if (!match_term_accepts(term, s)) return false;
    }
    return true;
}
