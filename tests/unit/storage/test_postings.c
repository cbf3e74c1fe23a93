/* postings - the three forms of a set, intersections, and the table, against naive sets. */
#include "storage/postings.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

enum { IDS = 5000 };

struct naive {
    bool has[IDS];
    size_t count;
};

static void check_equal(const struct posting *p, const struct naive *n)
{
    ck_assert_uint_eq(posting_count(p), n->count);
    for (uint32_t id = 0; id < IDS; id++)
        EXPECT(posting_contains(p, id) == n->has[id]);
}

START_TEST(a_set_grows_and_shrinks_through_all_forms)
{
    struct posting p = {0};
    struct naive n = {.count = 0};
    uint64_t random = 3;
    printf("seed 3\n");
    for (int step = 0; step < 12000; step++) {
        random = hash_mix(random, 1);
        uint32_t id = (uint32_t)(random % IDS);
        bool add = step < 6000;
        if (n.has[id] == add) continue;
        if (add)
            EXPECT(posting_add(&p, id));
        else
            posting_remove(&p, id);
        n.has[id] = add;
        n.count += add ? 1 : (size_t)-1;
        ck_assert_uint_eq(posting_count(&p), n.count);
        if (step % 500 == 0) check_equal(&p, &n);
    }
    for (uint32_t id = 0; id < IDS; id++) {
        if (n.has[id]) posting_remove(&p, id);
    }
    ck_assert_uint_eq(p.word, 0); /* empty sets hold no memory */
}
END_TEST

START_TEST(ids_of_any_size_are_kept)
{
    uint32_t ids[] = {0, 1, 65535, 65536, 1u << 28, UINT32_MAX};
    struct posting p = {0};
    for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
        ck_assert(posting_add(&p, ids[i]));
        for (size_t j = 0; j < ARRAY_COUNT(ids); j++)
            ck_assert(posting_contains(&p, ids[j]) == (j <= i));
    }
    posting_release(&p);
}
END_TEST

static struct posting random_posting(uint64_t seed, size_t one_in, struct naive *n)
{
    struct posting p = {0};
    *n = (struct naive){.count = 0};
    for (uint32_t id = 0; id < IDS; id++) {
        if (hash_mix(seed, id) % one_in) continue;
        EXPECT(posting_add(&p, id));
        n->has[id] = true;
        n->count++;
    }
    return p;
}

START_TEST(intersections_and_differences_agree_with_naive_sets)
{
    static const size_t densities[] = {1, 3, 20, 100, 5000};
    struct arena arena;
    struct error err;
    arena_init(&arena, HEAP_QUERY, 1 << 24);
    for (uint64_t trial = 0; trial < 200; trial++) {
        struct posting sets[4];
        struct naive naive[4];
        for (size_t i = 0; i < 4; i++)
            sets[i] = random_posting(trial * 4 + i, densities[hash_mix(trial, i) % 5], &naive[i]);
        const struct posting *with[] = {&sets[1]};
        const struct posting *without[] = {&sets[2], &sets[3]};
        struct posting_terms terms = {.base = &sets[0],
                                      .with = with,
                                      .with_count = trial % 2,
                                      .without = without,
                                      .without_count = trial / 2 % 3};
        struct id_list list;
        ck_assert(posting_intersect(&terms, &arena, &list, &err) == OK);
        size_t at = 0;
        for (uint32_t id = 0; id < IDS; id++) {
            bool in = naive[0].has[id];
            if (terms.with_count > 0) in = in && naive[1].has[id];
            if (terms.without_count > 0) in = in && !naive[2].has[id];
            if (terms.without_count > 1) in = in && !naive[3].has[id];
            if (!in) continue;
            EXPECT(at < list.count && list.items[at] == id);
            at++;
        }
        ck_assert_uint_eq(at, list.count);
        for (size_t i = 0; i < 4; i++)
            posting_release(&sets[i]);
        arena_reset(&arena);
    }
    arena_release(&arena);
}
END_TEST

/* The table looks at addresses only. */
static struct symbol *symbol_at(size_t n)
{
    return (struct symbol *)(uintptr_t)((n + 1) * 48);
}

START_TEST(the_table_finds_what_was_added_and_forgets_what_is_empty)
{
    enum { SYMBOLS = 3000 };
    struct postings p = {0};
    for (uint32_t id = 0; id < SYMBOLS; id++) {
        struct symbol *symbols[] = {symbol_at(id), symbol_at(id / 10 + SYMBOLS)};
        ck_assert(postings_add(&p, symbols, 2, id));
    }
    postings_check(&p);
    ck_assert_uint_eq(p.count, SYMBOLS + SYMBOLS / 10);
    ck_assert_uint_eq(posting_count(postings_find(&p, symbol_at(SYMBOLS + 5))), 10);
    ck_assert_ptr_null(postings_find(&p, symbol_at(SYMBOLS * 2)));
    for (uint32_t id = 0; id < SYMBOLS; id++) {
        struct symbol *symbols[] = {symbol_at(id), symbol_at(id / 10 + SYMBOLS)};
        postings_remove(&p, symbols, 2, id);
        ck_assert_ptr_null(postings_find(&p, symbol_at(id)));
        if (id % 100 == 0) postings_check(&p);
    }
    ck_assert_uint_eq(p.count, 0);
    ck_assert_ptr_null(p.entries);
}
END_TEST

START_TEST(a_refused_allocation_leaves_the_sets_as_they_were)
{
    struct postings p = {0};
    struct symbol *symbols[] = {symbol_at(1), symbol_at(2), symbol_at(3)};
    for (uint32_t id = 0; id < 40; id++) {
        bool done = false;
        for (uint64_t n = 0; !done; n++) {
            heap_fail_after(n);
            done = postings_add(&p, symbols, 3, id);
            heap_fail_after(UINT64_MAX);
            postings_check(&p);
            for (size_t i = 0; i < 3; i++) {
                const struct posting *set = postings_find(&p, symbols[i]);
                ck_assert_uint_eq(set ? posting_count(set) : 0, done ? id + 1 : id);
            }
        }
    }
    postings_release(&p);
}
END_TEST

SUITE(postings, a_set_grows_and_shrinks_through_all_forms, ids_of_any_size_are_kept,
      intersections_and_differences_agree_with_naive_sets,
      the_table_finds_what_was_added_and_forgets_what_is_empty,
      a_refused_allocation_leaves_the_sets_as_they_were)
