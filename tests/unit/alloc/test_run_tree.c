/* run_tree: a random walk against an array that is searched from end to end. */
#include "alloc/run_tree.h"

#include <stdbool.h>

#include "tests/unit/alloc/random.h"
#include "tests/unit/suite.h"

enum { RUNS = 600, STEPS = 60000 };

/* A span ends in an array of no length here, so records cannot lie in an array of their own. */
static struct span *runs[RUNS];
static bool inside[RUNS];

static struct span *naive_best(uint32_t pages)
{
    struct span *best = NULL;
    for (int i = 0; i < RUNS; i++) {
        struct span *run = runs[i];
        if (!inside[i] || run->pages < pages) continue;
        if (!best || run->pages < best->pages ||
            (run->pages == best->pages && run->page < best->page))
            best = run;
    }
    return best;
}

START_TEST(an_empty_tree_has_nothing_to_give)
{
    struct run_tree tree = {0};
    ck_assert_ptr_null(run_tree_best(&tree, 1));
    ck_assert_ptr_null(run_tree_longest(&tree));
    run_tree_check(&tree);
}
END_TEST

START_TEST(finds_the_shortest_then_lowest_run_after_any_history)
{
    struct random r = random_start("run_tree");
    struct run_tree tree = {0};
    for (int i = 0; i < RUNS; i++)
        ck_assert_ptr_nonnull(runs[i] = heap_calloc(1, sizeof(struct span), HEAP_PROCESS));
    for (int step = 0; step < STEPS; step++) {
        uint32_t i = (uint32_t)random_below(&r, RUNS);
        if (inside[i]) {
            run_tree_remove(&tree, runs[i]);
        } else {
            *runs[i] = (struct span){.page = i * 1000 + 1, .pages = (uint32_t)random_size(&r, 999)};
            run_tree_insert(&tree, runs[i]);
        }
        inside[i] = !inside[i];
        uint32_t pages = (uint32_t)random_size(&r, 1100);
        ck_assert_ptr_eq(run_tree_best(&tree, pages), naive_best(pages));
        if (step % 1000 == 0) run_tree_check(&tree);
    }
    struct span *longest = run_tree_longest(&tree);
    ck_assert_ptr_nonnull(longest);
    ck_assert_ptr_null(naive_best(longest->pages + 1));
    size_t walked = 0;
    for (struct span *run = run_tree_best(&tree, 1); run; walked++) {
        struct span *next = run_tree_next(&tree, run);
        /* No other run lies between the two. */
        if (next) ck_assert(next->pages > run->pages || next->page > run->page);
        run = next;
    }
    ck_assert_uint_eq(walked, tree.count);
    for (int i = 0; i < RUNS; i++)
        heap_free(runs[i], sizeof(struct span), HEAP_PROCESS);
}
END_TEST

SUITE(run_tree, an_empty_tree_has_nothing_to_give,
      finds_the_shortest_then_lowest_run_after_any_history)
