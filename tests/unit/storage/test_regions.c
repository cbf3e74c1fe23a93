/* regions: words count as long as their slot has their region, and no longer. */
#include "storage/regions.h"

#include "alloc/memstats.h"
#include "base/thread.h"
#include "tests/unit/suite.h"

enum { SLOTS = 4, SIZE = 1000 };

static const struct window_grid grid = {.chunk_ms = 1000, .windows = SLOTS - 1, .slots = SLOTS};
static struct epoch *epoch;
static struct regions r;

static void destroy_region(void *self, struct epoch_node *node)
{
    (void)self;
    regions_destroy_retired(node);
}

static void setup(void)
{
    epoch_destroy *const functions[EPOCH_KIND_COUNT] = {[EPOCH_REGION] = destroy_region};
    epoch = heap_alloc_aligned(sizeof(*epoch), CACHE_LINE_BYTES, HEAP_PROCESS);
    ck_assert_ptr_nonnull(epoch);
    epoch_init(epoch, functions, NULL);
    ck_assert(regions_init(&r, &grid, epoch));
}

static void teardown(void)
{
    struct memstats s;
    regions_check(&r);
    epoch_release(epoch);
    regions_release(&r);
    heap_free(epoch, sizeof(*epoch), HEAP_PROCESS);
    memstats_read(&s);
    ck_assert_uint_eq(s.tag_objects[HEAP_CHUNKS], 0);
}

/* A column of one time, and values that nobody decodes. */
static const uint8_t times[] = {1, 0, 0, 0, 16, 0};
static const uint8_t values[SIZE] = {[SIZE - 1] = 7};
static const struct sealed_parts parts = {
    .times = times, .times_size = sizeof(times), .values = values, .values_size = SIZE};

/* No two have the same values. */
static uint64_t seal(int64_t window)
{
    static uint64_t serial;
    uint8_t bytes[SIZE];
    struct sealed_parts other = parts;
    memcpy(bytes, values, SIZE);
    serial++;
    memcpy(bytes, &serial, sizeof(serial));
    other.values = bytes;
    uint64_t word = regions_put(&r, window, &other);
    ck_assert(word && ring_word_is_sealed(word));
    return word;
}

static bool counts(uint32_t slot, uint64_t word, int64_t window)
{
    struct held held = regions_hold(&r, slot, word);
    return held.sealed && sealed_parts(held.sealed).values_size == SIZE && held.window == window;
}

START_TEST(a_word_counts_until_its_window_is_dropped)
{
    setup();
    regions_enter(&r, 5);
    regions_enter(&r, 6);
    uint64_t five = seal(5);
    uint64_t six = seal(6);
    ck_assert(counts(1, five, 5) && counts(2, six, 6));
    ck_assert(!counts(2, five, 6) && !counts(1, six, 5));
    struct epoch_pin pin = epoch_enter(epoch);
    const struct sealed *seen = regions_hold(&r, 1, five).sealed;
    regions_drop_before(&r, 6);
    ck_assert(!counts(1, five, 5) && counts(2, six, 6));
    ck_assert_uint_eq(atomic_load(&r.pending), 1);
    for (int i = 0; i < 10; i++)
        (void)epoch_collect(epoch, 100);
    ck_assert_uint_eq(atomic_load(&r.pending), 1);
    ck_assert_uint_eq(sealed_parts(seen).values[SIZE - 1],
                      7); /* the reader that came before still reads */
    epoch_leave(&pin);
    while (epoch_collect(epoch, 100))
        continue;
    ck_assert_uint_eq(atomic_load(&r.pending), 0);
    teardown();
}
END_TEST

START_TEST(a_slot_goes_on_to_later_windows_only)
{
    setup();
    regions_enter(&r, 5);
    uint64_t word = seal(5);
    regions_enter(&r, 5 + SLOTS);
    ck_assert(!counts(1, word, 5));
    ck_assert_uint_eq(regions_put(&r, 5, &parts), 0);
    regions_enter(&r, 5);
    ck_assert_uint_eq(regions_put(&r, 5, &parts), 0);
    uint64_t later = seal(5 + SLOTS);
    ck_assert(counts(1, later, 5 + SLOTS) && !counts(1, word, 5));
    teardown();
}
END_TEST

START_TEST(a_window_that_was_dropped_begins_anew)
{
    setup();
    regions_enter(&r, 5);
    uint64_t before = seal(5);
    regions_drop_before(&r, 9);
    uint64_t after = seal(5); /* the clock went back */
    ck_assert(counts(1, after, 5) && !counts(1, before, 5));
    teardown();
}
END_TEST

START_TEST(a_region_with_too_much_dead_is_left_for_a_new_one)
{
    enum { WORDS = 2000 };
    static uint64_t words[WORDS];
    struct region_bytes bytes;
    setup();
    regions_enter(&r, 5);
    for (int i = 0; i < WORDS; i++)
        words[i] = seal(5);
    regions_begin_moving(&r, 1, false);
    ck_assert(!regions_is_leaving(&r, 1, words[0])); /* nothing is dead yet */
    for (int i = 0; i < WORDS / 2; i++)
        regions_delete(&r, 1, words[i]);
    regions_begin_moving(&r, 1, false);
    ck_assert(regions_is_leaving(&r, 1, words[WORDS - 1]));
    ck_assert(counts(1, words[WORDS - 1], 5));
    for (int i = WORDS / 2; i < WORDS; i++) {
        uint64_t old = words[i];
        words[i] = seal(5);
        ck_assert(!regions_is_leaving(&r, 1, words[i]));
        regions_delete(&r, 1, old);
    }
    regions_settle(&r, 1, false);
    ck_assert(counts(1, words[0], 5)); /* not all were moved: the old one stays */
    regions_settle(&r, 1, true);
    ck_assert(!counts(1, words[0], 5) && counts(1, words[WORDS - 1], 5));
    regions_bytes(&r, 1, &bytes);
    ck_assert_int_eq(bytes.window, 5);
    ck_assert_uint_eq(bytes.deleted, 0);
    /* 5 bytes name the column, 2 the size: all together a multiple of 8 more. */
    ck_assert_uint_eq(bytes.live, WORDS / 2 * (SIZE + 8) + 16);
    ck_assert_uint_lt(bytes.blocks - bytes.live, HEAP_PAGE_BYTES + bytes.live / 50);
    teardown();
}
END_TEST

START_TEST(a_column_lives_as_long_as_one_chunk_has_its_times)
{
    static const uint8_t later_times[] = {1, 2, 0, 0, 16, 0};
    struct sealed_parts later = parts;
    struct region_bytes bytes;
    later.times = later_times;
    setup();
    regions_enter(&r, 5);
    uint64_t first = seal(5);
    uint64_t second = seal(5);
    uint64_t third = regions_put(&r, 5, &later);
    const struct sealed *a = regions_hold(&r, 1, first).sealed;
    const struct sealed *b = regions_hold(&r, 1, second).sealed;
    const struct sealed *c = regions_hold(&r, 1, third).sealed;
    ck_assert_uint_eq(sealed_column(a), sealed_column(b));
    ck_assert_uint_ne(sealed_column(a), sealed_column(c));
    ck_assert_uint_eq(sealed_parts(c).times[1], 2);
    regions_bytes(&r, 1, &bytes);
    ck_assert_uint_eq(bytes.live, 3 * (SIZE + 8) + 2 * 16);
    regions_delete(&r, 1, first);
    regions_delete(&r, 1, third);
    regions_bytes(&r, 1, &bytes);
    ck_assert_uint_eq(bytes.live, SIZE + 8 + 16);
    regions_delete(&r, 1, second);
    regions_bytes(&r, 1, &bytes);
    ck_assert_uint_eq(bytes.live, 0);
    ck_assert_uint_ne(sealed_column(regions_hold(&r, 1, seal(5)).sealed), sealed_column(a));
    teardown();
}
END_TEST

START_TEST(the_next_block_is_there_before_it_is_needed)
{
    struct region_bytes before;
    struct region_bytes after;
    setup();
    regions_enter(&r, 5);
    regions_prepare(&r, 5); /* nothing is known of the window */
    regions_prepare(&r, 9); /* of another one in its slot, either */
    regions_bytes(&r, 1, &before);
    ck_assert_uint_eq(before.blocks, 0);
    seal(5);
    for (int i = 0; i < 2000; i++) {
        regions_prepare(&r, 5);
        regions_bytes(&r, 1, &before);
        seal(5);
        regions_bytes(&r, 1, &after);
        ck_assert_uint_eq(after.blocks, before.blocks);
    }
    regions_settle(&r, 1, true);
    regions_bytes(&r, 1, &after);
    ck_assert_uint_lt(after.blocks - after.live, HEAP_PAGE_BYTES + after.live / 50);
    while (regions_bytes(&r, 1, &before), before.blocks == after.blocks) {
        seal(5);
        regions_prepare(&r, 5);
    }
    regions_drop_before(&r, 6); /* goes with what was taken ahead */
    regions_prepare(&r, 5);
    regions_bytes(&r, 1, &after);
    ck_assert_uint_eq(after.blocks, 0);
    teardown();
}
END_TEST

/* Windows of one slot come and go: the nth word is of a region that is the nth to be dropped. */
enum { PASSING = 80000 / SUITE_FEWER, COLLECT_APART = 256 };
static struct passing {
    uint64_t words[PASSING];
    _Atomic uint32_t count; /* of the words that are there */
} passing;

static void let_windows_pass(void *arg)
{
    (void)arg;
    for (int64_t n = 0; n < PASSING; n++) {
        regions_enter(&r, n * SLOTS);
        passing.words[n] = seal(n * SLOTS);
        atomic_store(&passing.count, (uint32_t)n + 1);
        regions_drop_before(&r, n * SLOTS + 1);
        if (n % COLLECT_APART == 0) (void)epoch_collect(epoch, SIZE_MAX);
    }
    heap_flush_thread();
}

START_TEST(what_a_drop_is_counted_for_is_gone)
{
    struct thread thread;
    struct error err;
    uint32_t count = 0;
    setup();
    memset(&passing, 0, sizeof(passing));
    ck_assert(thread_start(&thread, "passing", let_windows_pass, NULL, &err) == OK);
    while (count < PASSING) {
        count = atomic_load(&passing.count);
        if (count == 0) continue;
        uint32_t drops = atomic_load(&r.slots[0].drops);
        struct held held = regions_hold(&r, 0, passing.words[count - 1]);
        EXPECT(drops < count || !held.sealed);
    }
    thread_join(&thread);
    teardown();
}
END_TEST

SUITE(regions, what_a_drop_is_counted_for_is_gone, a_word_counts_until_its_window_is_dropped,
      a_slot_goes_on_to_later_windows_only, a_window_that_was_dropped_begins_anew,
      a_region_with_too_much_dead_is_left_for_a_new_one,
      a_column_lives_as_long_as_one_chunk_has_its_times,
      the_next_block_is_there_before_it_is_needed)
