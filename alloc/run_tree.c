/* run_tree - a treap without recursion: descend with a pointer to the link, split and join there.
 */
#include "alloc/run_tree.h"

#include "base/assert.h"

/* Length first, address second: one number. */
static uint64_t key_of(const struct span *run)
{
    return (uint64_t)run->pages << 32 | run->page;
}

static uint64_t priority_of(const struct span *run)
{
    uint64_t mixed = run->page * UINT64_C(0x9E3779B97F4A7C15);
    return mixed ^ mixed >> 29;
}

void run_tree_insert(struct run_tree *tree, struct span *run)
{
    uint64_t key = key_of(run);
    uint64_t priority = priority_of(run);
    struct span **link = &tree->root;
    while (*link && priority_of(*link) >= priority)
        link = key < key_of(*link) ? &(*link)->before : &(*link)->after;

    /* run takes this place; what was below is split around its key. */
    struct span *rest = *link;
    struct span **lower = &run->before;
    struct span **higher = &run->after;
    *link = run;
    while (rest) {
        if (key_of(rest) < key) {
            *lower = rest;
            lower = &rest->after;
            rest = rest->after;
        } else {
            *higher = rest;
            higher = &rest->before;
            rest = rest->before;
        }
    }
    *lower = NULL;
    *higher = NULL;
    tree->count++;
}

void run_tree_remove(struct run_tree *tree, struct span *run)
{
    uint64_t key = key_of(run);
    struct span **link = &tree->root;
    while (*link != run) {
        ASSERT(*link);
        link = key < key_of(*link) ? &(*link)->before : &(*link)->after;
    }

    struct span *lower = run->before;
    struct span *higher = run->after;
    while (lower && higher) {
        if (priority_of(lower) >= priority_of(higher)) {
            *link = lower;
            link = &lower->after;
            lower = lower->after;
        } else {
            *link = higher;
            link = &higher->before;
            higher = higher->before;
        }
    }
    *link = lower ? lower : higher;
    run->before = NULL;
    run->after = NULL;
    tree->count--;
}

struct span *run_tree_best(const struct run_tree *tree, uint32_t pages)
{
    struct span *best = NULL;
    struct span *at = tree->root;
    while (at) {
        if (at->pages >= pages) {
            best = at;
            at = at->before;
        } else {
            at = at->after;
        }
    }
    return best;
}

struct span *run_tree_longest(const struct run_tree *tree)
{
    struct span *at = tree->root;
    while (at && at->after)
        at = at->after;
    return at;
}

struct span *run_tree_next(const struct run_tree *tree, const struct span *run)
{
    uint64_t key = key_of(run);
    struct span *next = NULL;
    struct span *at = tree->root;
    while (at) {
        if (key_of(at) > key) {
            next = at;
            at = at->before;
        } else {
            at = at->after;
        }
    }
    return next;
}

/* The run with the least key above `key`, and its parent checked on the way. */
static const struct span *next_above(const struct run_tree *tree, uint64_t key)
{
    const struct span *best = NULL;
    const struct span *at = tree->root;
    while (at) {
        ASSERT(!at->before ||
               (key_of(at->before) < key_of(at) && priority_of(at->before) <= priority_of(at)));
        ASSERT(!at->after ||
               (key_of(at->after) > key_of(at) && priority_of(at->after) <= priority_of(at)));
        if (key_of(at) > key) {
            best = at;
            at = at->before;
        } else {
            at = at->after;
        }
    }
    return best;
}

void run_tree_check(const struct run_tree *tree)
{
    size_t count = 0;
    uint64_t key = 0;
    const struct span *run = NULL;
    while ((run = next_above(tree, key))) {
        key = key_of(run);
        count++;
    }
    ASSERT(count == tree->count);
}
