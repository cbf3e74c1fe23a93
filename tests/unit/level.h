/*
 * level - how much each owner holds, to see that it is the same again; and whether a run with
 * failing allocations has met one.
 *
 *     struct level before = level_read();
 *     for (bool whole = false; !whole; n = level_next(n)) {
 *         level_inject(n, way);
 *         ... the operation: it succeeds or says ERR_NO_MEMORY ...
 *         whole = level_injection_ended();
 *         ... undo it ...
 *         level_expect(&before);
 *     }
 */
#ifndef HEARTH_TESTS_UNIT_LEVEL_H
#define HEARTH_TESTS_UNIT_LEVEL_H

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

#include "alloc/memstats.h"

struct level {
    uint64_t bytes[HEAP_TAG_COUNT];
    uint64_t objects[HEAP_TAG_COUNT];
};

static UNUSED struct level level_read(void)
{
    static struct memstats s;
    struct level level;
    memstats_read(&s);
    memstats_check(&s);
    for (int t = 0; t < HEAP_TAG_COUNT; t++) {
        level.bytes[t] = s.tag_bytes[t];
        level.objects[t] = s.tag_objects[t];
    }
    return level;
}

static UNUSED void level_expect(const struct level *before)
{
    struct level now = level_read();
    for (int t = 0; t < HEAP_TAG_COUNT; t++) {
        if (now.bytes[t] == before->bytes[t] && now.objects[t] == before->objects[t]) continue;
        ck_abort_msg("%s: %lld bytes in %lld objects more than before",
                     heap_tag_name((enum heap_tag)t), (long long)(now.bytes[t] - before->bytes[t]),
                     (long long)(now.objects[t] - before->objects[t]));
    }
}

enum { LEVEL_WAYS = 2 }; /* to fail: from the n-th allocation on, and only that one */

static UNUSED void level_inject(uint64_t n, int way)
{
    if (way == 0)
        (void)heap_fail_after(n);
    else
        (void)heap_fail_once(n);
}

/* Every n with HEARTH_LONG in the environment, and fewer of the later ones without: where each try
 * costs a store and a folder. */
static UNUSED uint64_t level_next(uint64_t n)
{
    enum { ALL_BELOW = 32 };
    return n + 1 + (getenv("HEARTH_LONG") ? 0 : n / ALL_BELOW);
}

/* Switch the injection off. True when it had allocations left: none has failed. */
static UNUSED bool level_injection_ended(void)
{
    return heap_fail_after(UINT64_MAX) > 0;
}

#endif
