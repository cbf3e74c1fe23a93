/* region: exact fit, bounded tails, the books, and its end. */
#include "alloc/region.h"

#include <string.h>

#include "alloc/memstats.h"
#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "alloc/poison.h"
#include "tests/unit/alloc/death.h"
#include "tests/unit/alloc/random.h"
#include "tests/unit/alloc/resident.h"
#include "tests/unit/suite.h"

enum { OBJECTS = 20000 };

struct object {
    uint64_t ref;
    uint32_t size;
};
static struct object objects[OBJECTS];

/* Chunk-like lengths: most around a KiB, some up to 24 KiB. */
static uint32_t some_size(struct random *r)
{
    return (uint32_t)(random_below(r, 50) ? 16 + random_below(r, 2400)
                                          : 1 + random_below(r, 24 << 10));
}

static void fill(struct region *r, struct random *random)
{
    for (uint32_t i = 0; i < OBJECTS; i++) {
        objects[i].size = some_size(random);
        objects[i].ref = region_alloc(r, objects[i].size);
        ck_assert(objects[i].ref != REGION_NONE);
        memset(region_at(objects[i].ref), (int)(i % 251), objects[i].size);
    }
}

static void check_contents(void)
{
    for (uint32_t i = 0; i < OBJECTS; i++) {
        const uint8_t *p = region_at(objects[i].ref);
        if ((uintptr_t)p % REGION_ALIGNMENT || p[0] != i % 251 || p[objects[i].size - 1] != i % 251)
            ck_abort_msg("object %u is not what was written", i);
    }
}

START_TEST(objects_fit_exactly_and_tails_are_bounded)
{
    struct random random = random_start("objects_fit_exactly");
    struct region r;
    struct memstats s;
    region_init(&r, HEAP_CHUNKS);
    fill(&r, &random);
    check_contents();
    region_check(&r);
    uint64_t rounded = 0;
    uint64_t requested = 0;
    for (uint32_t i = 0; i < OBJECTS; i++) {
        requested += objects[i].size;
        rounded += (objects[i].size + 7) / 8 * 8;
    }
    ck_assert_uint_eq(r.live_bytes, rounded);
    ck_assert_uint_eq(r.requested_bytes, requested);
    /* What lies between the objects: ends of blocks too short for the next object. */
    ck_assert_uint_le(r.block_bytes - rounded, r.block_bytes / 16 + r.block_bytes / 50);
    region_trim(&r);
    region_check(&r);
    ck_assert_uint_le(r.block_bytes - rounded, r.block_bytes / 50);
    memstats_read(&s);
    memstats_check(&s);
    ck_assert_uint_eq(s.tag_bytes[HEAP_CHUNKS], rounded);
    ck_assert_uint_eq(s.tag_requested[HEAP_CHUNKS], requested);
    ck_assert_uint_eq(s.tag_objects[HEAP_CHUNKS], OBJECTS);
    ck_assert_uint_eq(s.region_bytes, r.block_bytes - rounded);
    region_release(&r);
    memstats_read(&s);
    ck_assert_uint_eq(s.tag_bytes[HEAP_CHUNKS], 0);
    ck_assert_uint_eq(s.tag_requested[HEAP_CHUNKS], 0);
    ck_assert_uint_eq(s.tag_objects[HEAP_CHUNKS], 0);
    ck_assert_uint_eq(s.region_bytes, 0);
    heap_check();
}
END_TEST

START_TEST(deleted_objects_are_counted_and_stay_until_the_end)
{
    struct random random = random_start("deleted_objects");
    struct region r;
    struct memstats s;
    uint64_t live = 0;
    region_init(&r, HEAP_CHUNKS);
    fill(&r, &random);
    uint64_t block_bytes = r.block_bytes;
    for (uint32_t i = 0; i < OBJECTS; i++) {
        if (i % 3 == 0)
            region_delete(&r, objects[i].size);
        else
            live += (objects[i].size + 7) / 8 * 8;
    }
    check_contents();
    region_check(&r);
    ck_assert_uint_eq(r.live_bytes, live);
    ck_assert_uint_eq(r.block_bytes, block_bytes);
    memstats_read(&s);
    memstats_check(&s);
    ck_assert_uint_eq(s.tag_bytes[HEAP_CHUNKS], live);
    ck_assert_uint_eq(s.heap_inuse - s.heap_alloc,
                      s.free_slot_bytes + s.tail_bytes + s.cached_bytes + block_bytes - live);
    region_release(&r);
    heap_check();
}
END_TEST

START_TEST(the_blocks_of_one_region_serve_the_next)
{
    struct random random = random_start("the_blocks");
    struct random again = random;
    struct region r;
    struct memstats first;
    struct memstats second;
    region_init(&r, HEAP_CHUNKS);
    fill(&r, &random);
    memstats_read(&first);
    region_release(&r);
    fill(&r, &again);
    memstats_read(&second);
    ck_assert_uint_eq(second.heap_sys, first.heap_sys);
    ck_assert_uint_eq(second.heap_inuse, first.heap_inuse);
    ck_assert_uint_eq(second.heap_released, first.heap_released);
    region_release(&r);
}
END_TEST

/* As one who allocates under a lock, and takes blocks ahead between two holds of it. */
static uint64_t alloc_with_block_ahead(struct region *r, uint32_t size)
{
    uint64_t bytes = region_wants_block(r);
    if (bytes) region_put_block(r, region_take_block(bytes));
    const struct span *ahead = r->ahead;
    const struct span *open = r->open;
    uint64_t ref = region_alloc(r, size);
    ck_assert(!open || r->open == open || r->open == ahead); /* never one that was taken then */
    return ref;
}

START_TEST(blocks_are_taken_ahead_and_given_back)
{
    struct region r;
    struct memstats s;
    region_init(&r, HEAP_CHUNKS);
    ck_assert_uint_eq(region_wants_block(&r), 0); /* nobody knows that anything comes */
    region_put_block(&r, region_take_block(REGION_BLOCK_BYTES_MIN));
    ck_assert_uint_eq(r.block_bytes, 0);
    for (uint32_t i = 0; i < OBJECTS; i++)
        ck_assert(alloc_with_block_ahead(&r, 1000) != REGION_NONE);
    ck_assert_uint_le(r.block_bytes - r.live_bytes, r.block_bytes / 8 + r.block_bytes / 50);
    while (!r.ahead)
        ck_assert(alloc_with_block_ahead(&r, 1000) != REGION_NONE);
    region_put_block(&r, region_take_block(REGION_BLOCK_BYTES_MIN)); /* one is enough */
    region_put_block(&r, NULL);
    region_check(&r);
    memstats_read(&s);
    memstats_check(&s);
    ck_assert_uint_eq(s.region_bytes, r.block_bytes - r.live_bytes);
    region_trim(&r);
    ck_assert_ptr_null(r.ahead);
    region_check(&r);
    ck_assert_uint_le(r.block_bytes - r.live_bytes, r.block_bytes / 50);
    while (!r.ahead)
        ck_assert(alloc_with_block_ahead(&r, 1000) != REGION_NONE);
    region_release(&r);
    memstats_read(&s);
    ck_assert_uint_eq(s.region_bytes, 0);
    heap_check();
}
END_TEST

START_TEST(what_was_taken_ahead_costs_no_page_faults_later)
{
    struct region r;
    region_init(&r, HEAP_CHUNKS);
    while (region_wants_block(&r) != REGION_BLOCK_BYTES_MIN)
        ck_assert(region_alloc(&r, 1000) != REGION_NONE);
    heap_scavenge(UINT64_MAX); /* nothing is resident that lies idle */
    struct span *block = region_take_block(REGION_BLOCK_BYTES_MIN);
    ck_assert_uint_eq(resident_bytes(page_map_address(block->page), REGION_BLOCK_BYTES_MIN),
                      REGION_BLOCK_BYTES_MIN);
    region_put_block(&r, block);
    region_check(&r);
    region_release(&r);
}
END_TEST

enum { WANTED = 2 * REGION_BLOCK_BYTES_MIN, IDLE_PAGES = 12, LONG = WANTED / 4 };

/* A region that wants a block of WANTED, and a run of IDLE_PAGES with something behind it. */
static struct span *make_idle_run(struct region *r, uint32_t *page)
{
    region_init(r, HEAP_CHUNKS);
    while (region_wants_block(r) != WANTED)
        ck_assert(region_alloc(r, 1000) != REGION_NONE);
    heap_scavenge(UINT64_MAX);
    struct span *idle = page_heap_alloc(IDLE_PAGES, SIZE_CLASS_LARGE);
    struct span *between = page_heap_alloc(1, SIZE_CLASS_LARGE);
    ck_assert_ptr_nonnull(idle);
    ck_assert_ptr_nonnull(between);
    *page = idle->page;
    page_heap_free(idle);
    return between;
}

START_TEST(what_is_resident_serves_the_region_that_follows_one)
{
    struct region r;
    struct region gone;
    uint32_t page;
    region_init(&gone, HEAP_CHUNKS);
    while (gone.block_bytes < 4 << 20)
        ck_assert(region_alloc(&gone, 1000) != REGION_NONE);
    region_release(&gone);
    struct span *between = make_idle_run(&r, &page);
    region_put_block(&r, region_take_block(WANTED));
    ck_assert_uint_eq(r.ahead->page, page);
    ck_assert_uint_eq(r.ahead->pages, IDLE_PAGES);
    while (r.end - r.at >= LONG) /* the open block is as full as it gets */
        ck_assert(region_alloc(&r, 1000) != REGION_NONE);
    uint32_t blocks = r.block_count;
    uint64_t ref = region_alloc(&r, LONG); /* more than a quarter of this block */
    memset(region_at(ref), 1, LONG);
    ck_assert_uint_eq(r.block_count, blocks + 1);
    ck_assert_uint_eq(r.ahead->page, page);
    region_check(&r);
    region_release(&r);
    page_heap_free(between);
    heap_check();
}
END_TEST

START_TEST(where_regions_become_more_what_is_resident_is_left_to_others)
{
    struct region r;
    uint32_t page;
    struct span *between = make_idle_run(&r, &page); /* none went, and this is a block too long */
    struct region more;
    region_init(&more, HEAP_CHUNKS);
    while (more.block_bytes < REGION_BLOCK_BYTES_MAX)
        ck_assert(region_alloc(&more, 1000) != REGION_NONE);
    region_put_block(&r, region_take_block(WANTED));
    ck_assert_uint_ne(r.ahead->page, page);
    ck_assert_uint_eq((uint64_t)r.ahead->pages * HEAP_PAGE_BYTES, WANTED);
    region_release(&r);
    region_release(&more);
    page_heap_free(between);
    heap_check();
}
END_TEST

START_TEST(a_long_object_gets_pages_of_its_own)
{
    struct region r;
    region_init(&r, HEAP_CHUNKS);
    uint64_t small = region_alloc(&r, 100);
    uint64_t large = region_alloc(&r, 3 << 20);
    uint64_t next = region_alloc(&r, 100);
    memset(region_at(large), 1, 3 << 20);
    ck_assert_ptr_eq((char *)region_at(small) + 104, region_at(next));
    ck_assert_uint_eq(r.block_bytes, REGION_BLOCK_BYTES_MIN + (3 << 20));
    region_check(&r);
    region_release(&r);
}
END_TEST

static struct region watched;

static void write_at(uint64_t ref, size_t at)
{
    volatile uint8_t *bytes = region_at(ref);
    bytes[at] = 1;
}

static void write_behind_the_last_and_check(void)
{
    write_at(region_alloc(&watched, 1000), 1000);
    region_check(&watched);
}

static void write_behind_the_last_and_release(void)
{
    write_at(region_alloc(&watched, 1000), 1000);
    region_release(&watched);
}

static void write_behind_a_long_one(void)
{
    write_at(region_alloc(&watched, 100000), 100000);
    region_check(&watched);
}

static void write_into_a_block_that_is_full(void)
{
    for (int i = 0; i < 6; i++) /* five fit into the first block */
        if (region_alloc(&watched, 12000) == REGION_NONE) return;
    region_check(&watched);
    struct span *first = watched.full;
    volatile uint8_t *end = page_map_address(first->page + first->pages);
    end[-1] = 1;
    region_check(&watched);
}

START_TEST(a_write_behind_the_last_object_of_a_block_is_found)
{
    static const char *const words =
        POISON_ACTIVE ? "use-after-poison" : "written to where no object is";
    region_init(&watched, HEAP_CHUNKS);
    ck_assert(region_alloc(&watched, 100) != REGION_NONE);
    ck_assert(dies_saying(write_behind_the_last_and_check, words));
    ck_assert(dies_saying(write_behind_the_last_and_release, words));
    ck_assert(dies_saying(write_behind_a_long_one, words));
    ck_assert(dies_saying(write_into_a_block_that_is_full, words));
    region_release(&watched);
}
END_TEST

START_TEST(at_the_limit_nothing_changes)
{
    struct region r;
    region_init(&r, HEAP_CHUNKS);
    ck_assert(region_alloc(&r, 1000) != REGION_NONE);
    heap_set_limit(heap_used_bytes());
    uint64_t count = 1;
    while (region_alloc(&r, 1000) != REGION_NONE)
        count++;
    ck_assert_uint_eq(r.live_bytes, count * 1000);
    ck_assert_uint_lt(count, 10000);
    region_check(&r);
    heap_set_limit(0);
    ck_assert(region_alloc(&r, 1000) != REGION_NONE);
    region_release(&r);
    heap_check();
}
END_TEST

SUITE(region, objects_fit_exactly_and_tails_are_bounded,
      deleted_objects_are_counted_and_stay_until_the_end, the_blocks_of_one_region_serve_the_next,
      blocks_are_taken_ahead_and_given_back, what_was_taken_ahead_costs_no_page_faults_later,
      what_is_resident_serves_the_region_that_follows_one,
      where_regions_become_more_what_is_resident_is_left_to_others,
      a_long_object_gets_pages_of_its_own, a_write_behind_the_last_object_of_a_block_is_found,
      at_the_limit_nothing_changes)
