/* os: ranges grow, released pages are zero. */
#include "alloc/os.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/heap.h"
#include "tests/unit/alloc/resident.h"
#include "tests/unit/suite.h"

START_TEST(a_range_becomes_usable_from_its_start_on)
{
    struct os_range range = {0};
    ck_assert(os_range_reserve(&range, 1 << 30));
    ck_assert_uint_eq((uintptr_t)range.base % HEAP_PAGE_BYTES, 0);
    ck_assert_uint_eq(range.committed_bytes, 0);
    ck_assert(os_range_commit(&range, 1 << 16));
    memset(range.base, 1, 1 << 16);
    ck_assert(os_range_commit(&range, 1 << 20));
    ck_assert_int_eq(range.base[0], 1);
    memset(range.base, 2, 1 << 20);
    ck_assert(os_range_commit(&range, 1 << 10)); /* less than there is: nothing to do */
    ck_assert_uint_eq(range.committed_bytes, 1 << 20);
    ck_assert(!os_range_commit(&range, (1 << 30) + HEAP_PAGE_BYTES));
    ck_assert_uint_eq(range.committed_bytes, 1 << 20);
}
END_TEST

START_TEST(released_pages_are_zero_and_their_neighbours_are_not)
{
    struct os_range range = {0};
    ck_assert(os_range_reserve(&range, 1 << 20));
    ck_assert(os_range_commit(&range, 1 << 20));
    memset(range.base, 7, 1 << 20);
    ck_assert(os_release(range.base + HEAP_PAGE_BYTES, 2 * HEAP_PAGE_BYTES));
    ck_assert_int_eq(range.base[HEAP_PAGE_BYTES - 1], 7);
    for (int i = HEAP_PAGE_BYTES; i < 3 * HEAP_PAGE_BYTES; i++)
        if (range.base[i]) ck_abort_msg("byte %d is not zero", i);
    ck_assert_int_eq(range.base[3 * HEAP_PAGE_BYTES], 7);
}
END_TEST

START_TEST(a_trimmed_range_ends_earlier)
{
    struct os_range range = {0};
    ck_assert(os_range_reserve(&range, 1 << 20));
    os_range_trim(&range, 1 << 18);
    ck_assert_uint_eq(range.reserved_bytes, 1 << 18);
    ck_assert(!os_range_commit(&range, (1 << 18) + HEAP_PAGE_BYTES));
    ck_assert(os_range_commit(&range, 1 << 18));
    memset(range.base, 3, 1 << 18);
}
END_TEST

START_TEST(too_much_address_space_is_refused)
{
    struct os_range range = {0};
    ck_assert(!os_range_reserve(&range, (size_t)1 << 60));
    ck_assert_ptr_null(range.base);
}
END_TEST

/* The VmFlags of the mapping that p lies in. */
static void flags_of(const void *p, char *flags, size_t size)
{
    char line[512];
    bool inside = false;
    FILE *f = fopen("/proc/self/smaps", "re");
    ck_assert_ptr_nonnull(f);
    flags[0] = 0;
    while (fgets(line, sizeof(line), f)) {
        char *end = NULL;
        uintptr_t low = strtoull(line, &end, 16);
        if (*end == '-') inside = (uintptr_t)p >= low && (uintptr_t)p < strtoull(end + 1, NULL, 16);
        if (inside && strncmp(line, "VmFlags:", 8) == 0) snprintf(flags, size, "%s", line);
    }
    fclose(f);
}

START_TEST(blocks_become_resident_where_it_was_asked_for)
{
    struct os_range range = {0};
    char flags[512];
    ck_assert(os_range_reserve(&range, 3 * OS_RANGE_ALIGNMENT));
    ck_assert(os_range_commit(&range, 3 * OS_RANGE_ALIGNMENT));
    uint8_t *middle = range.base + OS_RANGE_ALIGNMENT;
    flags_of(middle, flags, sizeof(flags));
    if (!strstr(flags, " nh")) return; /* a system without them */
    os_populate_huge(middle, OS_RANGE_ALIGNMENT);
    flags_of(middle, flags, sizeof(flags));
    ck_assert_msg(strstr(flags, " nh") && !strstr(flags, " hg"), "%s", flags);
    ck_assert_uint_eq(resident_bytes(range.base, 3 * OS_RANGE_ALIGNMENT), OS_RANGE_ALIGNMENT);
    ck_assert_uint_eq(resident_bytes(middle, OS_RANGE_ALIGNMENT), OS_RANGE_ALIGNMENT);
    ck_assert_uint_eq(middle[0], 0);
    ck_assert_uint_eq(middle[OS_RANGE_ALIGNMENT - 1], 0);
}
END_TEST

SUITE(os, a_range_becomes_usable_from_its_start_on,
      released_pages_are_zero_and_their_neighbours_are_not, a_trimmed_range_ends_earlier,
      too_much_address_space_is_refused, blocks_become_resident_where_it_was_asked_for)
