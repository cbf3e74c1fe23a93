/* id_set - every form of a set and of its containers, and intersections, beside naive sets. */
#include "storage/id_set.h"

#include <stdlib.h>

#include "alloc/memstats.h"
#include "base/hash.h"
#include "tests/unit/suite.h"

/* Four containers, the last one short. */
enum { IDS = 3 * 65536 + 5000 };

struct naive {
    bool *has; /* [IDS] */
    size_t count;
};

static struct naive naive_create(void)
{
    struct naive n = {.has = calloc(IDS, sizeof(bool))};
    ck_assert_ptr_nonnull(n.has);
    return n;
}

static void check_equal(const struct id_set *s, const struct naive *n)
{
    id_set_check(s);
    ck_assert_uint_eq(id_set_count(s), n->count);
    for (uint32_t id = 0; id < IDS; id++)
        EXPECT(id_set_contains(s, id) == n->has[id]);
}

static void toggle(struct id_set *s, struct naive *n, uint32_t id)
{
    if (n->has[id])
        id_set_remove(s, id);
    else
        EXPECT(id_set_add(s, id));
    n->has[id] = !n->has[id];
    n->count += n->has[id] ? 1 : (size_t)-1;
    EXPECT(id_set_count(s) == n->count);
}

/* Fill and empty a range of ids in random order. */
static void fill_and_empty(uint32_t first, uint32_t width, int steps, uint64_t seed)
{
    struct id_set s = {0};
    struct naive n = naive_create();
    uint64_t random = seed;
    for (int step = 0; step < 2 * steps; step++) {
        random = hash_mix(random, 1);
        uint32_t id = first + (uint32_t)(random % width);
        if (n.has[id] != (step < steps)) toggle(&s, &n, id);
        if (step % (steps / 4) == 0) check_equal(&s, &n);
    }
    for (uint32_t id = 0; id < IDS; id++) {
        if (n.has[id]) toggle(&s, &n, id);
    }
    ck_assert_uint_eq(s.word, 0); /* empty sets hold no memory */
    free(n.has);
}

START_TEST(a_set_grows_and_shrinks_through_all_forms)
{
    fill_and_empty(0, 5000, 6000, 3);
    fill_and_empty(0, IDS, 60000, 4);
    fill_and_empty(65000, 2000, 3000, 5);
    fill_and_empty(0, IDS, 500, 6);
}
END_TEST

START_TEST(ids_of_any_size_are_kept)
{
    uint32_t ids[] = {0, 1, 65535, 65536, 1u << 28, UINT32_MAX};
    for (size_t turn = 0; turn < ARRAY_COUNT(ids); turn++) {
        struct id_set s = {0};
        for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
            ck_assert(id_set_add(&s, ids[(i + turn) % ARRAY_COUNT(ids)]));
            id_set_check(&s);
            for (size_t j = 0; j < ARRAY_COUNT(ids); j++)
                ck_assert(id_set_contains(&s, ids[(j + turn) % ARRAY_COUNT(ids)]) == (j <= i));
        }
        id_set_release(&s);
    }
}
END_TEST

static uint64_t index_bytes(void)
{
    struct memstats m;
    memstats_read(&m);
    return m.tag_requested[HEAP_INDEX];
}

/* Dense sets cost a bit per id of their range, sparse ones two bytes per id and some room to grow,
 * and a set that was larger ends as one that never was. */
START_TEST(a_set_takes_what_its_form_costs)
{
    struct id_set dense = {0};
    struct id_set sparse = {0};
    uint64_t before = index_bytes();
    for (uint32_t id = 0; id < 6250; id++)
        ck_assert(id_set_add(&dense, id));
    uint64_t dense_bytes = index_bytes() - before;
    ck_assert_uint_ge(dense_bytes, 6250 / 8);
    ck_assert_uint_le(dense_bytes, 6250 / 8 * 5 / 4);
    for (uint32_t id = 0; id < 60000; id += 200)
        ck_assert(id_set_add(&sparse, id));
    uint64_t sparse_bytes = index_bytes() - before - dense_bytes;
    ck_assert_uint_le(sparse_bytes, 300 * 2 * 8 / 5);
    for (uint32_t id = 6250; id < 65536; id++)
        ck_assert(id_set_add(&dense, id));
    for (uint32_t id = 6250; id < 65536; id++)
        id_set_remove(&dense, id);
    ck_assert_uint_le(index_bytes() - before - sparse_bytes, dense_bytes * 3 / 2);
    id_set_release(&dense);
    id_set_release(&sparse);
    ck_assert_uint_eq(index_bytes(), before);
}
END_TEST

static struct id_set random_set(uint64_t seed, size_t one_in, struct naive *n)
{
    struct id_set s = {0};
    *n = naive_create();
    for (uint32_t id = 0; id < IDS; id++) {
        if (hash_mix(seed, id) % one_in) continue;
        EXPECT(id_set_add(&s, id));
        n->has[id] = true;
        n->count++;
    }
    if (n->count > 0) return s;
    EXPECT(id_set_add(&s, (uint32_t)(seed % IDS)));
    n->has[seed % IDS] = true;
    n->count++;
    return s;
}

START_TEST(intersections_and_differences_agree_with_naive_sets)
{
    static const size_t densities[] = {1, 3, 20, 100, 5000, 1000000};
    struct arena arena;
    struct error err;
    arena_init(&arena, HEAP_QUERY, 1 << 24);
    for (uint64_t trial = 0; trial < 60; trial++) {
        struct id_set sets[5];
        struct naive naive[5];
        for (size_t i = 0; i < 5; i++)
            sets[i] = random_set(trial * 5 + i, densities[hash_mix(trial, i) % 6], &naive[i]);
        const struct id_set *with[] = {&sets[0], &sets[1], &sets[2]};
        const struct id_set *without[] = {&sets[3], &sets[4]};
        struct id_terms terms = {.with = with,
                                 .with_count = 1 + trial % 3,
                                 .without = without,
                                 .without_count = trial / 3 % 3};
        struct id_list list;
        ck_assert(id_set_intersect(&terms, &arena, &list, &err) == OK);
        size_t at = 0;
        for (uint32_t id = 0; id < IDS; id++) {
            bool in = true;
            for (size_t i = 0; i < terms.with_count; i++)
                in = in && naive[i].has[id];
            for (size_t i = 0; i < terms.without_count; i++)
                in = in && !naive[3 + i].has[id];
            if (!in) continue;
            EXPECT(at < list.count && list.items[at] == id);
            at++;
        }
        ck_assert_uint_eq(at, list.count);
        for (size_t i = 0; i < 5; i++) {
            id_set_release(&sets[i]);
            free(naive[i].has);
        }
        arena_reset(&arena);
    }
    arena_release(&arena);
}
END_TEST

/* Ids that take a set through all of its forms. */
static uint32_t id_at(uint32_t step)
{
    return step < 600 ? step : step < 700 ? 60000 + step : (step - 699) * 65536 + step;
}

START_TEST(a_refused_allocation_leaves_a_set_as_it_was)
{
    struct id_set s = {0};
    for (uint32_t step = 0; step < 710; step++) {
        bool done = false;
        for (uint64_t n = 0; !done; n++) {
            heap_fail_after(n);
            done = id_set_add(&s, id_at(step));
            heap_fail_after(UINT64_MAX);
            id_set_check(&s);
            ck_assert_uint_eq(id_set_count(&s), done ? step + 1 : step);
        }
    }
    for (uint32_t step = 0; step < 710; step++) {
        heap_fail_after(0);
        id_set_remove(&s, id_at(step));
        heap_fail_after(UINT64_MAX);
        id_set_check(&s);
        ck_assert_uint_eq(id_set_count(&s), 709 - step);
    }
    ck_assert_uint_eq(s.word, 0);
}
END_TEST

SUITE(id_set, a_set_grows_and_shrinks_through_all_forms, ids_of_any_size_are_kept,
      a_set_takes_what_its_form_costs, intersections_and_differences_agree_with_naive_sets,
      a_refused_allocation_leaves_a_set_as_it_was)
