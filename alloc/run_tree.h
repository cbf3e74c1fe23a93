/*
 * run_tree - free runs of pages, ordered by length and then by address: best fit in O(log n).
 *
 * A treap (Seidel and Aragon, 1996): a search tree by (pages, page) that is a heap by a hash of
 * the page, hence balanced in expectation without any balancing data. Nodes are the span records.
 *
 * Threads: LOCK_PAGE_HEAP.
 */
#ifndef HEARTH_ALLOC_RUN_TREE_H
#define HEARTH_ALLOC_RUN_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "alloc/span.h"

struct run_tree {
    struct span *root;
    size_t count;
};

/* Neither page nor pages may change while a run is in the tree. */
void run_tree_insert(struct run_tree *tree, struct span *run);
void run_tree_remove(struct run_tree *tree, struct span *run);

/* The shortest run of at least `pages`, of those the lowest; NULL when there is none. */
struct span *run_tree_best(const struct run_tree *tree, uint32_t pages);

/* The one that follows by length, then address; NULL after the last. */
struct span *run_tree_next(const struct run_tree *tree, const struct span *run);

/* The longest run; NULL when the tree is empty. */
struct span *run_tree_longest(const struct run_tree *tree);

/* Walk the tree; aborts when order or count are broken. */
void run_tree_check(const struct run_tree *tree);

#endif
