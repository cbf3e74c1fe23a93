/* memstats: Go's meanings, and identities that hold at any moment under load. */
#include "alloc/memstats.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "alloc/region.h"
#include "alloc/size_class.h"
#include "alloc/tiny.h"
#include "base/clock.h"
#include "base/thread.h"
#include "tests/unit/alloc/random.h"
#include "tests/unit/suite.h"

static void check_identities(const struct memstats *s)
{
    uint64_t tags = 0;
    uint64_t requested = 0;
    uint64_t objects = 0;
    uint64_t mallocs = 0;
    uint64_t frees = 0;
    for (int t = 0; t < HEAP_TAG_COUNT; t++) {
        tags += s->tag_bytes[t];
        requested += s->tag_requested[t];
        objects += s->tag_objects[t];
        ck_assert_uint_le(s->tag_requested[t], s->tag_bytes[t]);
    }
    for (uint32_t c = 0; c < s->class_count; c++) {
        mallocs += s->classes[c].mallocs + s->classes[c].region_mallocs;
        frees += s->classes[c].frees + s->classes[c].region_frees;
        ck_assert_uint_le(s->classes[c].frees, s->classes[c].mallocs);
        ck_assert_uint_le(s->classes[c].region_frees, s->classes[c].region_mallocs);
    }
    ck_assert_uint_eq(s->heap_sys, s->heap_inuse + s->heap_idle);
    ck_assert_uint_eq(s->heap_objects, s->mallocs - s->frees);
    ck_assert_uint_eq(s->heap_objects, objects);
    ck_assert_uint_eq(s->sys, s->heap_sys + s->stack_sys + s->mspan_sys + s->mcache_sys +
                                  s->buck_hash_sys + s->gc_sys + s->other_sys);
    ck_assert_uint_eq(s->heap_alloc, tags);
    ck_assert_uint_eq(s->heap_requested, requested);
    ck_assert_uint_le(s->heap_requested, s->heap_alloc);
    ck_assert_uint_eq(s->mallocs, mallocs + s->tiny_allocs);
    ck_assert_uint_eq(s->frees, frees + s->tiny_allocs);
    ck_assert_uint_le(s->heap_alloc, s->heap_inuse);
    ck_assert_uint_le(s->heap_released, s->heap_idle);
    ck_assert_uint_le(s->heap_alloc, s->total_alloc);
    ck_assert_uint_le(s->mspan_inuse, s->mspan_sys);
    ck_assert_uint_le(s->mcache_inuse, s->mcache_sys);
    ck_assert_uint_eq(s->heap_inuse, s->heap_alloc + s->free_slot_bytes + s->tail_bytes +
                                         s->region_bytes + s->cached_bytes);
    ck_assert_uint_le(s->deleted_bytes, s->region_bytes);
    ck_assert_uint_le(s->span_released, s->heap_inuse - s->heap_alloc);
    ck_assert_uint_eq(s->resident, s->sys - s->heap_released - s->span_released);
    memstats_check(s);
}

START_TEST(sizes_are_those_of_classes_and_pages)
{
    static struct memstats start, s;
    memstats_read(&start);
    void *small = heap_alloc(100, HEAP_LABELS);
    void *exact = heap_alloc(128, HEAP_CHUNKS);
    void *large = heap_alloc(100000, HEAP_QUERY);
    memstats_read(&s);
    check_identities(&s);
    ck_assert_uint_eq(s.tag_bytes[HEAP_LABELS], 112);
    ck_assert_uint_eq(s.tag_bytes[HEAP_CHUNKS], 128);
    ck_assert_uint_eq(s.tag_bytes[HEAP_QUERY], 13 * HEAP_PAGE_BYTES);
    ck_assert_uint_eq(s.tag_requested[HEAP_LABELS], 100);
    ck_assert_uint_eq(s.tag_requested[HEAP_CHUNKS], 128);
    ck_assert_uint_eq(s.tag_requested[HEAP_QUERY], 100000);
    ck_assert_uint_eq(s.heap_requested, 100228);
    ck_assert_uint_eq(s.tag_objects[HEAP_LABELS], 1);
    ck_assert_uint_eq(s.heap_objects, 3);
    ck_assert_uint_eq(s.classes[0].mallocs, start.classes[0].mallocs + 1);
    ck_assert_uint_eq(s.classes[0].size_bytes, 0);
    heap_free(small, 100, HEAP_LABELS);
    heap_free(exact, 128, HEAP_CHUNKS);
    heap_free(large, 100000, HEAP_QUERY);
    memstats_read(&s);
    ck_assert_uint_eq(s.heap_alloc, 0);
    ck_assert_uint_eq(s.mallocs, start.mallocs + 3);
    ck_assert_uint_eq(s.frees, start.frees + 3);
    ck_assert_uint_eq(s.total_alloc, start.total_alloc + 112 + 128 + 13 * HEAP_PAGE_BYTES);
}
END_TEST

START_TEST(objects_in_thread_caches_are_free_but_in_use_for_spans)
{
    struct memstats s;
    heap_flush_thread(); /* of what other tests in this process left */
    heap_free(heap_alloc(128, HEAP_CHUNKS), 128, HEAP_CHUNKS);
    memstats_read(&s);
    ck_assert_uint_eq(s.heap_alloc, 0);
    ck_assert_uint_gt(s.heap_inuse, 0);
    for (uint32_t c = 1; c < s.class_count; c++)
        if (s.classes[c].spans) {
            ck_assert_uint_eq(s.classes[c].size_bytes, 128);
            ck_assert_uint_eq(s.classes[c].free_slots * 128, s.heap_inuse);
        }
    heap_flush_thread();
    memstats_read(&s);
    ck_assert_uint_eq(s.heap_inuse, 0);
    ck_assert_uint_eq(s.heap_sys, s.heap_idle);
}
END_TEST

/* Some class whose spans have an end that is too short for an object. */
static const struct size_class *class_with_tail(void)
{
    for (unsigned c = 1; c < SIZE_CLASS_COUNT; c++)
        if (size_classes[c].pages * HEAP_PAGE_BYTES % size_classes[c].bytes)
            return &size_classes[c];
    ck_abort_msg("no class has a tail");
    return NULL;
}

START_TEST(what_is_in_use_and_holds_nothing_is_told_apart)
{
    static struct memstats s;
    struct region region;
    const struct size_class *k = class_with_tail();
    heap_flush_thread(); /* of what other tests in this process left */
    void *p = heap_alloc(k->bytes - 1, HEAP_INDEX);
    heap_free(heap_alloc(100000, HEAP_QUERY), 100000, HEAP_QUERY);
    region_init(&region, HEAP_CHUNKS);
    ck_assert(region_alloc(&region, 1000) != REGION_NONE);
    ck_assert(region_alloc(&region, 100) != REGION_NONE);
    region_delete(&region, 100);
    memstats_read(&s);
    check_identities(&s);
    ck_assert_uint_eq(s.heap_alloc - s.heap_requested, 1);
    ck_assert_uint_eq(s.free_slot_bytes, (k->slots - 1u) * k->bytes);
    ck_assert_uint_eq(s.tail_bytes, k->pages * HEAP_PAGE_BYTES % k->bytes);
    ck_assert_uint_eq(s.region_bytes, REGION_BLOCK_BYTES_MIN - 1000);
    ck_assert_uint_eq(s.deleted_bytes, 104);
    ck_assert_uint_eq(s.cached_bytes, 13 * HEAP_PAGE_BYTES);
    heap_free(p, k->bytes - 1, HEAP_INDEX);
    region_release(&region);
    heap_flush_thread();
}
END_TEST

START_TEST(every_tag_has_a_name)
{
    for (int t = 0; t < HEAP_TAG_COUNT; t++) {
        ck_assert_uint_gt(strlen(heap_tag_name((enum heap_tag)t)), 0);
        for (int u = 0; u < t; u++)
            ck_assert_str_ne(heap_tag_name((enum heap_tag)t), heap_tag_name((enum heap_tag)u));
    }
    ck_assert_str_eq(heap_tag_name(HEAP_CHUNKS), "chunks");
}
END_TEST

enum { LOAD_OBJECTS = 300 };

struct load {
    struct random random;
    atomic_bool *stop;
    struct region region;
    void *cell, *tiny;
    struct {
        void *p;
        size_t size;
        enum heap_tag tag;
    } objects[LOAD_OBJECTS];
};

static void use_object(struct load *load)
{
    struct random *r = &load->random;
    size_t i = random_below(r, LOAD_OBJECTS);
    void **p = &load->objects[i].p;
    size_t size = random_size(r, random_below(r, 10) ? 2000 : 300000);
    if (!*p) {
        load->objects[i].tag = (enum heap_tag)random_below(r, HEAP_TAG_COUNT);
        *p = heap_alloc(size, load->objects[i].tag);
    } else if (random_below(r, 3) == 0) {
        *p = heap_resize(*p, load->objects[i].size, size, load->objects[i].tag);
    } else {
        heap_free(*p, load->objects[i].size, load->objects[i].tag);
        *p = NULL;
    }
    load->objects[i].size = size;
}

static void use_region(struct load *load)
{
    struct random *r = &load->random;
    uint32_t size = (uint32_t)random_size(r, random_below(r, 50) ? 3000 : 100000);
    bool given = region_alloc(&load->region, size) != REGION_NONE;
    if (given && random_below(r, 10) == 0) region_delete(&load->region, size);
    if (random_below(r, 500) == 0) region_trim(&load->region);
    if (random_below(r, 2000) == 0) region_release(&load->region);
}

static void use_cell_and_tiny(struct load *load)
{
    heap_free_cell(load->cell, HEAP_CHUNKS);
    heap_free_tiny(load->tiny, 3, HEAP_INDEX);
    load->cell = heap_alloc_cell(HEAP_CHUNKS);
    load->tiny = heap_alloc_tiny(3, HEAP_INDEX);
}

static void drop_load(struct load *load)
{
    for (size_t i = 0; i < LOAD_OBJECTS; i++) {
        heap_free(load->objects[i].p, load->objects[i].size, load->objects[i].tag);
        load->objects[i].p = NULL;
    }
}

static void make_load(void *arg)
{
    struct load *load = arg;
    region_init(&load->region, HEAP_CHUNKS);
    while (!atomic_load_explicit(load->stop, memory_order_relaxed)) {
        uint64_t what = random_below(&load->random, 2000);
        if (what < 1500)
            use_object(load);
        else if (what < 1800)
            use_region(load);
        else if (what < 1999)
            use_cell_and_tiny(load);
        else
            drop_load(load), heap_flush_thread(); /* spans come and go */
    }
    drop_load(load);
    region_release(&load->region);
    heap_free_cell(load->cell, HEAP_CHUNKS);
    heap_free_tiny(load->tiny, 3, HEAP_INDEX);
}

START_TEST(the_identities_hold_at_any_moment_of_load)
{
    enum { THREADS = 4, READS = 400 / SUITE_FEWER };
    static struct memstats start, before, s;
    memstats_read(&start);
    struct thread threads[THREADS];
    static struct load loads[THREADS];
    atomic_bool stop = false;
    struct random r = random_start("memstats");
    for (int i = 0; i < THREADS; i++) {
        loads[i] = (struct load){.random.state = random_next(&r), .stop = &stop};
        ck_assert_int_eq(thread_start(&threads[i], "load", make_load, &loads[i], NULL), OK);
    }
    for (int i = 0; i < READS; i++) {
        memstats_read(&s);
        check_identities(&s);
        ck_assert_uint_ge(s.mallocs, before.mallocs);
        ck_assert_uint_ge(s.frees, before.frees);
        ck_assert_uint_ge(s.total_alloc, before.total_alloc);
        before = s;
        if (i % 10 == 0) heap_scavenge(1 << 20);
        thread_sleep_ms((int64_t)random_below(&r, 3));
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
    memstats_read(&s);
    check_identities(&s);
    ck_assert_uint_eq(s.heap_alloc, 0);
    ck_assert_uint_eq(s.heap_requested, 0);
    ck_assert_uint_eq(s.heap_objects, 0);
    ck_assert_uint_eq(s.region_bytes, 0);
    ck_assert_uint_gt(s.tiny_allocs, start.tiny_allocs);
    heap_flush_thread();
    memstats_read(&s);
    ck_assert_uint_eq(s.mcache_inuse, start.mcache_inuse);
    ck_assert_uint_eq(s.heap_inuse, 0);
    heap_check();
}
END_TEST

/* Threads that replace what they hold, one object at a time: each has HELD of them, or one more.
 * Beside them others that have caches to be read, and rest. */
enum {
    HOLDERS = 3,
    HELD = 400,
    HOLDERS_OBJECTS = HOLDERS * HELD,
    RESTING = 60,
    LOOKS = 200 / SUITE_FEWER
};

struct holding {
    size_t size;
    int64_t pause_ns; /* between two */
    atomic_int ready;
    atomic_bool stop;
};

static void pause_for(int64_t ns)
{
    int64_t end_ns = clock_mono_ns() + ns;
    while (ns && clock_mono_ns() < end_ns)
        continue;
}

static void hold(void *arg)
{
    struct holding *holding = arg;
    void *held[HELD];
    for (size_t i = 0; i < HELD; i++)
        held[i] = heap_alloc(holding->size, HEAP_SNAPSHOT);
    atomic_fetch_add(&holding->ready, 1);
    for (size_t i = 0; !atomic_load(&holding->stop); i = (i + 1) % HELD) {
        void *next = heap_alloc(holding->size, HEAP_SNAPSHOT);
        heap_free(held[i], holding->size, HEAP_SNAPSHOT);
        held[i] = next;
        pause_for(holding->pause_ns);
    }
    for (size_t i = 0; i < HELD; i++)
        heap_free(held[i], holding->size, HEAP_SNAPSHOT);
}

static void rest(void *arg)
{
    struct holding *holding = arg;
    heap_free(heap_alloc(holding->size, HEAP_SNAPSHOT), holding->size, HEAP_SNAPSHOT);
    atomic_fetch_add(&holding->ready, 1);
    while (!atomic_load(&holding->stop))
        thread_sleep_ms(10);
}

/* What readings say of those threads. */
struct seen {
    unsigned exact;       /* readings that were true at some moment of them */
    uint64_t missing_sum; /* of the others, objects that were there */
};

static struct seen watch_holders(const struct holding *holding)
{
    static struct memstats s;
    struct seen seen = {0};
    for (int i = 0; i < LOOKS; i++) {
        thread_sleep_ms(1); /* the others are at work when it is over */
        memstats_read(&s);
        uint64_t objects = s.tag_objects[HEAP_SNAPSHOT];
        uint64_t requested = s.tag_requested[HEAP_SNAPSHOT];
        ck_assert_uint_le(objects, HOLDERS_OBJECTS + HOLDERS);
        ck_assert_uint_le(requested, (HOLDERS_OBJECTS + HOLDERS) * holding->size);
        seen.exact += objects >= HOLDERS_OBJECTS && requested >= HOLDERS_OBJECTS * holding->size;
        if (objects < HOLDERS_OBJECTS) seen.missing_sum += HOLDERS_OBJECTS - objects;
    }
    return seen;
}

static struct seen watch_threads_that_hold(size_t size, int64_t pause_ns)
{
    struct holding holding = {.size = size, .pause_ns = pause_ns};
    struct thread threads[HOLDERS + RESTING];
    for (int i = 0; i < HOLDERS + RESTING; i++)
        ck_assert_int_eq(
            thread_start(&threads[i], "holder", i < HOLDERS ? hold : rest, &holding, NULL), OK);
    while (atomic_load(&holding.ready) < HOLDERS + RESTING)
        thread_sleep_ms(1);
    struct seen seen = watch_holders(&holding);
    atomic_store(&holding.stop, true);
    for (int i = 0; i < HOLDERS + RESTING; i++)
        thread_join(&threads[i]);
    return seen;
}

START_TEST(what_is_held_is_seen_while_it_changes)
{
    const size_t sizes[] = {1000, 40000};
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        struct seen calm = watch_threads_that_hold(sizes[i], 100000);
        ck_assert_msg(calm.exact >= LOOKS / 4 * 3, "%u of %d", calm.exact, LOOKS);
        struct seen wild = watch_threads_that_hold(sizes[i], 0);
        ck_assert_msg(wild.missing_sum / LOOKS <= HOLDERS_OBJECTS / 10, "%u on average",
                      (unsigned)(wild.missing_sum / LOOKS));
    }
}
END_TEST

enum { NEWCOMERS = 200, WATCHERS = 8 };

static atomic_int newcomers_left;

/* Makes the caches grow: there are more threads at once than before, and they keep much at hand. */
static void arrive(void *arg)
{
    (void)arg;
    for (size_t size = 16; size <= 4096; size *= 2) {
        void *p[200];
        for (int i = 0; i < 200; i++)
            p[i] = heap_alloc(size, HEAP_QUERY);
        for (int i = 0; i < 200; i++)
            heap_free(p[i], size, HEAP_QUERY);
    }
    atomic_fetch_sub(&newcomers_left, 1);
    while (atomic_load(&newcomers_left) > 0)
        thread_sleep_ms(1);
}

static void watch(void *arg)
{
    struct memstats stats;
    (void)arg;
    while (atomic_load(&newcomers_left) > 0) {
        memstats_read(&stats);
        memstats_check(&stats);
    }
}

START_TEST(caches_in_use_are_never_more_than_there_are)
{
    struct thread watchers[WATCHERS];
    struct thread threads[NEWCOMERS];
    atomic_store(&newcomers_left, NEWCOMERS);
    for (int i = 0; i < WATCHERS; i++)
        ck_assert_int_eq(thread_start(&watchers[i], "watcher", watch, NULL, NULL), OK);
    for (int i = 0; i < NEWCOMERS; i++)
        ck_assert_int_eq(thread_start(&threads[i], "newcomer", arrive, NULL, NULL), OK);
    for (int i = 0; i < NEWCOMERS; i++)
        thread_join(&threads[i]);
    for (int i = 0; i < WATCHERS; i++)
        thread_join(&watchers[i]);
}
END_TEST

SUITE(memstats, sizes_are_those_of_classes_and_pages,
      objects_in_thread_caches_are_free_but_in_use_for_spans,
      what_is_in_use_and_holds_nothing_is_told_apart, every_tag_has_a_name,
      the_identities_hold_at_any_moment_of_load, what_is_held_is_seen_while_it_changes,
      caches_in_use_are_never_more_than_there_are)
