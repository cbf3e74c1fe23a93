/*
 * churn - series come and go for a week of compressed time, and memory ends as in a process that
 * has only ever seen what is held now.
 */
#include <stdio.h>

#include "alloc/memstats.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

enum {
    STEP_MS = 60 * 60 * 1000,
    LIVE = 1000,         /* series at a time, */
    BORN = 40,           /* of which so many are replaced at every step */
    WEEK_STEPS = 7 * 24, /* a week of hours */
    HELD_STEPS = 32,     /* as many as the windows hold */
    BURST = 12000,       /* series of one step in the middle */
    BURST_STEP = 48
};

static const enum heap_tag tags[] = {HEAP_SERIES, HEAP_LABELS, HEAP_INDEX, HEAP_CHUNKS};

struct usage {
    uint64_t requested[HEAP_TAG_COUNT];
    uint64_t inuse; /* pages of spans that hold anything */
};

static struct usage usage_now(void)
{
    static struct memstats m;
    struct usage u;
    heap_flush_thread();
    memstats_read(&m);
    u.inuse = m.heap_inuse;
    memcpy(u.requested, m.tag_requested, sizeof(u.requested));
    return u;
}

static struct labels labels_made(struct arena *a, uint32_t n)
{
    const char *pod = arena_printf(a, "pod-%u", n / 5).data;
    const char *id = arena_printf(a, "id-%u-of-a-series", n).data;
    const char *name = arena_printf(a, "metric_%u", n % 50).data;
    return store_labels(a, "__name__", name, "pod", pod, "id", id, "job", "churn", NULL);
}

static void append_range(struct store *s, uint32_t first, uint32_t count, int64_t t_ms)
{
    struct append_result result;
    struct appender *app;
    struct error err;
    struct sample sample = {.t_ms = t_ms, .v = 1};
    ck_assert(appender_begin(s->db, &s->arena, &app, &err) == OK);
    for (uint32_t n = first; n < first + count; n++)
        ck_assert(appender_add(app, labels_made(&s->arena, n), &sample, 1, &err) == OK);
    ck_assert_msg(appender_commit(app, &result, &err) == OK, "%s", err.text);
    ck_assert_uint_eq(result.stored, count);
    arena_reset(&s->arena);
}

/* The steps [first, end) of the week; the clock goes with them. */
static void live_through(struct store *s, int64_t start_ms, uint32_t first, uint32_t end,
                         bool burst)
{
    for (uint32_t step = first; step < end; step++) {
        int64_t t_ms = start_ms + (int64_t)step * STEP_MS;
        clock_advance(t_ms - clock_wall_ms());
        append_range(s, step * BORN, LIVE, t_ms);
        if (burst && step == BURST_STEP) append_range(s, 1000000, BURST, t_ms);
        store_settle(s);
    }
}

/* A hash table that was larger once may stay twice as large as it would be (that, too, is counted:
 * storage_spare_bytes); all else is the same. */
#define TABLES 1.15

static void check_close(const struct usage *before, const struct usage *aged,
                        const struct usage *fresh)
{
    for (size_t i = 0; i < ARRAY_COUNT(tags); i++) {
        double a = (double)(aged->requested[tags[i]] - before->requested[tags[i]]);
        double f = (double)(fresh->requested[tags[i]] - before->requested[tags[i]]);
        printf("%s: %.0f after a week, %.0f fresh\n", heap_tag_name(tags[i]), a, f);
        ck_assert_msg(a <= f * TABLES, "%s: %.0f after a week, %.0f fresh", heap_tag_name(tags[i]),
                      a, f);
    }
    printf("in use: %lu after a week, %lu fresh\n", (unsigned long)(aged->inuse - before->inuse),
           (unsigned long)(fresh->inuse - before->inuse));
}

static void compare(bool burst)
{
    struct store s;
    struct usage before = usage_now();
    store_open(&s);
    live_through(&s, STORE_NOW_MS, 0, WEEK_STEPS, burst);
    struct usage aged = usage_now();
    store_close(&s);

    store_open(&s);
    clock_advance((int64_t)(WEEK_STEPS - HELD_STEPS) * STEP_MS);
    live_through(&s, STORE_NOW_MS, WEEK_STEPS - HELD_STEPS, WEEK_STEPS, false);
    struct usage fresh = usage_now();
    store_close(&s);
    check_close(&before, &aged, &fresh);
}

START_TEST(a_week_of_churn_leaves_nothing_behind)
{
    compare(false);
}
END_TEST

START_TEST(a_burst_of_series_leaves_nothing_behind)
{
    compare(true);
}
END_TEST

SUITE(churn, a_week_of_churn_leaves_nothing_behind, a_burst_of_series_leaves_nothing_behind)
