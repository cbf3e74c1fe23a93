/* leaks: what is live, by where it was asked for. */
#include "alloc/leaks.h"

#include <stdio.h>
#include <string.h>

#include "alloc/arena.h"
#include "alloc/buf.h"
#include "alloc/region.h"
#include "alloc/tiny.h"
#include "base/log.h"
#include "tests/unit/suite.h"

enum { NO_CEILING = 1 << 30 };

START_TEST(the_places_that_hold_most_come_first)
{
    struct leak leaks[4];
    void *small[3];
    ck_assert_uint_eq(leaks_read(leaks, 4), 0);
    for (int i = 0; i < 3; i++)
        small[i] = heap_alloc(100, HEAP_LABELS);
    const uint32_t small_line = __LINE__ - 1;
    void *large = heap_calloc(1, 100000, HEAP_QUERY);
    const uint32_t large_line = __LINE__ - 1;
    ck_assert_uint_eq(leaks_read(leaks, 1), 2);
    ck_assert_uint_eq(leaks[0].line, large_line);
    ck_assert_uint_eq(leaks_read(leaks, 4), 2);
    ck_assert_str_eq(leaks[0].file, "tests/unit/alloc/test_leaks.c");
    ck_assert_uint_eq(leaks[0].tag, HEAP_QUERY);
    ck_assert_uint_eq(leaks[0].bytes, heap_good_size(100000));
    ck_assert_uint_eq(leaks[1].line, small_line);
    ck_assert_uint_eq(leaks[1].tag, HEAP_LABELS);
    ck_assert_uint_eq(leaks[1].objects, 3);
    ck_assert_uint_eq(leaks[1].bytes, 3 * 112);
    ck_assert_uint_eq(leaks_objects(), 4);
    for (int i = 0; i < 3; i++)
        heap_free(small[i], 100, HEAP_LABELS);
    heap_free(large, 100000, HEAP_QUERY);
    ck_assert_uint_eq(leaks_objects(), 0);
}
END_TEST

START_TEST(what_arenas_and_buffers_hold_counts_for_their_callers)
{
    struct leak leaks[2];
    struct arena a;
    struct buf b;
    arena_init(&a, HEAP_QUERY, NO_CEILING);
    buf_init(&b, HEAP_HTTP, NO_CEILING);
    ck_assert_ptr_nonnull(arena_alloc(&a, 10));
    const uint32_t arena_line = __LINE__ - 1;
    buf_append(&b, "abc", 3);
    const uint32_t buf_line = __LINE__ - 1;
    ck_assert_uint_eq(leaks_read(leaks, 2), 2);
    ck_assert_str_eq(leaks[0].file, "tests/unit/alloc/test_leaks.c");
    ck_assert_uint_eq(leaks[0].line, arena_line);
    ck_assert_uint_eq(leaks[1].line, buf_line);
    arena_release(&a);
    buf_release(&b);
}
END_TEST

START_TEST(tiny_objects_count_for_who_began_their_block_and_regions_by_owner)
{
    struct leak leaks[2];
    struct region r;
    void *tiny = heap_alloc_tiny(3, HEAP_LABELS);
    const uint32_t line = __LINE__ - 1;
    region_init(&r, HEAP_CHUNKS);
    ck_assert_uint_ne(region_alloc(&r, 100), REGION_NONE);
    ck_assert_uint_ne(region_alloc(&r, 30), REGION_NONE);
    ck_assert_uint_eq(leaks_read(leaks, 2), 2);
    ck_assert_str_eq(leaks[0].file, "regions");
    ck_assert_uint_eq(leaks[0].tag, HEAP_CHUNKS);
    ck_assert_uint_eq(leaks[0].objects, 2);
    ck_assert_uint_eq(leaks[0].bytes, 104 + 32);
    ck_assert_str_eq(leaks[1].file, "tests/unit/alloc/test_leaks.c");
    ck_assert_uint_eq(leaks[1].line, line);
    ck_assert_uint_eq(leaks_objects(), 3);
    region_release(&r);
    heap_free_tiny(tiny, 3, HEAP_LABELS);
    ck_assert_uint_eq(leaks_objects(), 0);
}
END_TEST

static char lines[2000];

static void keep_line(const char *line)
{
    size_t used = strlen(lines);
    (void)snprintf(lines + used, sizeof(lines) - used, "%s", line);
}

START_TEST(the_report_leaves_one_tag_out)
{
    char words[200];
    void *p = heap_alloc(100, HEAP_INDEX);
    const int line = __LINE__ - 1;
    void *q = heap_alloc(100, HEAP_PROCESS);
    log_tap(keep_line);
    ck_assert_uint_eq(leaks_report(HEAP_PROCESS), 1);
    log_tap(NULL);
    (void)snprintf(words, sizeof(words),
                   "tag=index place=tests/unit/alloc/test_leaks.c:%d objects=1 bytes=112", line);
    ck_assert_ptr_nonnull(strstr(lines, words));
    ck_assert_ptr_null(strstr(lines, "tag=process"));
    heap_free(p, 100, HEAP_INDEX);
    ck_assert_uint_eq(leaks_report(HEAP_PROCESS), 0);
    heap_free(q, 100, HEAP_PROCESS);
}
END_TEST

SUITE(leaks, the_places_that_hold_most_come_first,
      what_arenas_and_buffers_hold_counts_for_their_callers,
      tiny_objects_count_for_who_began_their_block_and_regions_by_owner,
      the_report_leaves_one_tag_out)
