/*
 * finding - series, names and values by random matchers and ranges, while series come and go,
 * against a model that looks at everything.
 */
#include "storage/querier.h"

#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

enum { SERIES = 700, WINDOWS = 9, STEPS = 40, ASKED = 25, MATCHERS_MAX = 3 };

/* Series i has labels that depend on i alone; `last_ms` of each window it has samples in. */
struct model {
    struct store store;
    struct labels labels[SERIES];
    int64_t samples_ms[SERIES][WINDOWS]; /* by window mod WINDOWS; INT64_MIN: none */
    struct arena names;
    unsigned seed;
};

static unsigned draw(struct model *m, unsigned below)
{
    m->seed = m->seed * 1664525u + 1013904223u;
    return (m->seed >> 8) % below;
}

static void name_series(struct model *m)
{
    static const char *const jobs[] = {"node", "shop", "kube"};
    for (unsigned i = 0; i < SERIES; i++) {
        struct str pod =
            arena_printf(&m->names, "%s-%x-%02u", jobs[i % 3], i * 2654435761u, i % 50);
        struct str host = arena_printf(&m->names, "h%u", i % 13);
        if (i % 7 == 0)
            m->labels[i] = store_labels(&m->names, "__name__", "up", "pod", pod.data, NULL);
        else if (i % 11 == 0)
            m->labels[i] = store_labels(&m->names, "__name__", "up", "host", host.data, "i",
                                        arena_printf(&m->names, "%u", i).data, NULL);
        else
            m->labels[i] = store_labels(&m->names, "__name__", i % 5 ? "load" : "cpu", "host",
                                        host.data, "job", jobs[i % 3], "pod", pod.data, NULL);
        for (int w = 0; w < WINDOWS; w++)
            m->samples_ms[i][w] = INT64_MIN;
    }
}

static int64_t now_ms(void)
{
    return clock_wall_ms();
}

/* A few series get a sample now, or late. */
static void append_some(struct model *m)
{
    struct storage_bounds b = storage_bounds(m->store.db);
    unsigned first = draw(m, SERIES);
    unsigned count = draw(m, 200);
    for (unsigned n = 0; n < count; n++) {
        unsigned i = (first + n) % SERIES;
        int64_t t_ms = now_ms() - (int64_t)draw(m, 4) * HOUR_MS * draw(m, 7);
        if (t_ms < b.oldest_ms) t_ms = b.oldest_ms;
        int64_t window = storage_window_of(m->store.db, t_ms);
        store_append(&m->store, m->labels[i], t_ms, 1);
        m->samples_ms[i][window % WINDOWS] = t_ms;
    }
}

struct asked {
    struct matcher matchers[MATCHERS_MAX];
    struct select_request request;
};

static struct matcher draw_matcher(struct model *m)
{
    static const char *const names[] = {"__name__", "job", "host", "pod", "none"};
    static const char *const values[] = {"up", "load", "node", "h3", "", "node-0-00", "x"};
    static const char *const patterns[] = {
        "",        ".*",        ".+",       "node|shop", "up|cpu|",    "h(1|2|3|11)",
        "node-.*", ".*-0[0-9]", ".*f1.*",   "h[0-9]+",   "(no|sh).*",  "[a-z]+-[0-9]+-.*",
        "load|x",  ".*-12",     "(?i)NODE", "shop|",     "kube-.*1.*", "h1"};
    struct matcher out;
    if (draw(m, 3) == 0)
        out =
            store_matcher(draw(m, 2) ? MATCH_EQUAL : MATCH_NOT_EQUAL,
                          names[draw(m, ARRAY_COUNT(names))], values[draw(m, ARRAY_COUNT(values))]);
    else
        out = store_matcher(draw(m, 3) ? MATCH_REGEX : MATCH_NOT_REGEX,
                            names[draw(m, ARRAY_COUNT(names))],
                            patterns[draw(m, ARRAY_COUNT(patterns))]);
    return out;
}

static void draw_request(struct model *m, struct asked *asked)
{
    struct storage_bounds b = storage_bounds(m->store.db);
    asked->request = (struct select_request){
        .matchers = asked->matchers, .matcher_count = 1 + draw(m, MATCHERS_MAX), .sorted = true};
    for (size_t i = 0; i < asked->request.matcher_count; i++)
        asked->matchers[i] = draw_matcher(m);
    asked->request.t_min_ms = INT64_MIN;
    asked->request.t_max_ms = INT64_MAX;
    if (draw(m, 3)) asked->request.t_min_ms = b.oldest_ms + (int64_t)draw(m, 33) * HOUR_MS;
    if (draw(m, 3)) asked->request.t_max_ms = b.oldest_ms + (int64_t)draw(m, 33) * HOUR_MS;
}

/* A chunk in a window of the range is enough: selecting does not decode. */
static bool is_in_range(const struct model *m, unsigned i, const struct select_request *r)
{
    struct storage_bounds b = storage_bounds(m->store.db);
    int64_t from_ms = r->t_min_ms > b.oldest_ms ? r->t_min_ms : b.oldest_ms;
    int64_t to_ms = r->t_max_ms < b.newest_ms ? r->t_max_ms : b.newest_ms;
    if (from_ms > to_ms) return false;
    for (int w = 0; w < WINDOWS; w++) {
        int64_t t_ms = m->samples_ms[i][w];
        if (t_ms < b.oldest_ms) continue;
        int64_t window = storage_window_of(m->store.db, t_ms);
        if (window >= storage_window_of(m->store.db, from_ms) &&
            window <= storage_window_of(m->store.db, to_ms))
            return true;
    }
    return false;
}

static bool is_meant(const struct model *m, unsigned i, const struct select_request *r)
{
    for (size_t k = 0; k < r->matcher_count; k++) {
        struct str value = labels_get(m->labels[i], r->matchers[k].name);
        if (!matcher_matches(&r->matchers[k], value)) return false;
    }
    return is_in_range(m, i, r);
}

static int compare_strs(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

/* Distinct values of a name among the series that are meant, or names when name is empty. */
static size_t expected_list(const struct model *m, const bool *meant, struct str name,
                            struct str *out)
{
    size_t count = 0;
    for (unsigned i = 0; i < SERIES; i++) {
        for (size_t l = 0; meant[i] && l < m->labels[i].count; l++) {
            struct label label = m->labels[i].items[l];
            if (name.size && !str_equal(label.name, name)) continue;
            struct str text = name.size ? label.value : label.name;
            size_t at = 0;
            while (at < count && !str_equal(out[at], text))
                at++;
            if (at == count) out[count++] = text;
        }
    }
    if (count > 1) qsort(out, count, sizeof(*out), compare_strs);
    return count;
}

static void expect_list(const struct str_list *list, const struct str *expected, size_t count)
{
    ck_assert_uint_eq(list->count, count);
    for (size_t i = 0; i < count; i++)
        EXPECT(str_equal(list->items[i], expected[i]));
}

static void ask(struct model *m, const struct asked *asked)
{
    static const char *const names[] = {"__name__", "job", "host", "pod", "i", "none"};
    static bool meant[SERIES];
    static struct str texts[SERIES];
    struct selection selection;
    struct str_list list;
    struct error err;
    struct querier *q = store_query(&m->store);
    size_t expected = 0;
    for (unsigned i = 0; i < SERIES; i++)
        expected += meant[i] = is_meant(m, i, &asked->request);
    ck_assert_msg(querier_select(q, &asked->request, &selection, &err) == OK, "%s", err.text);
    ck_assert_uint_eq(selection.count, expected);
    for (size_t n = 0; n < selection.count; n++) {
        unsigned i = 0;
        while (!labels_equal(m->labels[i], labels_of(selection.series[n])))
            i++;
        EXPECT(meant[i]);
    }
    ck_assert(querier_label_names(q, &asked->request, &list, &err) == OK);
    expect_list(&list, texts, expected_list(m, meant, (struct str){0}, texts));
    struct str name = str_from(names[draw(m, ARRAY_COUNT(names))]);
    ck_assert(querier_label_values(q, name, &asked->request, &list, &err) == OK);
    expect_list(&list, texts, expected_list(m, meant, name, texts));
    querier_close(q);
    arena_reset(&m->store.arena);
}

START_TEST(everything_is_found_that_a_look_at_all_would_find)
{
    static struct model m = {.seed = 7};
    struct storage_stats stats;
    store_open(&m.store);
    arena_init(&m.names, HEAP_PROCESS, UINT64_C(1) << 24);
    name_series(&m);
    for (int step = 0; step < STEPS; step++) {
        append_some(&m);
        if (step % 20 == 13) storage_hurry(m.store.db, true);
        if (step % 20 == 15) storage_hurry(m.store.db, false);
        for (int n = 0; n < ASKED; n++) {
            struct asked asked;
            draw_request(&m, &asked);
            ask(&m, &asked);
            if (n % 3 == 0) ask(&m, &asked); /* from memory now */
            for (size_t i = 0; i < asked.request.matcher_count; i++)
                matcher_release(&asked.matchers[i]);
        }
        clock_advance((int64_t)draw(&m, 3) * HOUR_MS);
        if (step % 4 == 3) store_settle(&m.store);
    }
    storage_stats_read(m.store.db, &stats);
    ck_assert_uint_gt(stats.match_hits, 100);
    ck_assert_uint_gt(stats.series_forgotten, 20);
    arena_release(&m.names);
    store_close(&m.store);
}
END_TEST

SUITE(finding, everything_is_found_that_a_look_at_all_would_find)
