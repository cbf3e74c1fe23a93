/* api_debug_heap - the allocator's memory as JSON, for a page that draws it. */
#include "alloc/heap_map.h"
#include "alloc/memstats.h"
#include "base/clock.h"
#include "server/api.h"
#include "server/budget.h"
#include "server/heap_view.h"
#include "server/hearth.h"
#include "server/params.h"
#include "server/query_json.h"

enum { BLOCK_PAGES = 256 /* 2 MiB */ };

static void write_bool(struct json *j, const char *key, bool v)
{
    json_key(j, str_from(key));
    json_bool(j, v);
}

/* A row per size, as Go has it: cells with the others of theirs. What lies in regions is told
 * apart: all of it and TinyAllocs are Mallocs and Frees. */
static void write_by_size(struct json *j, const struct memstats *s)
{
    json_key(j, STR("BySize"));
    json_array_begin(j);
    for (uint32_t c = 0; c < s->class_count; c++) {
        struct memstats_class row = s->classes[c];
        if (row.cells) continue;
        if (c + 1 < s->class_count && s->classes[c + 1].cells) {
            row.mallocs += s->classes[c + 1].mallocs;
            row.frees += s->classes[c + 1].frees;
        }
        json_object_begin(j);
        json_count(j, "Size", row.size_bytes);
        json_count(j, "Mallocs", row.mallocs);
        json_count(j, "Frees", row.frees);
        json_count(j, "RegionMallocs", row.region_mallocs);
        json_count(j, "RegionFrees", row.region_frees);
        json_object_end(j);
    }
    json_array_end(j);
}

/* As server/metrics_go.c has them. */
static void write_cycles(struct json *j, const struct hearth *h)
{
    const struct sweep_times *times = storage_sweep_times(h->storage);
    json_count(j, "NextGC", budget_hard_bytes(h->memory_limit_bytes));
    json_integer(j, "LastGC", gauge_read(&h->maintenance.boundary_ms) * NS_PER_MS);
    json_count(j, "PauseTotalNs", counter_read(&times->holds.sum_ns));
    json_count(j, "NumGC", counter_read(&times->sweeps));
    json_count(j, "NumForcedGC", counter_read(&h->maintenance.forced_releases));
    json_key(j, STR("GCCPUFraction"));
    json_number(j, maintenance_cpu_fraction(&h->maintenance));
}

/* Row for row as Go's runtime.MemStats prints, but for the rings of single pauses; what it counts
 * and does not print is TinyAllocs. */
static void write_memstats(struct json *j, const struct hearth *h, const struct memstats *s)
{
    const struct {
        const char *key;
        uint64_t value;
    } rows[] = {
        {"Alloc", s->heap_alloc},
        {"TotalAlloc", s->total_alloc},
        {"Sys", s->sys},
        {"Lookups", 0},
        {"Mallocs", s->mallocs},
        {"Frees", s->frees},
        {"HeapAlloc", s->heap_alloc},
        {"HeapSys", s->heap_sys},
        {"HeapIdle", s->heap_idle},
        {"HeapInuse", s->heap_inuse},
        {"HeapReleased", s->heap_released},
        {"HeapObjects", s->heap_objects},
        {"TinyAllocs", s->tiny_allocs},
        {"StackInuse", s->stack_inuse},
        {"StackSys", s->stack_sys},
        {"MSpanInuse", s->mspan_inuse},
        {"MSpanSys", s->mspan_sys},
        {"MCacheInuse", s->mcache_inuse},
        {"MCacheSys", s->mcache_sys},
        {"BuckHashSys", s->buck_hash_sys},
        {"GCSys", s->gc_sys},
        {"OtherSys", s->other_sys},
    };
    json_key(j, STR("memStats"));
    json_object_begin(j);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        json_count(j, rows[i].key, rows[i].value);
    write_cycles(j, h);
    write_bool(j, "EnableGC", true); /* as Go says of itself, whatever it does */
    write_bool(j, "DebugGC", false);
    write_by_size(j, s);
    json_object_end(j);
}

/* Where what is in use and no payload goes; without the first, the sum is HeapInuse - HeapAlloc. */
static void write_fragmentation(struct json *j, const struct memstats *s)
{
    json_key(j, STR("fragmentation"));
    json_object_begin(j);
    json_count(j, "roundingBytes", s->heap_alloc - s->heap_requested);
    json_count(j, "freeSlotBytes", s->free_slot_bytes);
    json_count(j, "tailBytes", s->tail_bytes);
    json_count(j, "blockBytes", s->region_bytes - s->deleted_bytes);
    json_count(j, "deletedBytes", s->deleted_bytes);
    json_count(j, "cachedBytes", s->cached_bytes);
    json_object_end(j);
}

static void write_owners(struct json *j, const struct memstats *s)
{
    json_key(j, STR("owners"));
    json_array_begin(j);
    for (int t = 0; t < HEAP_TAG_COUNT; t++) {
        json_object_begin(j);
        json_text(j, "owner", str_from(heap_tag_name((enum heap_tag)t)));
        json_count(j, "bytes", s->tag_bytes[t]);
        json_count(j, "requestedBytes", s->tag_requested[t]);
        json_count(j, "objects", s->tag_objects[t]);
        json_object_end(j);
    }
    json_array_end(j);
}

static void write_classes(struct json *j, const struct memstats *s)
{
    json_key(j, STR("classes"));
    json_array_begin(j);
    for (uint32_t c = 0; c < s->class_count; c++) {
        const struct memstats_class *row = &s->classes[c];
        if (row->mallocs == 0) continue;
        json_object_begin(j);
        json_count(j, "objectBytes", row->size_bytes);
        if (row->cells) write_bool(j, "cells", true);
        json_count(j, "objects", row->mallocs - row->frees);
        json_count(j, "spans", row->spans);
        json_count(j, "freeSlots", row->free_slots);
        json_object_end(j);
    }
    json_array_end(j);
}

/* The regions of the windows, and what of the windows is not in them. */
static void write_regions(struct json *j, struct storage *db)
{
    struct window_bytes rows[STORAGE_WINDOWS_MAX];
    size_t count = storage_window_bytes(db, rows);
    json_key(j, STR("regions"));
    json_array_begin(j);
    for (size_t i = 0; i < count; i++) {
        const struct window_bytes *row = &rows[i];
        json_object_begin(j);
        json_integer(j, "windowStart", row->start_ms / 1000);
        json_count(j, "blocks", row->blocks);
        json_count(j, "objects", row->objects);
        json_count(j, "liveBytes", row->sealed);
        json_count(j, "deadBytes", row->deleted);
        json_count(j, "tailBytes", row->tail);
        json_count(j, "openBytes", row->open);
        json_object_end(j);
    }
    json_array_end(j);
}

static void write_run(struct json *j, const struct heap_map_run *run)
{
    json_object_begin(j);
    json_count(j, "page", run->page);
    json_count(j, "pages", run->pages);
    json_text(j, "state", str_from(heap_map_state_name(run->state)));
    if (run->state == HEAP_MAP_SMALL) {
        json_count(j, "objectBytes", run->object_bytes);
        json_count(j, "slots", run->slots);
        json_count(j, "freeSlots", run->free_slots);
    }
    if (run->tag >= 0) json_text(j, "owner", str_from(heap_tag_name((enum heap_tag)run->tag)));
    json_object_end(j);
}

/* The runs that begin in [from, end) and the one that reaches into it. */
static void write_spans(struct json *j, uint32_t from, uint32_t end)
{
    struct heap_map_run runs[HEAP_MAP_SLICE];
    size_t count;
    json_key(j, STR("spans"));
    json_array_begin(j);
    while (from < end && (count = heap_map_read(from, runs, ARRAY_COUNT(runs))) > 0) {
        for (size_t i = 0; i < count && runs[i].page < end; i++)
            write_run(j, &runs[i]);
        from = runs[count - 1].page + runs[count - 1].pages;
    }
    json_array_end(j);
}

/* Pages by state, of one block of 2 MiB. */
struct block {
    uint32_t first_page;
    uint32_t pages[HEAP_MAP_STATE_COUNT];
};

static void write_block(struct json *j, const struct block *block)
{
    json_object_begin(j);
    json_count(j, "page", block->first_page);
    for (int state = 0; state < HEAP_MAP_STATE_COUNT; state++)
        if (block->pages[state])
            json_count(j, heap_map_state_name((enum heap_map_state)state), block->pages[state]);
    json_object_end(j);
}

/* Spread a run, from page `from` of it on, over the blocks it lies in. */
static void add_run(struct json *j, struct block *block, const struct heap_map_run *run,
                    uint32_t from)
{
    uint32_t end = run->page + run->pages;
    for (uint32_t page = from; page < end;) {
        uint32_t block_end = block->first_page + BLOCK_PAGES;
        if (page >= block_end) {
            write_block(j, block);
            *block = (struct block){.first_page = block_end};
            continue;
        }
        uint32_t part = (end < block_end ? end : block_end) - page;
        block->pages[run->state] += part;
        page += part;
    }
}

static void write_blocks(struct json *j)
{
    struct heap_map_run runs[HEAP_MAP_SLICE];
    struct block block = {0};
    uint32_t page = 1;
    size_t count;
    json_key(j, STR("blocks"));
    json_array_begin(j);
    while ((count = heap_map_read(page, runs, ARRAY_COUNT(runs))) > 0)
        for (size_t i = 0; i < count; i++) {
            /* The first may have grown at its front since the slice before. */
            add_run(j, &block, &runs[i], runs[i].page > page ? runs[i].page : page);
            page = runs[i].page + runs[i].pages;
        }
    if (page > 1) write_block(j, &block);
    json_array_end(j);
}

static void answer(struct request *req, const struct heap_view *view)
{
    struct json j;
    struct memstats stats;
    memstats_read(&stats);
    query_json_begin(&j, &req->reply.body);
    json_object_begin(&j);
    json_count(&j, "pageBytes", HEAP_PAGE_BYTES);
    json_count(&j, "blockPages", BLOCK_PAGES);
    json_count(&j, "pages", heap_map_pages());
    if (view->spans) {
        write_spans(&j, view->from, view->end);
    } else {
        write_memstats(&j, req->app, &stats);
        write_fragmentation(&j, &stats);
        write_owners(&j, &stats);
        write_classes(&j, &stats);
        write_regions(&j, req->app->storage);
        write_blocks(&j);
    }
    json_object_end(&j);
    query_json_end(&j, NULL);
    reply_json_done(&req->reply);
}

void api_debug_heap(struct request *req)
{
    struct form form;
    struct heap_view view;
    struct error err;
    if (!api_admin_allowed(req)) return;
    enum status st = params_read(req, &form, &err);
    if (!st) st = heap_view_read(&form, &view, &err);
    if (st)
        reply_error(&req->reply, st, &err);
    else
        answer(req, &view);
}
