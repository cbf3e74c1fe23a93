/* process: the kernel's numbers are plausible. */
#include "server/process.h"

#include <string.h>
#include <unistd.h>

#include "alloc/heap.h"
#include "tests/unit/suite.h"

START_TEST(what_we_are_is_plausible)
{
    struct process_stats stats;
    process_stats_read(&stats);
    ck_assert_uint_gt(stats.resident_bytes, 100 << 10);
    ck_assert_uint_ge(stats.virtual_bytes, stats.resident_bytes);
    ck_assert_uint_ge(stats.threads, 1);
    ck_assert_uint_ge(stats.open_fds, 1);
    ck_assert_uint_ge(stats.max_fds, stats.open_fds);
    ck_assert_double_ge(stats.cpu_seconds, 0);
}
END_TEST

START_TEST(files_are_counted)
{
    struct process_stats before;
    struct process_stats after;
    process_stats_read(&before);
    int fd = dup(STDERR_FILENO);
    process_stats_read(&after);
    ck_assert_uint_eq(after.open_fds, before.open_fds + 1);
    close(fd);
}
END_TEST

START_TEST(there_is_memory)
{
    uint64_t available = process_memory_available_bytes();
    uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    ck_assert_uint_gt(available, 16 << 20);
    ck_assert_uint_le(available, machine + (1 << 20));
    ck_assert_uint_gt(process_resident_bytes(), 100 << 10);
}
END_TEST

START_TEST(what_went_lazily_is_told_apart)
{
    enum { BYTES = 16 << 20 };
    void *p = heap_alloc(BYTES, HEAP_HTTP);
    memset(p, 1, BYTES);
    heap_free(p, BYTES, HEAP_HTTP);
    heap_flush_thread();
    ck_assert_uint_lt(process_lazyfree_bytes(), BYTES / 2);
    heap_scavenge_lazily(true);
    ck_assert_uint_ge(heap_scavenge(UINT64_MAX), BYTES);
    ck_assert_uint_gt(process_lazyfree_bytes(), BYTES / 2);
    ck_assert_uint_gt(process_resident_bytes(), BYTES / 2);
    heap_scavenge_lazily(false);
}
END_TEST

SUITE(process, what_we_are_is_plausible, files_are_counted, there_is_memory,
      what_went_lazily_is_told_apart)
