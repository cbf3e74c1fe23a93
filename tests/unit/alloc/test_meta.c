/* meta: records are reused, counted and limited. */
#include "alloc/meta.h"

#include <string.h>

#include "alloc/heap.h"
#include "alloc/os.h"
#include "base/compiler.h"
#include "tests/unit/suite.h"

static struct meta_stats stats(void)
{
    struct meta_stats s;
    meta_stats(&s);
    return s;
}

START_TEST(records_are_apart_and_found_by_reference)
{
    enum { RECORDS = 1000 };
    uint8_t *p[RECORDS];
    meta_init(1 << 24);
    for (size_t i = 0; i < RECORDS; i++) {
        ck_assert_ptr_nonnull(p[i] = meta_alloc(i % 300 + 1, META_SPAN));
        ck_assert_uint_eq((uintptr_t)p[i] % META_GRANULE, 0);
        ck_assert_uint_ne(meta_ref(p[i]), 0);
        ck_assert_ptr_eq(meta_at(meta_ref(p[i])), p[i]);
        memset(p[i], (int)(i & 0xFF), i % 300 + 1);
    }
    for (size_t i = 0; i < RECORDS; i++)
        for (size_t j = 0; j < i % 300 + 1; j++)
            if (p[i][j] != (i & 0xFF)) ck_abort_msg("byte %zu of record %zu", j, i);
}
END_TEST

START_TEST(a_freed_record_serves_the_next_of_its_size)
{
    meta_init(1 << 24);
    void *p = meta_alloc(100, META_SPAN);
    uint64_t carved = stats().carved_bytes[META_SPAN];
    meta_free(p, 100, META_SPAN);
    ck_assert_uint_eq(stats().inuse_bytes[META_SPAN], 0);
    void *other = meta_alloc(200, META_SPAN);
    ck_assert_ptr_ne(other, p);
    ck_assert_ptr_eq(meta_alloc(112, META_SPAN), p); /* the same count of granules */
    ck_assert_uint_eq(stats().carved_bytes[META_SPAN], carved + 208);
    ck_assert_uint_eq(stats().inuse_bytes[META_SPAN], 112 + 208);
}
END_TEST

START_TEST(large_blocks_start_on_cache_lines)
{
    meta_init(1 << 24);
    for (int i = 0; i < 5; i++) {
        ck_assert_ptr_nonnull(meta_alloc(16, META_SPAN));
        void *p = meta_alloc(70000, META_CACHE);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % CACHE_LINE_BYTES, 0);
    }
    ck_assert_uint_eq(stats().inuse_bytes[META_CACHE], 5 * 70000);
}
END_TEST

START_TEST(bits_lie_on_pages_of_their_own)
{
    meta_init(1 << 24);
    uint8_t *record = meta_alloc(64, META_SPAN);
    uint8_t *bits = meta_alloc(256, META_BITS);
    uint8_t *next_record = meta_alloc(64, META_SPAN);
    uint8_t *next_bits = meta_alloc(512, META_BITS);
    ck_assert_ptr_eq(next_bits, bits + 256);
    ck_assert_uint_eq((uintptr_t)bits % OS_PAGE_BYTES, 0);
    ck_assert_uint_ge((uintptr_t)(bits - record), OS_PAGE_BYTES - 64);
    ck_assert_uint_ge((uintptr_t)(next_record - bits), OS_PAGE_BYTES);
    ck_assert_uint_eq(stats().inuse_bytes[META_BITS], 768);
    meta_free(bits, 256, META_BITS);
    ck_assert_ptr_eq(meta_alloc(256, META_BITS), bits);
}
END_TEST

START_TEST(the_limit_and_the_end_of_the_range_refuse)
{
    meta_init(1 << 20);
    heap_set_limit(200 << 10);
    int count = 0;
    while (meta_alloc(1024, META_SPAN))
        count++;
    ck_assert_int_ge(count, 128);
    ck_assert_uint_le(heap_used_bytes(), 200 << 10);
    ck_assert_uint_eq(stats().committed_bytes, heap_used_bytes());
    heap_set_limit(0);
    while (meta_alloc(1024, META_SPAN))
        count++;
    ck_assert_int_eq(count, 1023); /* all but the granule that nobody gets */
}
END_TEST

SUITE(meta, records_are_apart_and_found_by_reference, a_freed_record_serves_the_next_of_its_size,
      large_blocks_start_on_cache_lines, bits_lie_on_pages_of_their_own,
      the_limit_and_the_end_of_the_range_refuse)
