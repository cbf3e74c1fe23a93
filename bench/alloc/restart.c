/*
 * restart - what a restart does to the heap of a time-series database, in compressed time.
 *
 *     restart [series=20000] [mode=0|1|2] [cells=0]
 *
 * Each series has a chunk per window of four hours; chunk lengths are log-normal around 1.2 KB, a
 * hash of series and window, so that every run holds the same bytes. Eight windows are kept; the
 * oldest expires when a window ends. A chunk grows as it fills, in 96 steps per window, through
 * 128, 256, 512, 896, 1408, 2048, ... bytes, copied each time. In the middle of the ninth window
 * the process "restarts": everything is freed and read again,
 *     random   in random order into buffers of exactly their length
 *     time     in the order of time into buffers of their growth size
 * and goes on for 48 hours. The modes are 0: no restart, 1: random, 2: time.
 *
 * cells=1 (ours only) stores as Hearth's storage does: an open chunk is a chain of 128-byte cells,
 * and when its window closes it moves into one object of its length; a restart then makes the same
 * two kinds, in random order. There are no regions yet: sealed chunks are ordinary objects.
 *
 * Prints before each window's end: hours since the restart, the allocator's own inuse and alloc
 * and the fragmentation (inuse - alloc) / inuse in %, and resident bytes per payload byte; "expiry"
 * lines are the same just behind the expiry.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bench/alloc/mem.h"

#if MEM_HEARTH
#    include "alloc/cells.h"
#else
enum { CELL_PAYLOAD_BYTES = 124, CELL_NONE = 0 };
#endif

enum { WINDOWS = 8, STEPS = 96, WINDOWS_RUN = 21, RESTART_WINDOW = 8, STEP_OF_RESTART = 48 };

struct chunk {
    void *data; /* NULL while it is in cells */
    uint32_t size;
    uint32_t capacity;
    uint32_t first, last; /* cells */
};

static struct chunk *chunks; /* [window % (WINDOWS + 1)][series] */
enum { NEVER, RANDOM, TIME };

static unsigned series, cells;
static uint32_t *order, *lengths; /* of the chunks in a restart */
static uint64_t payload;
static uint64_t base;

static struct chunk *chunk_at(unsigned window, unsigned s)
{
    return &chunks[(size_t)(window % (WINDOWS + 1)) * series + s];
}

static uint32_t final_size(unsigned window, unsigned s)
{
    uint64_t seed = s * UINT64_C(2654435761) + 1;
    double u = ((double)(mem_random(&seed) >> 11) + 0.5) * 0x1p-53;
    double v = (double)(mem_random(&seed) >> 11) * 0x1p-53;
    double size = 1200 * exp(0.6 * sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
    seed += window * UINT64_C(40503);
    size *= 0.85 + 0.3 * (double)(mem_random(&seed) >> 11) * 0x1p-53;
    return (uint32_t)(size < 64 ? 64 : size > 24576 ? 24576 : size);
}

static uint32_t growth_size(uint32_t size)
{
    static const uint32_t steps[] = {128,  256,  512,  896,   1408,  2048,  3072, 4096,
                                     5376, 6912, 9472, 12288, 16384, 21760, 28672};
    size_t i = 0;
    while (steps[i] < size)
        i++;
    return steps[i];
}

static void *take(size_t size)
{
    void *p = mem_alloc(size);
    memset(p, 5, size);
    return p;
}

static void grow_buffer(struct chunk *c, uint32_t size)
{
    if (size > c->capacity) {
        uint32_t capacity = growth_size(size);
        void *longer = take(capacity);
        if (c->data) memcpy(longer, c->data, c->size);
        mem_free(c->data, c->capacity);
        c->data = longer;
        c->capacity = capacity;
    }
    payload += size - c->size;
    c->size = size;
}

#if MEM_HEARTH
static void grow_cells(struct chunk *c, uint32_t size)
{
    while (c->capacity < size) {
        uint32_t cell = cells_alloc();
        memset(cells_at(cell)->words, 5, CELL_PAYLOAD_BYTES);
        if (c->last != CELL_NONE)
            cells_at(c->last)->next = cell;
        else
            c->first = cell;
        c->last = cell;
        c->capacity += CELL_PAYLOAD_BYTES;
    }
    payload += size - c->size;
    c->size = size;
}

static void seal(struct chunk *c)
{
    c->data = take(c->size);
    cells_free_chain(c->first);
    c->first = c->last = CELL_NONE;
    c->capacity = c->size;
}
#else
static void grow_cells(struct chunk *c, uint32_t size)
{
    grow_buffer(c, size);
}

static void seal(struct chunk *c)
{
    (void)c;
}
#endif

static void drop(struct chunk *c)
{
    payload -= c->size;
#if MEM_HEARTH
    if (!c->data) cells_free_chain(c->first);
#endif
    mem_free(c->data, c->capacity);
    *c = (struct chunk){0};
}

static void fill(unsigned window, unsigned step)
{
    for (unsigned s = 0; s < series; s++) {
        struct chunk *c = chunk_at(window, s);
        uint32_t size = (uint32_t)((uint64_t)final_size(window, s) * (step + 1) / STEPS);
        if (size <= c->size) continue;
        if (cells && !c->data)
            grow_cells(c, size);
        else
            grow_buffer(c, size);
    }
}

static void restore(struct chunk *c, bool open, bool exact, uint32_t size)
{
    if (cells && open) {
        grow_cells(c, size);
        return;
    }
    c->capacity = exact || cells ? size : growth_size(size);
    c->data = take(c->capacity);
    c->size = size;
    payload += size;
}

static void restart(unsigned window, bool in_random_order)
{
    size_t count = (size_t)WINDOWS * series;
    uint64_t seed = 11;
    unsigned oldest = window + 1 - WINDOWS;
    for (size_t i = 0; i < count; i++) {
        struct chunk *c = chunk_at(oldest + (unsigned)(i / series), (unsigned)(i % series));
        order[i] = (uint32_t)i;
        lengths[i] = c->size;
        drop(c);
    }
#if MEM_HEARTH
    heap_flush_thread();
    heap_scavenge(UINT64_MAX);
#endif
    for (size_t i = count - 1; in_random_order && i > 0; i--) {
        size_t other = mem_random(&seed) % (i + 1);
        uint32_t swapped = order[i];
        order[i] = order[other];
        order[other] = swapped;
    }
    for (size_t k = 0; k < count; k++) {
        size_t i = order[k];
        unsigned of = oldest + (unsigned)(i / series);
        if (lengths[i])
            restore(chunk_at(of, (unsigned)(i % series)), of == window, in_random_order,
                    lengths[i]);
    }
}

static void report(const char *what, int window)
{
    struct mem_books books = mem_books();
    double rss = (double)(mem_resident().bytes - base);
    double holes = books.inuse_bytes
                       ? 100.0 * ((double)books.inuse_bytes - (double)books.alloc_bytes) /
                             (double)books.inuse_bytes
                       : -1;
    printf("%s hours %d frag %.2f rss_per_payload %.3f inuse_mb %.1f payload_mb %.1f\n", what,
           (window - RESTART_WINDOW) * 4 + 2, holes, rss / (double)payload,
           (double)books.inuse_bytes / (1 << 20), (double)payload / (1 << 20));
}

int main(int argc, char **argv)
{
    series = mem_option(argc, argv, "series", 20000);
    unsigned mode = mem_option(argc, argv, "mode", NEVER);
    cells = mem_option(argc, argv, "cells", 0);
    if (series < 1 || mode > TIME) return 2;
    mem_start();
    chunks = mem_table((size_t)(WINDOWS + 1) * series * sizeof(*chunks));
    order = mem_table((size_t)WINDOWS * series * sizeof(*order));
    lengths = mem_table((size_t)WINDOWS * series * sizeof(*lengths));
    mem_free(mem_alloc(1), 1);
    base = mem_resident().bytes;
    for (unsigned window = 0; window < WINDOWS_RUN; window++) {
        for (unsigned step = 0; step < STEPS; step++) {
            fill(window, step);
            if (window != RESTART_WINDOW || step != STEP_OF_RESTART || mode == NEVER) continue;
            restart(window, mode == RANDOM);
        }
        if (window >= RESTART_WINDOW) report("boundary", (int)window);
        for (unsigned s = 0; cells && s < series; s++)
            if (!chunk_at(window, s)->data) seal(chunk_at(window, s));
        if (window + 1 < WINDOWS) continue;
        for (unsigned s = 0; s < series; s++)
            drop(chunk_at(window + 1 - WINDOWS, s));
        if (window >= RESTART_WINDOW) report("expiry", (int)window);
    }
    return 0;
}
