/* series_map - against an array of what is in it, with many equal hashes. */
#include "storage/series_map.h"

#include <stdio.h>

#include "base/hash.h"
#include "tests/unit/storage/lonely.h"
#include "tests/unit/suite.h"

enum { IDS = 3000, STEPS = 60000 };

/* Few distinct hashes, so that runs are long and equal hashes common. */
static uint32_t hash_of(uint32_t local)
{
    return (uint32_t)hash_mix(7, local % 500) & 0xFFFF003Fu;
}

static bool map_has(const struct series_map *m, uint32_t local)
{
    uint32_t cursor = SERIES_MAP_NONE;
    uint32_t found;
    size_t times = 0;
    while ((found = series_map_next(m, hash_of(local), &cursor)) != SERIES_MAP_NONE)
        times += found == local;
    EXPECT(times <= 1);
    return times == 1;
}

START_TEST(a_random_walk_agrees_with_an_array)
{
    struct series_map m = {0};
    bool present[IDS] = {false};
    uint64_t random = 42;
    printf("seed 42\n");
    for (int step = 0; step < STEPS; step++) {
        random = hash_mix(random, 1);
        uint32_t local = (uint32_t)(random % IDS);
        bool adding = step < STEPS / 2 ? random >> 40 & 3 : !(random >> 40 & 3);
        if (adding && !present[local]) {
            EXPECT(series_map_reserve(&m));
            series_map_insert(&m, hash_of(local), local);
            present[local] = true;
        } else if (!adding && present[local]) {
            series_map_remove(&m, hash_of(local), local);
            present[local] = false;
        }
        EXPECT(map_has(&m, local) == present[local]);
        if (step % 5000 == 0) series_map_check(&m);
    }
    for (uint32_t local = 0; local < IDS; local++) {
        EXPECT(map_has(&m, local) == present[local]);
        if (present[local]) series_map_remove(&m, hash_of(local), local);
    }
    ck_assert_uint_eq(m.count, 0);
    ck_assert_ptr_null(m.entries); /* an empty map holds no memory */
    series_map_release(&m);
}
END_TEST

START_TEST(entries_alone_in_their_span_move_and_others_stay)
{
    enum { ENTRIES = 20 };
    struct series_map m = {0};
    struct lonely l = {.size = 32 * sizeof(*m.entries)};
    lonely_surround(&l);
    for (uint32_t local = 0; local < ENTRIES; local++) {
        ck_assert(series_map_reserve(&m));
        series_map_insert(&m, hash_of(local), local);
    }
    ck_assert_uint_eq(m.capacity * sizeof(*m.entries), l.size);
    lonely_surround(&l);
    const struct series_map_entry *before = m.entries;
    series_map_move(&m);
    ck_assert_ptr_eq(m.entries, before);
    lonely_leave(&l, m.entries);
    heap_fail_after(0);
    series_map_move(&m);
    heap_fail_after(UINT64_MAX);
    ck_assert_ptr_eq(m.entries, before);
    series_map_move(&m);
    ck_assert(!heap_is_emptying(m.entries));
    for (uint32_t local = 0; local < ENTRIES; local++)
        ck_assert(map_has(&m, local));
    series_map_check(&m);
    series_map_release(&m);
    lonely_end(&l);
}
END_TEST

SUITE(series_map, a_random_walk_agrees_with_an_array,
      entries_alone_in_their_span_move_and_others_stay)
