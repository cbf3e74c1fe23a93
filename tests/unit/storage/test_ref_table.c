/* ref_table: a random walk beside a plain array. */
#include "storage/ref_table.h"

#include <stdio.h>

#include "alloc/region.h"
#include "base/clock.h"
#include "tests/unit/suite.h"

enum { OBJECTS = 300, STEPS = 20000, HASHES = 40 };

static bool is_found(const struct ref_table *t, uint64_t hash, uint64_t reference)
{
    uint32_t cursor = REF_TABLE_START;
    uint64_t found;
    while ((found = ref_table_next(t, hash, &cursor)) != REGION_NONE && found != reference)
        continue;
    return found == reference;
}

static void walk(struct ref_table *t)
{
    bool in[OBJECTS] = {false};
    unsigned seed = (unsigned)clock_mono_ns();
    uint32_t count = 0;
    printf("seed %u\n", seed);
    srandom(seed);
    for (int step = 0; step < STEPS; step++) {
        uint32_t i = (uint32_t)random() % OBJECTS;
        uint64_t reference = i + 1;
        uint64_t hash = i % HASHES; /* many of them are the same */
        ck_assert(is_found(t, hash, reference) == in[i]);
        if (in[i])
            ck_assert(ref_table_remove(t, hash, reference));
        else
            ck_assert(!ref_table_remove(t, hash, reference) && ref_table_add(t, hash, reference));
        in[i] = !in[i];
        count += in[i] ? 1 : -1;
        ck_assert_uint_eq(t->count, count);
    }
    ref_table_release(t);
}

START_TEST(references_are_found_while_they_are_in)
{
    struct ref_table t = {0};
    walk(&t);
}
END_TEST

START_TEST(so_they_are_in_entries_on_an_arena)
{
    struct arena a;
    arena_init(&a, HEAP_CHUNKS, UINT64_MAX);
    struct ref_table t = {.arena = &a};
    walk(&t);
    ck_assert_uint_gt(a.held_bytes, 0);
    arena_release(&a);
}
END_TEST

SUITE(ref_table, references_are_found_while_they_are_in, so_they_are_in_entries_on_an_arena)
