/* arena: growth, ceiling, marks. */
#include "alloc/arena.h"

#include <string.h>

#include "alloc/arena_share.h"
#include "alloc/memstats.h"
#include "alloc/poison.h"
#include "tests/unit/alloc/death.h"
#include "tests/unit/alloc/random.h"
#include "tests/unit/suite.h"

enum { NO_CEILING = 1 << 30 };

static uint64_t live_bytes(void)
{
    struct memstats s;
    memstats_read(&s);
    return s.heap_alloc;
}

START_TEST(allocations_are_aligned_and_do_not_overlap)
{
    struct arena a;
    uint8_t *p[500];
    arena_init(&a, HEAP_QUERY, NO_CEILING);
    for (size_t i = 0; i < 500; i++) {
        ck_assert_ptr_nonnull(p[i] = arena_alloc(&a, i * 13 + 1));
        ck_assert_uint_eq((uintptr_t)p[i] % 16, 0);
        memset(p[i], (int)(i & 0xFF), i * 13 + 1);
    }
    for (size_t i = 0; i < 500; i++)
        for (size_t j = 0; j < i * 13 + 1; j++)
            if (p[i][j] != (i & 0xFF)) ck_abort_msg("byte %zu of allocation %zu", j, i);
    ck_assert_uint_eq(live_bytes(), a.held_bytes);
    arena_release(&a);
    ck_assert_uint_eq(live_bytes(), 0);
}
END_TEST

START_TEST(the_ceiling_is_an_error_and_never_passed)
{
    struct arena a;
    struct error err;
    arena_init(&a, HEAP_QUERY, 100000);
    size_t got = 0;
    while (arena_alloc(&a, 1000)) {
        got += 1000;
        ck_assert_uint_le(a.held_bytes, 100000);
    }
    ck_assert_uint_gt(got, 80000);
    ck_assert_int_eq(a.refused, ERR_TOO_LARGE);
    ck_assert_int_eq(arena_error(&a, &err), ERR_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(err.text, "100000 bytes"));
    ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX));
    ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX - 40));
    ck_assert_ptr_null(arena_alloc_array(&a, SIZE_MAX / 4, 8));
    ck_assert_ptr_null(arena_calloc(&a, SIZE_MAX / 4, 8));
    ck_assert_ptr_null(arena_copy(&a, (struct str){.data = "x", .size = SIZE_MAX}).data);
    arena_reset(&a);
    ck_assert_int_eq(a.refused, OK);
    ck_assert_ptr_nonnull(arena_alloc(&a, 50000));
    arena_release(&a);
}
END_TEST

START_TEST(arenas_beside_each_other_have_one_ceiling)
{
    struct arena a;
    struct arena b;
    struct arena_common common;
    struct error err;
    arena_init(&a, HEAP_QUERY, 100000);
    ck_assert_ptr_nonnull(arena_alloc(&a, 10000));
    arena_share(&a, &common);
    arena_init_beside(&b, &a);
    struct arena_mark mark = arena_mark(&a);
    while (arena_alloc(&a, 1000) && arena_alloc(&b, 1000))
        ck_assert_uint_le(a.held_bytes + b.held_bytes, 100000);
    ck_assert_uint_gt(a.held_bytes + b.held_bytes, 80000);
    ck_assert_uint_eq(a.held_bytes + b.held_bytes, atomic_load(&common.held_bytes));
    ck_assert_ptr_null(arena_alloc(&b, 50000));
    ck_assert_int_eq(arena_error(&b, &err), ERR_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(err.text, "100000 bytes"));
    arena_rewind(&a, mark);
    ck_assert_ptr_nonnull(arena_alloc(&b, 30000)); /* what one gives back is the other's */
    arena_release(&b);
    ck_assert_uint_eq(a.held_bytes, atomic_load(&common.held_bytes));
    arena_unshare(&a);
    ck_assert_ptr_nonnull(arena_alloc(&a, 50000));
    arena_release(&a);
    ck_assert_uint_eq(live_bytes(), 0);
}
END_TEST

START_TEST(the_limit_of_the_heap_is_told_apart_from_the_ceiling)
{
    struct arena a;
    struct error err;
    arena_init(&a, HEAP_QUERY, NO_CEILING);
    heap_fail_after(0);
    ck_assert_ptr_null(arena_alloc(&a, 10));
    heap_fail_after(UINT64_MAX);
    ck_assert_int_eq(arena_error(&a, &err), ERR_NO_MEMORY);
    ck_assert_ptr_nonnull(arena_alloc(&a, 10));
    /* A big block that is refused is tried again just large enough. */
    (void)heap_fail_once(HEARTH_DEBUG); /* the arena's own count comes first there */
    ck_assert_ptr_nonnull(arena_alloc(&a, 4090));
    ck_assert_uint_eq(heap_fail_after(UINT64_MAX), 0);
    ck_assert_uint_lt(a.held_bytes, 4096 + 8192);
    arena_release(&a);
}
END_TEST

START_TEST(an_arena_may_leave_a_part_below_the_limit_to_others)
{
    enum { MIB = 1 << 20, LIMIT = 64 * MIB, SPARE = 24 * MIB };
    struct arena polite;
    struct arena other;
    arena_init(&polite, HEAP_QUERY, NO_CEILING);
    arena_init(&other, HEAP_QUERY, NO_CEILING);
    polite.spare_bytes = SPARE;
    uint64_t before = heap_used_bytes();
    heap_set_limit(before + LIMIT);
    while (arena_alloc(&polite, MIB - 64))
        continue;
    ck_assert_int_eq(arena_error(&polite, NULL), ERR_NO_MEMORY);
    ck_assert_uint_le(heap_used_bytes(), before + LIMIT - SPARE);
    ck_assert_uint_ge(heap_used_bytes(), before + LIMIT - SPARE - 2 * MIB);
    for (int i = 0; i < 20; i++)
        ck_assert_ptr_nonnull(arena_alloc(&other, MIB - 64));
    /* What others give back is room again, though it still counts. */
    ck_assert_ptr_null(arena_alloc(&polite, MIB));
    uint64_t held = other.held_bytes;
    arena_release(&other);
    arena_release(&polite);
    ck_assert_uint_gt(heap_used_bytes(), before + held);
    ck_assert_ptr_nonnull(arena_alloc(&polite, (size_t)30 * MIB));
    arena_release(&polite);
    polite.spare_bytes = (uint64_t)2 * LIMIT; /* nothing is that free */
    polite.granted_bytes = 100000;
    ck_assert_ptr_nonnull(arena_alloc(&polite, 50000));
    ck_assert_ptr_null(arena_alloc(&polite, 100000));
    arena_release(&polite);
    heap_set_limit(0);
}
END_TEST

START_TEST(no_bytes_have_an_address)
{
    struct arena a;
    arena_init(&a, HEAP_QUERY, 0);
    ck_assert_ptr_nonnull(arena_alloc(&a, 0));
    ck_assert_ptr_nonnull(arena_calloc(&a, 0, 7));
    ck_assert_ptr_null(arena_alloc(&a, 1));
    ck_assert_int_eq(arena_error(&a, NULL), ERR_TOO_LARGE);
    arena_release(&a);
}
END_TEST

START_TEST(a_rewind_frees_what_came_after_the_mark)
{
    struct arena a;
    arena_init(&a, HEAP_QUERY, NO_CEILING);
    struct arena_mark empty = arena_mark(&a);
    char *kept = arena_alloc(&a, 100);
    memset(kept, 'k', 100);
    struct arena_mark mark = arena_mark(&a);
    uint64_t held = a.held_bytes;
    void *first = arena_alloc(&a, 64);
    for (size_t i = 0; i < 200; i++)
        ck_assert_ptr_nonnull(arena_alloc(&a, i * 100));
    ck_assert_uint_gt(a.held_bytes, held);
    arena_rewind(&a, mark);
    ck_assert_uint_eq(a.held_bytes, held);
    ck_assert_ptr_eq(arena_alloc(&a, 64), first);
    ck_assert_int_eq(kept[99], 'k');
    arena_rewind(&a, empty);
    ck_assert_uint_eq(a.held_bytes, 0);
    ck_assert_uint_eq(live_bytes(), 0);
    ck_assert_ptr_nonnull(arena_alloc(&a, 1));
    arena_release(&a);
}
END_TEST

START_TEST(the_last_allocation_grows_in_place)
{
    struct arena a;
    arena_init(&a, HEAP_QUERY, NO_CEILING);
    char *p = arena_resize(&a, NULL, 0, 10);
    memcpy(p, "0123456789", 10);
    ck_assert_ptr_eq(arena_resize(&a, p, 10, 1000), p);
    ck_assert_ptr_eq(arena_resize(&a, p, 1000, 20), p);
    char *other = arena_alloc(&a, 1);
    char *moved = arena_resize(&a, p, 20, 40);
    ck_assert_ptr_ne(moved, p);
    ck_assert_mem_eq(moved, "0123456789", 10);
    ck_assert_ptr_eq(arena_resize(&a, other, 1, 1), other);
    moved = arena_resize(&a, moved, 40, 100000);
    ck_assert_mem_eq(moved, "0123456789", 10);
    ck_assert_ptr_nonnull(arena_resize(&a, arena_alloc(&a, 0), 0, 8));
    arena_release(&a);
}
END_TEST

START_TEST(texts_end_in_nul_and_do_not_count_it)
{
    struct arena a;
    arena_init(&a, HEAP_QUERY, NO_CEILING);
    struct str s = arena_copy(&a, STR("label"));
    ck_assert_uint_eq(s.size, 5);
    ck_assert_str_eq(s.data, "label");
    s = arena_copy(&a, (struct str){0});
    ck_assert_uint_eq(s.size, 0);
    ck_assert_str_eq(s.data, "");
    s = arena_printf(&a, "%d of %s", 3, "four");
    ck_assert_uint_eq(s.size, 9);
    ck_assert_str_eq(s.data, "3 of four");
    heap_fail_after(0);
    while (arena_alloc(&a, 100))
        continue;
    ck_assert_ptr_null(arena_printf(&a, "%0200d", 3).data);
    heap_fail_after(UINT64_MAX);
    arena_release(&a);
}
END_TEST

START_TEST(any_history_of_marks_returns_to_the_same_place)
{
    enum { DEPTH_MAX = 50 };
    struct arena_mark marks[DEPTH_MAX];
    uint64_t held[DEPTH_MAX];
    int depth = 0;
    struct random r = random_start("arena");
    struct arena a;
    arena_init(&a, HEAP_QUERY, NO_CEILING);
    for (int step = 0; step < 20000; step++) {
        uint64_t what = random_below(&r, 20);
        if (what == 0 && depth < DEPTH_MAX) {
            marks[depth] = arena_mark(&a);
            held[depth++] = a.held_bytes;
        } else if (what == 1 && depth > 0) {
            arena_rewind(&a, marks[--depth]);
            ck_assert_uint_eq(a.held_bytes, held[depth]);
        } else {
            size_t size = random_size(&r, random_below(&r, 50) ? 500 : 50000);
            memset(arena_alloc(&a, size), 1, size);
        }
        if (a.held_bytes > 64 << 20) {
            arena_reset(&a);
            depth = 0;
        }
    }
    arena_release(&a);
    ck_assert_uint_eq(live_bytes(), 0);
}
END_TEST

#if POISON_ACTIVE
static void touch_rewound(void)
{
    struct arena a;
    arena_init(&a, HEAP_QUERY, NO_CEILING);
    if (!arena_alloc(&a, 8)) return;
    struct arena_mark mark = arena_mark(&a);
    volatile char *p = arena_alloc(&a, 8);
    arena_rewind(&a, mark);
    p[0] = 1;
}

static void touch_between(void)
{
    struct arena a;
    arena_init(&a, HEAP_QUERY, NO_CEILING);
    volatile char *p = arena_alloc(&a, 20);
    p[20] = 1;
}

static void touch_next(void)
{
    struct arena a;
    arena_init(&a, HEAP_QUERY, NO_CEILING);
    volatile char *p = arena_alloc(&a, 32);
    if (!arena_alloc(&a, 32)) return;
    p[32] = 1;
}

START_TEST(the_sanitizer_sees_rewound_memory_and_gaps)
{
    ck_assert(dies(touch_next));
    ck_assert(dies(touch_rewound));
    ck_assert(dies(touch_between));
}
END_TEST
#else
START_TEST(the_sanitizer_sees_rewound_memory_and_gaps)
{
    ck_assert(!dies(heap_check)); /* no sanitizer in this build: nothing to see */
}
END_TEST
#endif

SUITE(arena, allocations_are_aligned_and_do_not_overlap, the_ceiling_is_an_error_and_never_passed,
      arenas_beside_each_other_have_one_ceiling,
      the_limit_of_the_heap_is_told_apart_from_the_ceiling,
      an_arena_may_leave_a_part_below_the_limit_to_others, no_bytes_have_an_address,
      a_rewind_frees_what_came_after_the_mark, the_last_allocation_grows_in_place,
      texts_end_in_nul_and_do_not_count_it, any_history_of_marks_returns_to_the_same_place,
      the_sanitizer_sees_rewound_memory_and_gaps)
