/* querier - selecting and reading: examples, then a random walk against a naive store. */
#include "storage/querier.h"

#include <stdio.h>

#include "base/bits.h"
#include "base/hash.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

START_TEST(what_is_not_retained_any_more_is_invisible_at_once)
{
    struct store s;
    struct str_list list;
    struct error err;
    struct select_request all = {.t_min_ms = INT64_MIN, .t_max_ms = INT64_MAX};
    store_open(&s);
    store_append(&s, store_labels(&s.arena, "__name__", "old", NULL), STORE_NOW_MS, 1);
    clock_advance(32 * HOUR_MS);
    store_append(&s, store_labels(&s.arena, "__name__", "new", NULL), STORE_NOW_MS + 32 * HOUR_MS,
                 1);
    for (int settled = 0; settled < 2; settled++) {
        struct querier *q = store_query(&s);
        struct selection selection = store_select(q, NULL, 0);
        ck_assert_uint_eq(selection.count, 1);
        ck_assert(
            str_equal(labels_get(labels_of(selection.series[0]), LABEL_METRIC_NAME), STR("new")));
        ck_assert(querier_label_values(q, LABEL_METRIC_NAME, &all, &list, &err) == OK);
        ck_assert_uint_eq(list.count, 1);
        ck_assert(str_equal(list.items[0], STR("new")));
        querier_close(q);
        store_settle(&s);
    }
    store_close(&s);
}
END_TEST

START_TEST(an_open_querier_keeps_what_it_selected)
{
    struct store s;
    store_open(&s);
    struct labels old = store_labels(&s.arena, "__name__", "old", NULL);
    store_append(&s, old, STORE_NOW_MS, 1);
    struct querier *q = store_query(&s);
    struct selection selection = store_select(q, NULL, 0);
    clock_advance(64 * HOUR_MS);
    store_settle(&s);
    struct storage_stats stats;
    storage_stats_read(s.db, &stats);
    ck_assert_uint_eq(stats.series, 0);
    ck_assert(labels_equal(labels_of(selection.series[0]), old)); /* the texts are still there */
    (void)store_read(&s, q, selection.series[0]);
    querier_close(q);
    store_settle(&s);
    store_close(&s);
}
END_TEST

START_TEST(a_full_arena_is_a_clear_error)
{
    struct store s;
    struct arena small;
    struct error err;
    struct selection selection;
    struct select_request all = {.t_min_ms = INT64_MIN, .t_max_ms = INT64_MAX};
    store_open(&s);
    for (int i = 0; i < 3000; i++) {
        struct str text = arena_printf(&s.arena, "%d", i);
        store_append(&s, store_labels(&s.arena, "i", text.data, NULL), STORE_NOW_MS, 1);
    }
    arena_init(&small, HEAP_QUERY, 16384);
    struct querier *q;
    ck_assert(querier_open(s.db, &small, &q, &err) == OK);
    ck_assert_int_eq(querier_select(q, &all, &selection, &err), ERR_TOO_LARGE);
    querier_close(q);
    arena_release(&small);
    store_close(&s);
}
END_TEST

/* The naive store: every sample ever accepted, in arrays. */
enum { WALK_SERIES = 60, WALK_SAMPLES = 4000, WALK_STEPS = 6000 };

struct naive_series {
    struct labels labels;
    struct sample samples[WALK_SAMPLES]; /* ascending */
    size_t count;
};

struct walk {
    struct store store;
    struct arena names; /* what lives as long as the walk */
    struct naive_series *series;
    uint64_t random;
    int64_t chunk_ms;
};

static uint64_t draw(struct walk *w, uint64_t below)
{
    w->random = hash_mix(w->random, 1);
    return (w->random >> 16) % below;
}

static bool visible(const struct storage_bounds *b, int64_t t_ms)
{
    return t_ms >= b->oldest_ms && t_ms <= b->newest_ms;
}

static void naive_forget(struct walk *w, const struct storage_bounds *b)
{
    for (size_t i = 0; i < WALK_SERIES; i++) {
        struct naive_series *n = &w->series[i];
        size_t kept = 0;
        for (size_t s = 0; s < n->count; s++) {
            if (n->samples[s].t_ms >= b->oldest_ms) n->samples[kept++] = n->samples[s];
        }
        n->count = kept;
    }
}

/* What storage should say to one sample, and the sample put in its place. */
static void naive_append(struct naive_series *n, const struct storage_bounds *b,
                         const struct sample *sample, struct append_result *expected)
{
    size_t at = n->count;
    if (!visible(b, sample->t_ms)) {
        expected->refused[sample->t_ms < b->oldest_ms ? REFUSED_TOO_OLD : REFUSED_TOO_NEW]++;
        return;
    }
    while (at > 0 && n->samples[at - 1].t_ms > sample->t_ms)
        at--;
    if (at > 0 && n->samples[at - 1].t_ms == sample->t_ms) {
        if (bits_from_double(n->samples[at - 1].v) == bits_from_double(sample->v))
            expected->duplicates++;
        else
            expected->refused[REFUSED_CONFLICT]++;
        return;
    }
    ck_assert_uint_lt(n->count, WALK_SAMPLES);
    memmove(&n->samples[at + 1], &n->samples[at], (n->count - at) * sizeof(*sample));
    n->samples[at] = *sample;
    n->count++;
    expected->stored++;
}

static void step_append(struct walk *w)
{
    struct storage_bounds b = storage_bounds(w->store.db);
    struct naive_series *n = &w->series[draw(w, WALK_SERIES)];
    struct sample samples[8];
    size_t count = 1 + draw(w, ARRAY_COUNT(samples));
    struct append_result expected = {0};
    int64_t t_ms = n->count && draw(w, 4) ? n->samples[n->count - 1].t_ms + 1
                                          : b.oldest_ms - 50 + (int64_t)draw(w, 1200);
    for (size_t i = 0; i < count; i++) {
        double v = draw(w, 8) ? (double)draw(w, 4) : bits_to_double(STALE_NAN_BITS);
        samples[i] = (struct sample){t_ms, v};
        naive_append(n, &b, &samples[i], &expected);
        t_ms += (int64_t)draw(w, 20) - (draw(w, 4) ? 0 : 30);
    }
    struct append_result result = store_append_many(&w->store, n->labels, samples, count);
    ck_assert_uint_eq(result.stored, expected.stored);
    ck_assert_uint_eq(result.duplicates, expected.duplicates);
    for (size_t reason = 0; reason < REFUSED_REASON_COUNT; reason++)
        ck_assert_uint_eq(result.refused[reason], expected.refused[reason]);
}

static struct matcher draw_matcher(struct walk *w)
{
    static const char *const names[] = {"__name__", "job", "i", "zone", "none"};
    static const char *const literals[] = {"", "a", "b", "m1", "m2", "3", "7", "z"};
    static const char *const patterns[] = {"",   ".*",      ".+",      "a|b", "m[0-2]",
                                           "|a", "[3-5].*", "nothing", "a",   "m1|m2|z"};
    enum matcher_type type = (enum matcher_type)draw(w, 4);
    bool literal = type == MATCH_EQUAL || type == MATCH_NOT_EQUAL;
    return store_matcher(type, names[draw(w, ARRAY_COUNT(names))],
                         literal ? literals[draw(w, ARRAY_COUNT(literals))]
                                 : patterns[draw(w, ARRAY_COUNT(patterns))]);
}

/* Whether the naive series belongs into the selection. */
static bool naive_selected(const struct walk *w, const struct naive_series *n,
                           const struct select_request *r, const struct storage_bounds *b)
{
    int64_t t_min_ms = r->t_min_ms > b->oldest_ms ? r->t_min_ms : b->oldest_ms;
    int64_t t_max_ms = r->t_max_ms < b->newest_ms ? r->t_max_ms : b->newest_ms;
    bool overlaps = false;
    for (size_t i = 0; i < n->count && t_min_ms <= t_max_ms; i++) {
        int64_t window = bits_floor_div(n->samples[i].t_ms, w->chunk_ms);
        overlaps |= window >= bits_floor_div(t_min_ms, w->chunk_ms) &&
                    window <= bits_floor_div(t_max_ms, w->chunk_ms);
    }
    for (size_t i = 0; i < r->matcher_count && overlaps; i++)
        overlaps = matcher_matches(&r->matchers[i], labels_get(n->labels, r->matchers[i].name));
    return overlaps;
}

static void check_samples(const struct naive_series *n, const struct select_request *r,
                          const struct storage_bounds *b, const struct columns *columns)
{
    size_t at = 0;
    for (size_t i = 0; i < n->count; i++) {
        const struct sample *sample = &n->samples[i];
        if (sample->t_ms < r->t_min_ms || sample->t_ms > r->t_max_ms) continue;
        if (!visible(b, sample->t_ms)) continue;
        EXPECT(at < columns->count);
        EXPECT(columns->t_ms[at] == sample->t_ms);
        EXPECT(bits_from_double(columns->v[at]) == bits_from_double(sample->v));
        at++;
    }
    ck_assert_uint_eq(at, columns->count);
}

/* The newest of the samples in the columns, and none when there is none. */
static void check_newest(struct querier *q, const struct series *view,
                         const struct select_request *r, const struct columns *columns)
{
    struct columns newest = {.arena = columns->arena};
    struct error err;
    EXPECT(series_read_newest(q, view, r->t_min_ms, r->t_max_ms, &newest, &err) == OK);
    EXPECT((newest.count == 0) == (columns->count == 0));
    if (newest.count == 0) return;
    size_t at = newest.count - 1;
    size_t last = columns->count - 1;
    EXPECT(newest.t_ms[at] == columns->t_ms[last]);
    EXPECT(bits_from_double(newest.v[at]) == bits_from_double(columns->v[last]));
}

static void check_values(struct querier *q, const struct select_request *r,
                         const struct selection *selection)
{
    struct str_list list;
    struct error err;
    EXPECT(querier_label_values(q, STR("i"), r, &list, &err) == OK);
    for (size_t i = 0; i < list.count; i++) {
        bool found = false;
        if (i > 0) EXPECT(str_compare(list.items[i - 1], list.items[i]) < 0);
        for (size_t s = 0; s < selection->count && !found; s++)
            found = str_equal(labels_get(labels_of(selection->series[s]), STR("i")), list.items[i]);
        EXPECT(found);
    }
    for (size_t s = 0; s < selection->count; s++) {
        struct str value = labels_get(labels_of(selection->series[s]), STR("i"));
        bool found = value.size == 0;
        for (size_t i = 0; i < list.count && !found; i++)
            found = str_equal(value, list.items[i]);
        EXPECT(found);
    }
    EXPECT(querier_label_names(q, r, &list, &err) == OK);
    for (size_t s = 0; s < selection->count; s++) {
        struct labels labels = labels_of(selection->series[s]);
        for (size_t l = 0; l < labels.count; l++) {
            bool found = false;
            for (size_t i = 0; i < list.count && !found; i++)
                found = str_equal(labels.items[l].name, list.items[i]);
            EXPECT(found);
        }
    }
    EXPECT(selection->count > 0 || list.count == 0);
}

static void step_query(struct walk *w)
{
    struct matcher matchers[3];
    struct error err;
    struct storage_bounds b = storage_bounds(w->store.db);
    struct select_request r = {
        .matchers = matchers,
        .matcher_count = draw(w, 4),
        .t_min_ms = draw(w, 3) ? b.oldest_ms - 100 + (int64_t)draw(w, 1000) : INT64_MIN,
        .t_max_ms = draw(w, 3) ? b.newest_ms + 100 - (int64_t)draw(w, 1000) : INT64_MAX,
        .sorted = true,
    };
    for (size_t i = 0; i < r.matcher_count; i++)
        matchers[i] = draw_matcher(w);
    struct querier *q = store_query(&w->store);
    struct selection selection;
    EXPECT(querier_select(q, &r, &selection, &err) == OK);
    size_t expected = 0;
    for (size_t i = 0; i < WALK_SERIES; i++)
        expected += naive_selected(w, &w->series[i], &r, &b);
    ck_assert_uint_eq(selection.count, expected);
    struct columns columns = {.arena = &w->store.arena};
    struct series_reader_request request = {.series = selection.series,
                                            .count = selection.count,
                                            .t_min_ms = r.t_min_ms,
                                            .t_max_ms = r.t_max_ms};
    struct series_reader *reader;
    EXPECT(series_reader_create(q, &request, &w->store.arena, &reader, &err) == OK);
    for (size_t i = 0; i < selection.count; i++) {
        const struct series *view = selection.series[i];
        const struct series *next;
        struct columns *more;
        size_t n = 0;
        while (!labels_equal(w->series[n].labels, labels_of(view)))
            EXPECT(++n < WALK_SERIES);
        EXPECT(naive_selected(w, &w->series[n], &r, &b));
        EXPECT(series_read(q, view, r.t_min_ms, r.t_max_ms, &columns, &err) == OK);
        check_samples(&w->series[n], &r, &b, &columns);
        EXPECT(series_reader_next(reader, &next, &more, &err) == OK);
        EXPECT(next == view);
        check_samples(&w->series[n], &r, &b, more);
        check_newest(q, view, &r, &columns);
    }
    check_values(q, &r, &selection);
    querier_close(q);
    arena_reset(&w->store.arena);
    for (size_t i = 0; i < r.matcher_count; i++)
        matcher_release(&matchers[i]);
}

static void walk_open(struct walk *w, uint64_t seed)
{
    static const char *const jobs[] = {"a", "b", "c", ""};
    struct storage_options options = {.chunk_ms = 100, .windows = 8, .future_ms = 30, .shards = 4};
    *w = (struct walk){.random = seed, .chunk_ms = options.chunk_ms};
    store_open_with(&w->store, options);
    arena_init(&w->names, HEAP_QUERY, 1 << 28);
    w->series = arena_calloc(&w->names, WALK_SERIES, sizeof(*w->series));
    ck_assert_ptr_nonnull(w->series);
    for (int i = 0; i < WALK_SERIES; i++) {
        struct str name = arena_printf(&w->names, "m%d", i % 4);
        struct str number = arena_printf(&w->names, "%d", i);
        w->series[i].labels =
            store_labels(&w->names, "__name__", i % 5 ? name.data : "", "job", jobs[i % 4], "i",
                         number.data, "zone", i % 7 ? "" : "z", NULL);
    }
}

START_TEST(a_random_walk_agrees_with_a_naive_store)
{
    struct walk *w = heap_alloc(sizeof(*w), HEAP_PROCESS);
    ck_assert_ptr_nonnull(w);
    printf("seed 11\n");
    walk_open(w, 11);
    for (int step = 0; step < WALK_STEPS; step++) {
        uint64_t kind = draw(w, 40);
        if (kind < 25) {
            step_append(w);
        } else if (kind < 36) {
            step_query(w);
        } else if (kind < 38) {
            clock_advance((int64_t)draw(w, 60));
            struct storage_bounds b = storage_bounds(w->store.db);
            naive_forget(w, &b);
        } else {
            storage_maintain(w->store.db);
        }
        if (step % 500 == 0) storage_check(w->store.db);
    }
    store_close(&w->store);
    arena_release(&w->names);
    heap_free(w, sizeof(*w), HEAP_PROCESS);
}
END_TEST

SUITE(querier, what_is_not_retained_any_more_is_invisible_at_once,
      an_open_querier_keeps_what_it_selected, a_full_arena_is_a_clear_error,
      a_random_walk_agrees_with_a_naive_store)
