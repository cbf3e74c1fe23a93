/* match_cache - answers hold for one generation, take bounded memory, and go when told to. */
#include "storage/match_cache.h"

#include <stdio.h>

#include "tests/unit/storage/place.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

static size_t count_matches(struct store *s, enum matcher_type type, const char *name,
                            const char *pattern)
{
    struct matcher m = store_matcher(type, name, pattern);
    struct querier *q = store_query(s);
    size_t count = store_select(q, &m, 1).count;
    querier_close(q);
    matcher_release(&m);
    arena_reset(&s->arena);
    return count;
}

static void append(struct store *s, const char *job, int64_t t_ms)
{
    store_append(s, store_labels(&s->arena, "job", job, NULL), t_ms, 1);
}

START_TEST(an_answer_is_found_again_until_a_value_comes_or_goes)
{
    struct store s;
    store_open(&s);
    append(&s, "node-1", STORE_NOW_MS);
    append(&s, "node-2", STORE_NOW_MS - 28 * HOUR_MS);
    append(&s, "shop", STORE_NOW_MS);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(count_matches(&s, MATCH_REGEX, "job", "node-[0-9]+"), 2);
    ck_assert_uint_eq(store_stats(&s).match_misses, 1);
    ck_assert_uint_eq(store_stats(&s).match_hits, 2);
    ck_assert_uint_eq(count_matches(&s, MATCH_NOT_REGEX, "job", "node-[0-9]+"), 1);
    ck_assert_uint_eq(store_stats(&s).match_misses, 2);
    append(&s, "node-30", STORE_NOW_MS);
    ck_assert_uint_eq(count_matches(&s, MATCH_REGEX, "job", "node-[0-9]+"), 3);
    clock_advance(8 * HOUR_MS);
    store_settle(&s); /* node-2 has gone */
    ck_assert_uint_eq(count_matches(&s, MATCH_REGEX, "job", "node-[0-9]+"), 2);
    ck_assert_uint_eq(store_stats(&s).match_hits, 2);
    ck_assert_uint_eq(count_matches(&s, MATCH_REGEX, "job", "node-[0-9]+"), 2);
    ck_assert_uint_eq(store_stats(&s).match_hits, 3);
    store_close(&s);
}
END_TEST

START_TEST(another_name_with_the_same_values_is_another_question)
{
    struct store s;
    store_open(&s);
    store_append(&s, store_labels(&s.arena, "a", "x1", "b", "y", NULL), STORE_NOW_MS, 1);
    store_append(&s, store_labels(&s.arena, "a", "y", "b", "x1", "c", "z", NULL), STORE_NOW_MS, 1);
    store_append(&s, store_labels(&s.arena, "b", "x2", NULL), STORE_NOW_MS, 1);
    static const char *const patterns[] = {"x[0-9]+", "x[0-8]+", "x[0-7]+", "x[0-6]+"};
    for (int i = 0; i < 8; i++) {
        ck_assert_uint_eq(count_matches(&s, MATCH_REGEX, "a", patterns[i / 2]), 1);
        ck_assert_uint_eq(count_matches(&s, MATCH_REGEX, "b", patterns[i / 2]), 2);
        ck_assert_uint_eq(count_matches(&s, MATCH_REGEX, "a", "[xy][0-9]*"), 2); /* any */
    }
    /* 15 if none of them share a slot: which one that is depends on where the names lie. */
    ck_assert_uint_ge(store_stats(&s).match_hits, 7);
    store_close(&s);
}
END_TEST

START_TEST(answers_go_when_memory_is_short_and_come_back_afterwards)
{
    struct store s;
    store_open(&s);
    append(&s, "node-1", STORE_NOW_MS);
    append(&s, "shop", STORE_NOW_MS);
    ck_assert_uint_eq(count_matches(&s, MATCH_REGEX, "job", "node-[0-9]+"), 1);
    ck_assert_uint_gt(store_stats(&s).match_bytes, 0);
    storage_hurry(s.db, true);
    ck_assert_uint_eq(store_stats(&s).match_bytes, 0);
    for (int i = 0; i < 2; i++)
        ck_assert_uint_eq(count_matches(&s, MATCH_REGEX, "job", "node-[0-9]+"), 1);
    ck_assert_uint_eq(store_stats(&s).match_bytes, 0);
    ck_assert_uint_eq(store_stats(&s).match_hits, 0);
    storage_hurry(s.db, false);
    for (int i = 0; i < 2; i++)
        ck_assert_uint_eq(count_matches(&s, MATCH_REGEX, "job", "node-[0-9]+"), 1);
    ck_assert_uint_eq(store_stats(&s).match_hits, 1);
    store_close(&s);
}
END_TEST

static struct match_question question_of(const struct symbol *name, const struct matcher *m)
{
    return (struct match_question){.name = name, .generation = 1, .matcher = m};
}

START_TEST(all_answers_together_are_bounded)
{
    enum { VALUES = 20000 };
    static struct symbol *values[VALUES];
    struct match_answer answer = {.values = values, .count = VALUES};
    struct match_cache c;
    struct place p;
    struct symbol *name = (struct symbol *)values; /* only compared */
    place_open(&p);
    match_cache_init(&c, p.epoch);
    size_t kept = 0;
    for (unsigned i = 0; i < 300; i++) {
        char pattern[16];
        (void)snprintf(pattern, sizeof(pattern), "a%u[0-9]+", i);
        struct matcher m = store_matcher(MATCH_REGEX, "job", pattern);
        struct match_question q = question_of(name, &m);
        struct match_answer found;
        match_cache_put(&c, &q, &answer);
        ck_assert_uint_le(atomic_load(&c.bytes), MATCH_CACHE_BYTES_MAX);
        ck_assert(match_cache_find(&c, &q, &found));
        ck_assert_uint_eq(found.count, VALUES);
        matcher_release(&m);
    }
    for (size_t i = 0; i < MATCH_CACHE_SLOTS; i++)
        kept += atomic_load(&c.slots[i]) != NULL;
    size_t most = MATCH_CACHE_BYTES_MAX / (VALUES * sizeof(values[0]) + 128);
    ck_assert_uint_le(kept, most);
    ck_assert_uint_ge(kept, most / 2); /* some replace others in their slots */
    match_cache_release(&c);
    place_close(&p);
}
END_TEST

START_TEST(an_answer_too_large_is_not_kept_and_no_memory_is_no_answer)
{
    struct matcher m = store_matcher(MATCH_REGEX, "job", "x[0-9]+");
    static struct symbol *values[MATCH_CACHE_ANSWER_BYTES_MAX / sizeof(struct symbol *)];
    struct match_answer large = {.values = values, .count = ARRAY_COUNT(values)};
    struct match_answer small = {.values = values, .count = 3};
    struct match_answer found;
    struct match_cache c;
    struct place p;
    place_open(&p);
    match_cache_init(&c, p.epoch);
    struct match_question q = question_of((struct symbol *)values, &m);
    match_cache_put(&c, &q, &large);
    ck_assert(!match_cache_find(&c, &q, &found));
    heap_fail_after(0);
    match_cache_put(&c, &q, &small);
    heap_fail_after(UINT64_MAX);
    ck_assert(!match_cache_find(&c, &q, &found));
    match_cache_put(&c, &q, &small);
    ck_assert(match_cache_find(&c, &q, &found));
    match_cache_release(&c);
    place_close(&p);
    matcher_release(&m);
}
END_TEST

SUITE(match_cache, an_answer_is_found_again_until_a_value_comes_or_goes,
      another_name_with_the_same_values_is_another_question,
      answers_go_when_memory_is_short_and_come_back_afterwards, all_answers_together_are_bounded,
      an_answer_too_large_is_not_kept_and_no_memory_is_no_answer)
