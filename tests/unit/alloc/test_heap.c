/* heap: the contract of heap.h, one thread. */
#include "alloc/heap.h"

#include <string.h>

#include "alloc/poison.h"
#include "base/bits.h"
#include "tests/unit/aborts.h"
#include "tests/unit/alloc/death.h"
#include "tests/unit/alloc/random.h"
#include "tests/unit/alloc/resident.h"
#include "tests/unit/alloc/stats.h"
#include "tests/unit/suite.h"

static bool all_zero(const uint8_t *p, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (p[i]) return false;
    return true;
}

START_TEST(no_bytes_are_at_one_address_that_free_ignores)
{
    void *a = heap_alloc(0, HEAP_PROCESS);
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_eq(a, heap_alloc(0, HEAP_QUERY));
    ck_assert_ptr_eq(a, heap_calloc(0, 8, HEAP_QUERY));
    ck_assert_ptr_eq(a, heap_calloc(8, 0, HEAP_QUERY));
    ck_assert_uint_eq(heap_usable_size(a), 0);
    heap_free(a, 0, HEAP_PROCESS);
    heap_free(a, 0, HEAP_PROCESS);
    heap_free(NULL, 0, HEAP_PROCESS);
    heap_free(NULL, 100, HEAP_PROCESS);
    heap_free(NULL, 100000, HEAP_PROCESS);
    heap_free_unsized(NULL, HEAP_PROCESS);
    heap_free_unsized(a, HEAP_PROCESS);
    ck_assert_uint_eq(stats().heap_objects, 0);
}
END_TEST

START_TEST(every_size_is_aligned_usable_and_its_own)
{
    enum { SIZES = 400 };
    uint8_t *p[SIZES];
    size_t sizes[SIZES];
    size_t size = 1;
    for (int i = 0; i < SIZES; i++, size += 1 + size / 40) {
        sizes[i] = size;
        ck_assert_ptr_nonnull(p[i] = heap_alloc(size, HEAP_QUERY));
        ck_assert_uint_eq((uintptr_t)p[i] % (size < 16 ? 8 : HEAP_ALIGNMENT), 0);
        ck_assert_uint_ge(heap_usable_size(p[i]), size);
        ck_assert_uint_eq(heap_usable_size(p[i]), heap_good_size(size));
        memset(p[i], i & 0xFF, heap_usable_size(p[i]));
    }
    for (int i = 0; i < SIZES; i++) {
        size_t usable = heap_usable_size(p[i]);
        ck_assert_uint_eq(p[i][0], i & 0xFF);
        ck_assert_uint_eq(p[i][usable - 1], i & 0xFF);
    }
    heap_check();
    for (int i = 0; i < SIZES; i++)
        heap_free(p[i], sizes[i], HEAP_QUERY);
    heap_check();
    ck_assert_uint_eq(stats().heap_alloc, 0);
}
END_TEST

START_TEST(calloc_gives_zeros_from_used_memory_too)
{
    size_t sizes[] = {1, 24, 1000, 32768, 32769, 200000, 5 << 20};
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            uint8_t *p = heap_calloc(1, sizes[i], HEAP_HTTP);
            ck_assert_ptr_nonnull(p);
            ck_assert(all_zero(p, sizes[i]));
            memset(p, 0xEE, sizes[i]);
            heap_free(p, sizes[i], HEAP_HTTP);
            if (round == 1) heap_scavenge(UINT64_MAX);
        }
    ck_assert_ptr_null(heap_calloc(SIZE_MAX / 2, 3, HEAP_HTTP));
}
END_TEST

START_TEST(calloc_does_not_touch_what_is_zero_already)
{
    enum { ZEROS_BYTES = 16 << 20 };
    for (int round = 0; round < 2; round++) {
        uint8_t *p = heap_calloc(ZEROS_BYTES / 8, 8, HEAP_HTTP);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq(resident_bytes(p, ZEROS_BYTES), 0);
        ck_assert(all_zero(p, ZEROS_BYTES));
        memset(p, 0xEE, ZEROS_BYTES);
        heap_free(p, ZEROS_BYTES, HEAP_HTTP);
        heap_scavenge(UINT64_MAX);
    }
}
END_TEST

START_TEST(absurd_sizes_are_refused)
{
    ck_assert_ptr_null(heap_alloc(SIZE_MAX, HEAP_HTTP));
    ck_assert_ptr_null(heap_alloc(SIZE_MAX - HEAP_PAGE_BYTES, HEAP_HTTP));
    ck_assert_ptr_null(heap_alloc(UINT64_C(1) << 62, HEAP_HTTP));
    ck_assert_ptr_null(heap_alloc(UINT64_C(1) << 45, HEAP_HTTP));
    void *p = heap_alloc(100, HEAP_HTTP);
    ck_assert_ptr_null(heap_resize(p, 100, SIZE_MAX, HEAP_HTTP));
    heap_free(p, 100, HEAP_HTTP);
    ck_assert_uint_eq(heap_good_size(SIZE_MAX), SIZE_MAX);
    ck_assert_uint_eq(heap_good_size(0), 0);
    heap_check();
}
END_TEST

START_TEST(alignments_up_to_a_page_are_kept)
{
    for (size_t alignment = 1; alignment <= HEAP_PAGE_BYTES; alignment *= 2)
        for (size_t size = alignment; size < 70000;
             size = bits_align_up(size + 1 + size / 3, alignment)) {
            void *p = heap_alloc_aligned(size, alignment, HEAP_INDEX);
            ck_assert_ptr_nonnull(p);
            ck_assert_uint_eq((uintptr_t)p % alignment, 0);
            memset(p, 1, size);
            heap_free(p, size, HEAP_INDEX);
        }
    ck_assert_uint_eq(
        (uintptr_t)heap_alloc_aligned(0, HEAP_PAGE_BYTES, HEAP_INDEX) % HEAP_PAGE_BYTES, 0);
    ck_assert_uint_eq(stats().heap_objects, 0);
}
END_TEST

START_TEST(resize_keeps_the_contents)
{
    size_t sizes[] = {1, 8, 9, 100, 112, 5000, 32768, 32769, 90000, 400000, 390000, 33000, 40, 3};
    uint8_t *p = NULL;
    size_t before = 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        ck_assert_ptr_nonnull(p = heap_resize(p, before, sizes[i], HEAP_SNAPSHOT));
        for (size_t j = 0; j < before && j < sizes[i]; j++)
            if (p[j] != (uint8_t)(j * 7)) ck_abort_msg("byte %zu changed", j);
        before = sizes[i];
        for (size_t j = 0; j < before; j++)
            p[j] = (uint8_t)(j * 7);
        ck_assert_uint_eq(stats().heap_objects, 1);
        heap_check();
    }
    ck_assert_uint_eq(stats().heap_requested, before);
    p = heap_resize(p, before, 0, HEAP_SNAPSHOT);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(stats().heap_alloc, 0);
    p = heap_resize(p, 0, 50, HEAP_SNAPSHOT);
    heap_free(p, 50, HEAP_SNAPSHOT);
    ck_assert_uint_eq(stats().heap_requested, 0);
}
END_TEST

START_TEST(resize_within_a_class_stays_in_place)
{
    void *p = heap_alloc(1300, HEAP_SNAPSHOT);
    ck_assert_ptr_eq(heap_resize(p, 1300, 1408, HEAP_SNAPSHOT), p);
    ck_assert_uint_eq(stats().heap_requested, 1408);
    ck_assert_ptr_eq(heap_resize(p, 1408, 1290, HEAP_SNAPSHOT), p);
    ck_assert_uint_eq(stats().heap_requested, 1290);
    heap_free(p, 1290, HEAP_SNAPSHOT);
    /* Large, with free pages behind: the first allocation of the process that is so large. */
    p = heap_alloc(100000, HEAP_SNAPSHOT);
    ck_assert_ptr_eq(heap_resize(p, 100000, 300000, HEAP_SNAPSHOT), p);
    ck_assert_uint_eq(heap_usable_size(p), heap_good_size(300000));
    ck_assert_ptr_eq(heap_resize(p, 300000, 50000, HEAP_SNAPSHOT), p);
    ck_assert_uint_eq(stats().heap_alloc, heap_good_size(50000));
    ck_assert_uint_eq(stats().tag_requested[HEAP_SNAPSHOT], 50000);
    heap_free(p, 50000, HEAP_SNAPSHOT);
    heap_check();
}
END_TEST

START_TEST(at_the_limit_allocation_answers_null_and_recovers)
{
    enum { OBJECTS = 4096 };
    static void *p[OBJECTS];
    const uint64_t limit = 8 << 20;
    heap_free(heap_alloc(1, HEAP_CHUNKS), 1, HEAP_CHUNKS);
    heap_set_limit(limit);
    ck_assert_uint_eq(heap_limit(), limit);
    for (int round = 0; round < 3; round++) {
        int count = 0;
        while (count < OBJECTS && (p[count] = heap_alloc(4096, HEAP_CHUNKS)))
            count++;
        ck_assert_int_lt(count, OBJECTS);
        ck_assert_int_gt(count, 1500); /* most of the 8 MiB */
        ck_assert_uint_le(heap_used_bytes(), limit);
        ck_assert_uint_gt(stats().limit_refusals, 0);
        ck_assert_ptr_null(heap_alloc(100000, HEAP_CHUNKS));
        heap_check();
        /* At the limit resize keeps what it was given. */
        memset(p[0], 0x5A, 4096);
        ck_assert_ptr_null(heap_resize(p[0], 4096, 1 << 20, HEAP_CHUNKS));
        ck_assert_uint_eq(((uint8_t *)p[0])[4095], 0x5A);
        while (count > 0)
            heap_free(p[--count], 4096, HEAP_CHUNKS);
        heap_check();
        /* The last of them are in this thread's cache, the pages of the others free and resident in
         * runs of other sizes: all that is traded for new ones. */
        void *large = heap_alloc(7 << 20, HEAP_CHUNKS);
        ck_assert_ptr_nonnull(large);
        ck_assert_uint_le(heap_used_bytes(), limit);
        heap_free(large, 7 << 20, HEAP_CHUNKS);
    }
    heap_set_limit(0);
}
END_TEST

START_TEST(fragments_are_traded_in_at_the_limit)
{
    enum { OBJECTS = 64 };
    void *p[OBJECTS];
    heap_free(heap_alloc(1, HEAP_CHUNKS), 1, HEAP_CHUNKS);
    for (int i = 0; i < OBJECTS; i++)
        p[i] = heap_alloc(100000, HEAP_CHUNKS);
    for (int i = 0; i < OBJECTS; i += 2)
        heap_free(p[i], 100000, HEAP_CHUNKS);
    heap_set_limit(heap_used_bytes());
    void *large = heap_alloc(31 * 100000, HEAP_CHUNKS); /* as much as lies free, in one piece */
    ck_assert_ptr_nonnull(large);
    ck_assert_uint_le(heap_used_bytes(), heap_limit());
    heap_check();
    heap_free(large, 31 * 100000, HEAP_CHUNKS);
    for (int i = 1; i < OBJECTS; i += 2)
        heap_free(p[i], 100000, HEAP_CHUNKS);
    heap_set_limit(0);
}
END_TEST

START_TEST(other_bytes_count_against_the_limit)
{
    uint64_t used = heap_used_bytes();
    heap_set_other_bytes(100);
    ck_assert_uint_eq(heap_used_bytes(), used + 100);
    heap_set_other_bytes(5000);
    ck_assert_uint_eq(heap_used_bytes(), used + 5000);
    heap_set_limit(64 << 20);
    heap_set_other_bytes(1 << 30);
    ck_assert_ptr_null(heap_alloc(1 << 20, HEAP_HTTP));
    heap_set_other_bytes(0);
    void *p = heap_alloc(1 << 20, HEAP_HTTP);
    ck_assert_ptr_nonnull(p);
    heap_free(p, 1 << 20, HEAP_HTTP);
    heap_set_limit(0);
}
END_TEST

START_TEST(a_limit_too_low_for_any_record_still_allows_to_free)
{
    /* Nothing was allocated by this process: not even a cache fits. */
    heap_set_limit(1);
    ck_assert_ptr_null(heap_alloc(64, HEAP_HTTP));
    ck_assert_ptr_null(heap_alloc(1 << 20, HEAP_HTTP));
    ck_assert_uint_le(heap_used_bytes(), 1);
    heap_set_limit(0);
    void *p = heap_alloc(64, HEAP_HTTP);
    heap_set_limit(1);
    heap_free(p, 64, HEAP_HTTP);
    heap_flush_thread();
    heap_check();
    ck_assert_uint_eq(stats().heap_objects, 0);
}
END_TEST

START_TEST(the_nth_allocation_fails_and_every_one_after)
{
    void *kept = heap_alloc(10, HEAP_HTTP);
    for (uint64_t n = 0; n < 5; n++) {
        void *p[6] = {0};
        heap_fail_after(n);
        p[0] = heap_alloc(64, HEAP_HTTP);
        p[1] = heap_calloc(2, 32, HEAP_HTTP);
        p[2] = heap_alloc_aligned(64, 64, HEAP_HTTP);
        p[3] = heap_alloc(100000, HEAP_HTTP);
        p[4] = heap_resize(NULL, 0, 64, HEAP_HTTP);
        p[5] = heap_resize(kept, 10, 5000, HEAP_HTTP);
        for (uint64_t i = 0; i < 6; i++)
            ck_assert(i < n ? p[i] != NULL : p[i] == NULL);
        heap_fail_after(UINT64_MAX);
        for (int i = 0; i < 5; i++)
            heap_free(p[i], i == 3 ? 100000 : 64, HEAP_HTTP);
    }
    ck_assert_uint_eq(stats().limit_refusals, 0);
    heap_free(kept, 10, HEAP_HTTP);
}
END_TEST

START_TEST(everything_freed_goes_back_to_the_system)
{
    enum { OBJECTS = 20000 };
    static void *p[OBJECTS];
    for (int i = 0; i < OBJECTS; i++)
        p[i] = heap_alloc(1000, HEAP_CHUNKS);
    uint64_t used = heap_used_bytes();
    for (int i = 0; i < OBJECTS; i++)
        heap_free(p[i], 1000, HEAP_CHUNKS);
    heap_flush_thread();
    struct memstats s = stats();
    ck_assert_uint_eq(s.heap_inuse, 0);
    ck_assert_uint_eq(s.heap_alloc, 0);
    uint64_t gone = heap_scavenge(UINT64_MAX);
    ck_assert_uint_ge(gone, OBJECTS * UINT64_C(1000));
    ck_assert_uint_eq(heap_used_bytes(), used - gone);
    s = stats();
    ck_assert_uint_eq(s.heap_released, s.heap_idle);
    ck_assert_uint_eq(s.scavenged_total, gone);
    heap_check();
}
END_TEST

static void free_twice(void)
{
    void *p = heap_alloc(100, HEAP_HTTP);
    heap_free(p, 100, HEAP_HTTP);
    heap_free(p, 100, HEAP_HTTP);
    heap_flush_thread();
}

static void free_large_twice(void)
{
    void *p = heap_alloc(100000, HEAP_HTTP);
    heap_free(p, 100000, HEAP_HTTP);
    heap_free(p, 100000, HEAP_HTTP);
}

static void free_what_is_not_ours(void)
{
    int here;
    heap_free(&here, sizeof(here), HEAP_HTTP);
}

static void free_large_as_longer(void)
{
    heap_free(heap_alloc(100000, HEAP_HTTP), 110000, HEAP_HTTP);
}

static void free_small_as_large(void)
{
    heap_free(heap_alloc(100, HEAP_HTTP), 100000, HEAP_HTTP);
}

static void resize_from_another_class(void)
{
    ck_assert_ptr_null(heap_resize(heap_alloc(100, HEAP_HTTP), 2000, 3000, HEAP_HTTP));
}

/* Noticed when it comes back to a span at the latest, in every build. */
static void free_as_another_class_and_flush(void)
{
    heap_free(heap_alloc(100, HEAP_HTTP), 96, HEAP_HTTP);
    heap_flush_thread();
}

static void free_inside_a_large_object(void)
{
    heap_free((uint8_t *)heap_alloc(100000, HEAP_HTTP) + HEAP_PAGE_BYTES, 100000, HEAP_HTTP);
}

static void free_cell_as_another_and_flush(void)
{
    heap_free(heap_alloc_cell(HEAP_CHUNKS), HEAP_CELL_BYTES, HEAP_CHUNKS);
    heap_flush_thread();
}

START_TEST(wrong_frees_end_the_process)
{
    ck_assert(aborts(free_cell_as_another_and_flush));
    ck_assert(aborts(free_twice));
    ck_assert(aborts(free_large_twice));
    ck_assert(aborts(free_what_is_not_ours));
    ck_assert(aborts(free_inside_a_large_object));
    ck_assert(aborts(free_large_as_longer));
    ck_assert(aborts(free_small_as_large));
    ck_assert(aborts(resize_from_another_class));
    ck_assert(aborts(free_as_another_class_and_flush));
}
END_TEST

#if POISON_ACTIVE
static void touch_freed(void)
{
    volatile uint8_t *p = heap_alloc(100, HEAP_HTTP);
    heap_free((void *)p, 100, HEAP_HTTP);
    p[0] = 1;
}

static void touch_freed_large(void)
{
    volatile uint8_t *p = heap_alloc(100000, HEAP_HTTP);
    heap_free((void *)p, 100000, HEAP_HTTP);
    p[50000] = 1;
}

static void touch_past_the_end(void)
{
    volatile uint8_t *p = heap_alloc(100, HEAP_HTTP); /* of a class of 112 */
    p[100] = 1;
}

static void touch_what_usable_size_allows(void)
{
    volatile uint8_t *p = heap_alloc(100, HEAP_HTTP);
    p[heap_usable_size((void *)p) - 1] = 1;
}

START_TEST(the_sanitizer_sees_free_memory)
{
    ck_assert(dies(touch_freed));
    ck_assert(dies(touch_freed_large));
    ck_assert(dies(touch_past_the_end));
    ck_assert(!dies(touch_what_usable_size_allows));
}
END_TEST
#else
START_TEST(the_sanitizer_sees_free_memory)
{
    ck_assert(!dies(heap_check)); /* no sanitizer in this build: nothing to see */
}
END_TEST
#endif

/* A model knows size, fill and tag of every object. */
struct object {
    uint8_t *p;
    size_t size;
    enum heap_tag tag;
    uint8_t fill;
};

static void check_object(const struct object *o)
{
    ck_assert_uint_eq(o->p[0], o->fill);
    ck_assert_uint_eq(o->p[o->size / 2], o->fill);
    ck_assert_uint_eq(o->p[o->size - 1], o->fill);
}

/* Asked for at the size it got: may be freed without it. */
static bool is_whole(const struct object *o)
{
    return o->size == heap_good_size(o->size);
}

static void renew_object(struct object *o, struct random *r)
{
    o->size = random_size(r, random_below(r, 20) ? 4000 : 200000);
    if (random_below(r, 4) == 0) o->size = heap_good_size(o->size);
    o->tag = (enum heap_tag)random_below(r, HEAP_TAG_COUNT);
    o->fill = (uint8_t)random_next(r);
    o->p = random_below(r, 2) ? heap_alloc(o->size, o->tag) : heap_calloc(1, o->size, o->tag);
    ck_assert_ptr_nonnull(o->p);
    memset(o->p, o->fill, o->size);
}

static void check_sums(const struct object *objects, int count)
{
    uint64_t bytes[HEAP_TAG_COUNT] = {0};
    uint64_t requested[HEAP_TAG_COUNT] = {0};
    uint64_t live[HEAP_TAG_COUNT] = {0};
    for (int i = 0; i < count; i++) {
        if (!objects[i].p) continue;
        bytes[objects[i].tag] += heap_good_size(objects[i].size);
        requested[objects[i].tag] += objects[i].size;
        live[objects[i].tag]++;
    }
    struct memstats s = stats();
    for (int t = 0; t < HEAP_TAG_COUNT; t++) {
        ck_assert_uint_eq(s.tag_bytes[t], bytes[t]);
        ck_assert_uint_eq(s.tag_requested[t], requested[t]);
        ck_assert_uint_eq(s.tag_objects[t], live[t]);
    }
}

START_TEST(any_history_agrees_with_the_model)
{
    enum { OBJECTS = 2000, STEPS = 60000 };
    static struct object objects[OBJECTS];
    struct random r = random_start("heap");
    for (int step = 0; step < STEPS; step++) {
        struct object *o = &objects[random_below(&r, OBJECTS)];
        if (!o->p) {
            renew_object(o, &r);
        } else if (random_below(&r, 4) == 0) {
            check_object(o);
            size_t size = random_size(&r, 100000);
            ck_assert_ptr_nonnull(o->p = heap_resize(o->p, o->size, size, o->tag));
            ck_assert_uint_eq(o->p[0], o->fill);
            ck_assert_uint_eq(o->p[(size < o->size ? size : o->size) - 1], o->fill);
            o->size = size;
            memset(o->p, o->fill, size);
        } else {
            check_object(o);
            if (random_below(&r, 4) == 0 && is_whole(o))
                heap_free_unsized(o->p, o->tag);
            else
                heap_free(o->p, o->size, o->tag);
            o->p = NULL;
        }
        if (random_below(&r, 500) == 0) heap_flush_thread();
        if (random_below(&r, 500) == 0) heap_scavenge(random_size(&r, 8 << 20));
        if (step % 2000 == 0) {
            heap_check();
            check_sums(objects, OBJECTS);
        }
    }
    for (int i = 0; i < OBJECTS; i++)
        if (objects[i].p) heap_free(objects[i].p, objects[i].size, objects[i].tag);
    heap_flush_thread();
    heap_check();
    ck_assert_uint_eq(stats().heap_inuse, 0);
}
END_TEST

SUITE(heap, no_bytes_are_at_one_address_that_free_ignores, every_size_is_aligned_usable_and_its_own,
      calloc_gives_zeros_from_used_memory_too, calloc_does_not_touch_what_is_zero_already,
      absurd_sizes_are_refused, alignments_up_to_a_page_are_kept, resize_keeps_the_contents,
      resize_within_a_class_stays_in_place, at_the_limit_allocation_answers_null_and_recovers,
      fragments_are_traded_in_at_the_limit, other_bytes_count_against_the_limit,
      a_limit_too_low_for_any_record_still_allows_to_free,
      the_nth_allocation_fails_and_every_one_after, everything_freed_goes_back_to_the_system,
      wrong_frees_end_the_process, the_sanitizer_sees_free_memory,
      any_history_agrees_with_the_model)
