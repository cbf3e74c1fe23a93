/*
 * store - a storage with a frozen clock, and the few steps every test of it takes.
 */
#ifndef HEARTH_TESTS_UNIT_STORAGE_STORE_H
#define HEARTH_TESTS_UNIT_STORAGE_STORE_H

#include <check.h>
#include <stdarg.h>

#include "base/clock.h"
#include "model/matcher.h"
#include "storage/appender.h"
#include "storage/export.h"
#include "storage/querier.h"
#include "storage/storage.h"
#include "tests/unit/labels_of.h"

/* 2026-01-01T06:00:00Z: in the middle of a 4-hour window. */
#define STORE_NOW_MS INT64_C(1767247200000)
#define HOUR_MS      INT64_C(3600000)

struct store {
    struct storage *db;
    struct arena arena; /* of the test; reset it at will */
};

static inline void store_open_with(struct store *s, struct storage_options options)
{
    struct error err;
    clock_freeze(STORE_NOW_MS);
    arena_init(&s->arena, HEAP_QUERY, UINT64_C(1) << 30);
    ck_assert_msg(storage_open(&options, &s->db, &err) == OK, "%s", err.text);
}

static inline void store_open(struct store *s)
{
    struct storage_options options = storage_options_default();
    options.shards = 4;
    store_open_with(s, options);
}

static inline void store_close(struct store *s)
{
    storage_check(s->db);
    storage_close(s->db);
    arena_release(&s->arena);
    clock_thaw();
}

static inline struct storage_stats store_stats(const struct store *s)
{
    struct storage_stats stats;
    storage_stats_read(s->db, &stats);
    return stats;
}

/* Run background work until there is none. */
static inline void store_settle(struct store *s)
{
    while (storage_maintain(s->db))
        continue;
}

/* name, value, name, value, ..., NULL on the arena. */
static inline struct labels store_labels(struct arena *a, ...)
{
    struct label items[32];
    struct labels view;
    struct labels out;
    struct error err;
    size_t count = 0;
    va_list args;
    va_start(args, a);
    for (const char *name; (name = va_arg(args, const char *)) != NULL; count++)
        items[count] = (struct label){str_from(name), str_from(va_arg(args, const char *))};
    va_end(args);
    ck_assert_msg(labels_normalize(items, count, &view, &err) == OK, "%s", err.text);
    ck_assert(labels_copy(view, a, &out, &err) == OK);
    return out;
}

/* m{i="<number>"} on the arena. */
static inline struct labels store_numbered(struct arena *a, int number)
{
    return store_labels(a, "__name__", "m", "i", arena_printf(a, "%d", number).data, NULL);
}

/* A batch of one series on an arena of its own. */
static inline struct append_result store_append_many(struct store *s, struct labels labels,
                                                     const struct sample *samples, size_t count)
{
    struct append_result result;
    struct appender *app;
    struct arena a;
    struct error err;
    arena_init(&a, HEAP_HTTP, UINT64_C(1) << 28);
    ck_assert(appender_begin(s->db, &a, &app, &err) == OK);
    ck_assert(appender_add(app, labels, samples, count, &err) == OK);
    ck_assert_msg(appender_commit(app, &result, &err) == OK, "%s", err.text);
    arena_release(&a);
    return result;
}

static inline struct append_result store_append(struct store *s, struct labels labels, int64_t t_ms,
                                                double v)
{
    struct sample sample = {.t_ms = t_ms, .v = v};
    return store_append_many(s, labels, &sample, 1);
}

static inline struct matcher store_matcher(enum matcher_type type, const char *name,
                                           const char *value)
{
    struct matcher m;
    struct error err;
    ck_assert_msg(matcher_init(&m, type, str_from(name), str_from(value), &err) == OK, "%s",
                  err.text);
    return m;
}

static inline struct querier *store_query(struct store *s)
{
    struct querier *q;
    struct error err;
    ck_assert(querier_open(s->db, &s->arena, &q, &err) == OK);
    return q;
}

/* Sorted, over all times. */
static inline struct selection store_select(struct querier *q, const struct matcher *matchers,
                                            size_t count)
{
    struct select_request request = {.matchers = matchers,
                                     .matcher_count = count,
                                     .t_min_ms = INT64_MIN,
                                     .t_max_ms = INT64_MAX,
                                     .sorted = true};
    struct selection out;
    struct error err;
    ck_assert_msg(querier_select(q, &request, &out, &err) == OK, "%s", err.text);
    return out;
}

/* All visible samples of one selected series; the arrays are on the arena of the store. */
static inline struct columns store_read(struct store *s, struct querier *q,
                                        const struct series *view)
{
    struct columns columns = {.arena = &s->arena};
    struct error err;
    ck_assert_msg(series_read(q, view, INT64_MIN, INT64_MAX, &columns, &err) == OK, "%s", err.text);
    return columns;
}

/* How many series have samples, and how many samples there are, over all that is visible. */
static inline size_t store_count(struct store *s, size_t *samples)
{
    struct querier *q = store_query(s);
    struct selection selection = store_select(q, NULL, 0);
    size_t count = 0;
    *samples = 0;
    for (size_t i = 0; i < selection.count; i++) {
        struct columns columns = store_read(s, q, selection.series[i]);
        *samples += columns.count;
        count += columns.count > 0;
    }
    querier_close(q);
    arena_reset(&s->arena);
    return count;
}

#endif
