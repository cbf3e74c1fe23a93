/* What the records of the allocator cost beside what they describe. Notes of debug builds, which
 * are a part of span records there, do not count. */
#include "alloc/heap.h"
#include "alloc/memstats.h"
#include "alloc/page_map.h"
#include "alloc/region.h"
#include "tests/unit/alloc/random.h"
#include "tests/unit/alloc/resident.h"
#include "tests/unit/suite.h"

enum { MAP_ENTRY_BYTES = 5 };

static uint64_t note_bytes(const struct memstats *s)
{
    uint64_t bytes = 0;
    for (unsigned c = 1; c < SIZE_CLASS_COUNT; c++)
        bytes += s->classes[c].spans * span_note_bytes(c);
    return bytes;
}

/* Records in use for the pages in use. */
static uint64_t record_bytes(const struct memstats *s)
{
    uint64_t pages = s->heap_inuse / HEAP_PAGE_BYTES;
    return s->mspan_inuse - note_bytes(s) + s->mcache_inuse + pages * MAP_ENTRY_BYTES;
}

/* What a store of many series asks for: half of it cells; records and label texts of some ten to
 * some hundred bytes; postings and tables; buffers of requests. */
static size_t size_in_a_store(struct random *r)
{
    uint64_t kind = random_below(r, 1000);
    if (kind < 600) return 128;
    if (kind < 750) return 16 + random_below(r, 48);
    if (kind < 980) return 64 + random_below(r, 300);
    if (kind < 998) return 256 + random_below(r, 4096);
    return 4096 + random_below(r, 60000);
}

START_TEST(records_are_at_most_half_a_percent_of_class_spans)
{
    enum { OBJECTS = 300000 };
    static size_t sizes[OBJECTS];
    static void *objects[OBJECTS];
    struct random r = random_start("records of class spans");
    struct memstats s;
    for (size_t i = 0; i < OBJECTS; i++) {
        sizes[i] = size_in_a_store(&r);
        ck_assert_ptr_nonnull(objects[i] = heap_alloc(sizes[i], HEAP_CHUNKS));
    }
    memstats_read(&s);
    ck_assert_uint_gt(s.heap_inuse, 40 << 20);
    ck_assert_uint_le(record_bytes(&s) * 200, s.heap_inuse);
    for (size_t i = 0; i < OBJECTS; i++)
        heap_free(objects[i], sizes[i], HEAP_CHUNKS);
}
END_TEST

START_TEST(records_are_at_most_a_thousandth_of_a_region)
{
    struct random r = random_start("records of regions");
    struct region region;
    struct memstats before;
    struct memstats after;
    region_init(&region, HEAP_CHUNKS);
    memstats_read(&before);
    for (int i = 0; i < 20000; i++)
        ck_assert(region_alloc(&region, (uint32_t)(64 + random_below(&r, 2400))) != REGION_NONE);
    memstats_read(&after);
    uint64_t bytes = after.heap_inuse - before.heap_inuse;
    ck_assert_uint_gt(bytes, 20 << 20);
    ck_assert_uint_le((record_bytes(&after) - record_bytes(&before)) * 1000, bytes);
    region_release(&region);
}
END_TEST

/* A 16-byte node costs 16.04 bytes: 48 of a record for 2048 nodes, and no bits. */
START_TEST(bits_of_small_objects_take_no_memory_before_one_is_freed)
{
    enum { NODES = 4096 };
    void *nodes[NODES];
    for (int i = 0; i < NODES; i++)
        ck_assert_ptr_nonnull(nodes[i] = heap_alloc(16, HEAP_CHUNKS));
    struct span *span = page_map_span((uint32_t)(page_map_offset(nodes[0]) >> PAGE_SHIFT));
    ck_assert_uint_eq(size_classes[span->size_class].slots, 2048);
    ck_assert_uint_eq(sizeof(*span), 40);
    ck_assert(!is_resident(span_bits(span)));
    for (int i = 0; i < NODES; i++)
        heap_free(nodes[i], 16, HEAP_CHUNKS);
    heap_flush_thread();
    ck_assert(is_resident(span_bits(span)));
}
END_TEST

SUITE(metadata, records_are_at_most_half_a_percent_of_class_spans,
      records_are_at_most_a_thousandth_of_a_region,
      bits_of_small_objects_take_no_memory_before_one_is_freed)
