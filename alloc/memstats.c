/* memstats - sums over all tallies; the order of reading keeps the identities. */
#include "alloc/memstats.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "alloc/cache.h"
#include "alloc/central.h"
#include "alloc/door.h"
#include "alloc/limit.h"
#include "alloc/meta.h"
#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "alloc/region.h"
#include "alloc/tiny.h"
#include "base/assert.h"

_Static_assert((int)SIZE_CLASS_COUNT <= (int)MEMSTATS_CLASSES_MAX, "every class has a row");

enum {
    LOOKS_MAX = 4, /* at one kind of counters */
    ATTEMPTS_MAX = 8
};

/* What was given out and taken back, by owner. */
struct flow {
    uint64_t given[HEAP_TAG_COUNT];
    uint64_t taken[HEAP_TAG_COUNT];
};

struct sums {
    struct flow objects[SIZE_CLASS_COUNT];
    struct flow large_bytes;
    struct flow requested_bytes;
    struct flow region_objects[SIZE_CLASS_COUNT];
    struct flow region_bytes;
    struct flow region_requested_bytes;
};

/* Where the tallies of one kind are. */
struct kind {
    const struct tally *shared;
    size_t offset; /* of each cache's own in struct cache; 0: they have none */
};

static const struct tally *tally_of(const struct cache *cache, size_t offset)
{
    return (const struct tally *)(const void *)((const char *)cache + offset);
}

static void add(uint64_t sums[HEAP_TAG_COUNT], const _Atomic uint64_t counters[HEAP_TAG_COUNT])
{
    for (unsigned t = 0; t < HEAP_TAG_COUNT; t++)
        sums[t] += tally_read(&counters[t]);
}

enum side { GIVEN, TAKEN };

static const _Atomic uint64_t *counters_of(const struct tally *tally, enum side side)
{
    return side == GIVEN ? tally->given : tally->taken;
}

/* Of all caches together, and of those who had none. */
static void sum(const struct kind *kind, enum side side, uint64_t sums[HEAP_TAG_COUNT])
{
    memset(sums, 0, HEAP_TAG_COUNT * sizeof(*sums));
    add(sums, counters_of(kind->shared, side));
    if (!kind->offset) return;
    for (const struct cache *cache = cache_first(); cache; cache = cache->next)
        add(sums, counters_of(tally_of(cache, kind->offset), side));
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What was given, what was taken back, and what was given once more. Where nothing was given
 * meanwhile, the difference is what there was at some moment of it. Else it is less, by what came
 * and went within the look, which is short: look again, a few times. */
static void read_flow(struct flow *out, const struct kind *kind)
{
    struct flow now;
    uint64_t given_after[HEAP_TAG_COUNT];
    bool settled[HEAP_TAG_COUNT] = {false};
    bool all_settled = false;
    sum(kind, GIVEN, now.given);
    for (int look = 0; look < LOOKS_MAX && !all_settled; look++) {
        sum(kind, TAKEN, now.taken);
        sum(kind, GIVEN, given_after);
        all_settled = true;
        for (unsigned t = 0; t < HEAP_TAG_COUNT; t++) {
            if (settled[t]) continue;
            out->given[t] = now.given[t];
            out->taken[t] = lesser(now.taken[t], now.given[t]);
            settled[t] = given_after[t] == now.given[t];
            all_settled &= settled[t];
        }
        memcpy(now.given, given_after, sizeof(now.given));
    }
}

static void read_sums(struct sums *sums)
{
    static const struct kind large = {&tally_shared.large_bytes,
                                      offsetof(struct cache, large.object_bytes)};
    static const struct kind requested = {&tally_shared.requested_bytes,
                                          offsetof(struct cache, requested_bytes)};
    static const struct kind region_bytes = {&tally_regions.large_bytes, 0};
    static const struct kind region_requested = {&tally_regions.requested_bytes, 0};
    for (unsigned c = 0; c < SIZE_CLASS_COUNT; c++) {
        struct kind objects = {&tally_shared.objects[c], offsetof(struct cache, bins) +
                                                             c * sizeof(struct cache_bin) +
                                                             offsetof(struct cache_bin, objects)};
        struct kind region_objects = {&tally_regions.objects[c], 0};
        read_flow(&sums->objects[c], &objects);
        read_flow(&sums->region_objects[c], &region_objects);
    }
    read_flow(&sums->large_bytes, &large);
    read_flow(&sums->requested_bytes, &requested);
    read_flow(&sums->region_bytes, &region_bytes);
    read_flow(&sums->region_requested_bytes, &region_requested);
}

static uint64_t remaining(const struct flow *flow, unsigned tag)
{
    return flow->given[tag] - flow->taken[tag];
}

static void fill_class(struct memstats *out, unsigned c, const struct sums *sums)
{
    struct memstats_class *row = &out->classes[c];
    uint64_t bytes = size_classes[c].bytes;
    row->size_bytes = size_classes[c].bytes;
    row->cells = c == SIZE_CLASS_CELLS;
    for (unsigned t = 0; t < HEAP_TAG_COUNT; t++) {
        uint64_t live = remaining(&sums->objects[c], t);
        out->tag_objects[t] += live + remaining(&sums->region_objects[c], t);
        out->tag_bytes[t] += live * bytes;
        row->mallocs += sums->objects[c].given[t];
        row->frees += sums->objects[c].taken[t];
        row->region_mallocs += sums->region_objects[c].given[t];
        row->region_frees += sums->region_objects[c].taken[t];
    }
    out->mallocs += row->mallocs + row->region_mallocs;
    out->frees += row->frees + row->region_frees;
    out->total_alloc += row->mallocs * bytes;
}

static void fill_bytes(struct memstats *out, unsigned t, const struct sums *sums)
{
    uint64_t requested =
        remaining(&sums->requested_bytes, t) + remaining(&sums->region_requested_bytes, t);
    out->total_alloc += sums->large_bytes.given[t] + sums->region_bytes.given[t];
    out->tag_bytes[t] += remaining(&sums->large_bytes, t) + remaining(&sums->region_bytes, t);
    /* Bytes and objects are read one after the other: what was given in between asks for less than
     * it takes all the same. */
    out->tag_requested[t] = lesser(requested, out->tag_bytes[t]);
    out->heap_requested += out->tag_requested[t];
    out->heap_alloc += out->tag_bytes[t];
}

static void fill_objects(struct memstats *out, const struct sums *sums)
{
    for (unsigned c = 0; c < SIZE_CLASS_COUNT; c++)
        fill_class(out, c, sums);
    for (unsigned t = 0; t < HEAP_TAG_COUNT; t++)
        fill_bytes(out, t, sums);
    out->heap_objects = out->mallocs - out->frees;
    out->tiny_allocs = tiny_allocs();
    out->mallocs += out->tiny_allocs;
    out->frees += out->tiny_allocs;
    out->class_count = SIZE_CLASS_COUNT;
}

static void fill_spans(struct memstats *out)
{
    for (unsigned c = 1; c < SIZE_CLASS_COUNT; c++) {
        struct memstats_class *row = &out->classes[c];
        uint64_t live = row->mallocs - row->frees;
        row->spans = central_spans(c);
        /* Read at another moment than the objects. */
        uint64_t slots = central_slots(c);
        row->free_slots = slots > live ? slots - live : 0;
    }
    out->classes[SIZE_CLASS_LARGE].spans =
        out->classes[SIZE_CLASS_LARGE].mallocs - out->classes[SIZE_CLASS_LARGE].frees;
}

/* What is left of the pages in use is cut into its parts, read a moment later: each is at most what
 * the ones before it leave. */
static void fill_external(struct memstats *out)
{
    uint64_t left = out->heap_inuse - out->heap_alloc;
    uint64_t free_slots = 0;
    uint64_t tails = 0;
    for (unsigned c = 1; c < SIZE_CLASS_COUNT; c++) {
        uint64_t slots = central_slots(c) * size_classes[c].bytes;
        uint64_t pages = central_pages(c) << PAGE_SHIFT;
        free_slots += out->classes[c].free_slots * size_classes[c].bytes;
        tails += pages > slots ? pages - slots : 0;
    }
    out->free_slot_bytes = lesser(free_slots, left);
    left -= out->free_slot_bytes;
    out->tail_bytes = lesser(tails, left);
    left -= out->tail_bytes;
    out->region_bytes = lesser(region_unused_bytes(), left);
    out->deleted_bytes = lesser(region_deleted_bytes(), out->region_bytes);
    out->cached_bytes = left - out->region_bytes;
}

static void fill_system(struct memstats *out, const struct page_heap_stats *pages)
{
    struct meta_stats meta;
    meta_stats(&meta);
    out->heap_sys = pages->sys_bytes;
    out->heap_inuse = pages->inuse_bytes;
    out->heap_idle = pages->idle_bytes;
    out->heap_released = pages->released_bytes;
    /* Read a moment later than the pages. */
    out->span_released = lesser(central_bytes(CENTRAL_RELEASED), out->heap_inuse - out->heap_alloc);
    out->scavenged_total = pages->released_total + central_bytes(CENTRAL_TRIMMED);
    out->huge_total = pages->block_total;
    out->mspan_inuse = meta.inuse_bytes[META_SPAN] + meta.inuse_bytes[META_BITS];
    out->mspan_sys = meta.carved_bytes[META_SPAN] + meta.carved_bytes[META_BITS];
    out->mcache_sys = meta.carved_bytes[META_CACHE];
    /* Read a moment later: there may be caches that were not there before. */
    out->mcache_inuse = lesser(cache_inuse_bytes(), out->mcache_sys);
    out->gc_sys = pages->map_bytes;
    out->buck_hash_sys = meta.carved_bytes[META_PLACES];
    out->other_sys = meta.committed_bytes - out->mspan_sys - out->mcache_sys - out->buck_hash_sys;
    out->sys = out->heap_sys + out->mspan_sys + out->mcache_sys + out->buck_hash_sys + out->gc_sys +
               out->other_sys;
    out->resident = out->sys - out->heap_released - out->span_released;
    out->limit_refusals = limit_refusals();
}

static void read_objects(struct memstats *out)
{
    struct sums sums;
    memset(out, 0, sizeof(*out));
    read_sums(&sums);
    fill_objects(out, &sums);
}

void memstats_read(struct memstats *out)
{
    struct page_heap_stats pages;
    bool consistent = false;
    door_open();
    /* Pages are read behind the objects. Spans that went back in between may leave fewer pages than
     * the objects that were counted: read again, and in the end hold the pages meanwhile. */
    for (int attempt = 0; attempt < ATTEMPTS_MAX && !consistent; attempt++) {
        read_objects(out);
        page_heap_stats(&pages);
        consistent = out->heap_alloc <= pages.inuse_bytes;
    }
    if (!consistent) {
        page_heap_hold(&pages);
        read_objects(out);
        page_heap_let_go();
    }
    fill_spans(out);
    fill_system(out, &pages);
    fill_external(out);
}

void memstats_read_owners(struct memstats_owners *out)
{
    struct sums sums;
    memset(out, 0, sizeof(*out));
    read_sums(&sums);
    for (unsigned t = 0; t < HEAP_TAG_COUNT; t++) {
        out->large_bytes[t] = remaining(&sums.large_bytes, t);
        for (unsigned c = 0; c < SIZE_CLASS_COUNT; c++)
            out->objects[c][t] = remaining(&sums.objects[c], t);
    }
}

void memstats_check(const struct memstats *s)
{
    uint64_t bytes = 0;
    uint64_t requested = 0;
    uint64_t objects = 0;
    uint64_t mallocs = 0;
    uint64_t frees = 0;
    for (int t = 0; t < HEAP_TAG_COUNT; t++) {
        ASSERT(s->tag_requested[t] <= s->tag_bytes[t]);
        bytes += s->tag_bytes[t];
        requested += s->tag_requested[t];
        objects += s->tag_objects[t];
    }
    for (uint32_t c = 0; c < s->class_count; c++) {
        mallocs += s->classes[c].mallocs + s->classes[c].region_mallocs;
        frees += s->classes[c].frees + s->classes[c].region_frees;
    }
    ASSERT(s->heap_alloc == bytes && s->heap_requested == requested);
    ASSERT(s->mallocs == s->tiny_allocs + mallocs && s->frees == s->tiny_allocs + frees);
    ASSERT(s->heap_objects == s->mallocs - s->frees && s->heap_objects == objects);
    ASSERT(s->heap_sys == s->heap_inuse + s->heap_idle && s->heap_released <= s->heap_idle);
    ASSERT(s->heap_alloc <= s->heap_inuse && s->heap_alloc <= s->total_alloc);
    ASSERT(s->heap_inuse - s->heap_alloc ==
           s->free_slot_bytes + s->tail_bytes + s->region_bytes + s->cached_bytes);
    ASSERT(s->mspan_inuse <= s->mspan_sys && s->mcache_inuse <= s->mcache_sys);
    ASSERT(s->sys == s->heap_sys + s->stack_sys + s->mspan_sys + s->mcache_sys + s->buck_hash_sys +
                         s->gc_sys + s->other_sys);
    ASSERT(s->deleted_bytes <= s->region_bytes);
    ASSERT(s->span_released <= s->heap_inuse - s->heap_alloc);
    ASSERT(s->resident == s->sys - s->heap_released - s->span_released);
}

const char *heap_tag_name(enum heap_tag tag)
{
    static const char *const names[HEAP_TAG_COUNT] = {
        [HEAP_SERIES] = "series",     [HEAP_LABELS] = "labels",   [HEAP_INDEX] = "index",
        [HEAP_CHUNKS] = "chunks",     [HEAP_QUERY] = "query",     [HEAP_HTTP] = "http",
        [HEAP_SNAPSHOT] = "snapshot", [HEAP_PROCESS] = "process",
    };
    ASSERT((unsigned)tag < HEAP_TAG_COUNT);
    return names[tag];
}
