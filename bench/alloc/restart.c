/*
 * restart - what a restart does to the heap of a time-series database, in compressed time.
 *
 *     restart [series=20000] [mode=0|1|2] [regions=0] [thread=0]
 *
 * Each series has a chunk per window of four hours; chunk lengths are log-normal around 1.2 KB, a
 * hash of series and window, so that every run holds the same bytes. Eight windows are kept; the
 * oldest expires when a window ends. A chunk grows as it fills, in 96 steps per window, through
 * 128, 256, 512, 896, 1408, 2048, ... bytes, copied each time. In the middle of the ninth window
 * the process "restarts": everything is freed and read again,
 *     random   in random order into buffers of exactly their length
 *     time     in the order of time into buffers of their growth size
 * and goes on for 48 hours. The modes are 0: no restart, 1: random, 2: time; with thread=1 another
 * thread, which stays, reads it.
 *
 * Three windows more are not read: a reading gives back what the end of the next window would find
 * idle, and whether sealing makes the process grow is to be seen where nobody did that.
 *
 * fit=1 moves a chunk into a buffer of exactly its length when its window closes: what other
 * allocators can do instead of sealing.
 *
 * regions=1 (ours only) stores as Hearth's storage does: an open chunk is a chain of 128-byte
 * cells, and when its window closes it is copied into the region of the window, whose blocks go to
 * the next one when it expires; a restart makes the same two kinds.
 *
 * Prints before each window's end: hours since the restart, the allocator's own inuse and alloc
 * and the fragmentation (inuse - alloc) / inuse in %, and resident bytes, purged as far as the
 * allocator will, per payload byte; "expiry" lines are the same just behind the expiry. The last
 * line is what it cost: CPU per chunk, the longest slice, and by how much more was resident behind
 * an expiry and sealing, unpurged, than before them. Sealing counts from the first window on that
 * finds the memory of an expired one; those before it, which touch memory for the first time, are
 * "fresh"; what the timing of the slices costs is taken off. "still" is the machine itself: the
 * longest of as many slices of arithmetic alone, as long as one of sealing.
 */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bench/alloc/mem.h"

#if MEM_HEARTH
#    include "alloc/cells.h"
#    include "alloc/region.h"
#endif

enum { WINDOWS = 8, RING = WINDOWS + 1, STEPS = 96, WINDOWS_READ = 21, WINDOWS_RUN = 24 };
enum { RESTART_WINDOW = 8, STEP_OF_RESTART = 48 };
enum { SLICE = 16, SLICE_CELLS = 16 }; /* chunks in sealing, and of each so many cells at once */
enum { NEVER, RANDOM, TIME };

struct chunk {
    void *data; /* a buffer, or in a region; NULL while it is in cells */
    uint32_t size;
    uint32_t capacity;
    uint32_t first, last; /* cells */
};

/* What one kind of work took. */
struct cost {
    double cpu_s;
    double longest_s;
    double longest_cpu_s;
    uint64_t items;
};

static struct chunk *chunks;      /* [window % RING][series] */
static uint32_t *final_sizes;     /* [series], of the window that is being filled */
static uint32_t *order, *lengths; /* of the chunks in a restart */
static unsigned series, regions, fit;
static uint64_t payload, growth_copies;
static uint64_t base;
static struct cost append, seal, seal_fresh, expiry, restore;
static struct cost slices, slices_fresh, still; /* of sealing */
static struct cost *slicing;                    /* the one of the window being sealed */
static double seal_growth_mb = -1e9;
static double price_s; /* of timing a slice */

static struct chunk *chunk_at(unsigned window, unsigned s)
{
    return &chunks[(size_t)(window % RING) * series + s];
}

/* One slice of work, timed. */
struct watch {
    double cpu_s;
    double s;
};

static struct watch watch_start(void)
{
    double s = mem_now_s();
    return (struct watch){.cpu_s = mem_thread_cpu_s(), .s = s};
}

/* Returns the next one, which begins here. */
static struct watch watch_stop(struct watch w, struct cost *cost, uint64_t items)
{
    struct watch next = watch_start();
    double cpu_s = next.cpu_s - w.cpu_s;
    double s = next.s - w.s;
    cost->cpu_s += cpu_s;
    cost->items += items;
    if (s > cost->longest_s) cost->longest_s = s;
    if (cpu_s > cost->longest_cpu_s) cost->longest_cpu_s = cpu_s;
    return next;
}

/* A look at the clocks is a system call. */
static double watch_price_s(void)
{
    enum { LOOKS = 10000 };
    double start_s = mem_thread_cpu_s();
    for (int i = 0; i < LOOKS; i++)
        watch_start();
    return (mem_thread_cpu_s() - start_s) / LOOKS;
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

static void resize(struct chunk *c, uint32_t size)
{
    payload += size - c->size;
    c->size = size;
}

/* As an encoder does: words, a few at a time. */
static void write_words(uint32_t *out, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes / 4; i++)
        out[i] = 5;
}

static void grow_buffer(struct chunk *c, uint32_t size)
{
    if (size > c->capacity) {
        uint32_t capacity = growth_size(size);
        void *longer = mem_alloc(capacity);
        if (c->data) {
            memcpy(longer, c->data, c->size);
            mem_free(c->data, c->capacity);
            growth_copies++;
        }
        c->data = longer;
        c->capacity = capacity;
    }
    write_words((uint32_t *)c->data + c->size / 4, size - c->size);
    resize(c, size);
}

/* Into buffers without slack. */
static void move_some(unsigned window, unsigned first, unsigned count)
{
    struct watch slice = watch_start();
    for (unsigned i = 0; i < count; i++) {
        struct chunk *c = chunk_at(window, first + i);
        void *fitting = mem_alloc(c->size);
        memcpy(fitting, c->data, c->size);
        mem_free(c->data, c->capacity);
        c->data = fitting;
        c->capacity = c->size;
    }
    watch_stop(slice, slicing, 1);
}

#if MEM_HEARTH
static struct region homes[RING];

static void grow_cells(struct chunk *c, uint32_t size)
{
    while (c->size < size) {
        uint32_t used = c->size % CELL_PAYLOAD_BYTES;
        if (used == 0) {
            uint32_t cell = cells_alloc();
            if (c->size)
                atomic_store_explicit(&cells_at(c->last)->next, cell, memory_order_release);
            else
                c->first = cell;
            c->last = cell;
        }
        uint32_t more = CELL_PAYLOAD_BYTES - used;
        if (more > size - c->size) more = size - c->size;
        write_words((uint32_t *)(void *)cells_at(c->last)->words + used / 4, more);
        resize(c, c->size + more);
    }
}

/* So many chains in lock step, as storage/chunk_batch.c reads them. What is long is several slices.
 */
static void gather_some(unsigned window, unsigned first, unsigned count)
{
    struct watch slice = watch_start();
    struct cells_copy copies[CELLS_COPIES_MAX];
    struct region *home = &homes[window % RING];
    for (unsigned i = 0; i < count; i++) {
        struct chunk *c = chunk_at(window, first + i);
        c->data = region_at(region_alloc(home, (c->size + 3) & ~3u));
        copies[i] = (struct cells_copy){.cell = c->first, .bytes = c->size, .out = c->data};
    }
    for (uint32_t left = count; (left = cells_gather_some(copies, left, SLICE_CELLS));)
        slice = watch_stop(slice, slicing, 1);
    for (unsigned i = 0; i < count; i++) {
        struct chunk *c = chunk_at(window, first + i);
        cells_free_chain(c->first);
        c->first = c->last = CELL_NONE;
    }
    watch_stop(slice, slicing, 1);
}

/* As storage/expiry.c does it, before it takes a lock. */
static void get_ready(unsigned window)
{
    struct region *home = &homes[window % RING];
    uint64_t bytes = region_wants_block(home);
    if (bytes) region_put_block(home, region_take_block(bytes));
    sched_yield();
}

static void trim_region(unsigned window)
{
    region_trim(&homes[window % RING]);
}

static void drop_region(unsigned window)
{
    region_release(&homes[window % RING]);
}

static void drop_cells(struct chunk *c)
{
    cells_free_chain(c->first);
}

static void restore_sealed(struct chunk *c, unsigned window, uint32_t size)
{
    c->data = region_at(region_alloc(&homes[window % RING], size));
    memset(c->data, 5, size);
    resize(c, size);
}
#else
static void grow_cells(struct chunk *c, uint32_t size)
{
    grow_buffer(c, size);
}

static void gather_some(unsigned window, unsigned first, unsigned count)
{
    move_some(window, first, count);
}

static void get_ready(unsigned window)
{
    (void)window;
}

static void trim_region(unsigned window)
{
    (void)window;
}

static void drop_region(unsigned window)
{
    (void)window;
}

static void drop_cells(struct chunk *c)
{
    (void)c;
}

static void restore_sealed(struct chunk *c, unsigned window, uint32_t size)
{
    (void)window;
    grow_buffer(c, size);
}
#endif

/* Arithmetic that takes about as long as a slice of sealing. */
static void keep_still(void)
{
    static volatile uint64_t sink;
    uint64_t x = sink;
    for (unsigned i = 0; i < 12000; i++)
        x = x * UINT64_C(6364136223846793005) + 1;
    sink = x;
}

static void seal_window(unsigned window)
{
    bool is_fresh = window + 1 < WINDOWS;
    struct cost *whole = is_fresh ? &seal_fresh : &seal;
    slicing = is_fresh ? &slices_fresh : &slices;
    uint64_t before = slicing->items;
    struct watch w = watch_start();
    for (unsigned s = 0; s < series; s += SLICE) {
        get_ready(window);
        (regions ? gather_some : move_some)(window, s, series - s < SLICE ? series - s : SLICE);
    }
    watch_stop(w, whole, series);
    whole->cpu_s -= (double)(slicing->items - before) * price_s;
    trim_region(window);
    for (unsigned s = 0; s < series && !is_fresh; s += SLICE) {
        w = watch_start();
        keep_still();
        watch_stop(w, &still, 1);
    }
}

static void drop_chunks(unsigned window)
{
    for (unsigned s = 0; s < series; s++) {
        struct chunk *c = chunk_at(window, s);
        if (!regions)
            mem_free(c->data, c->capacity);
        else if (!c->data)
            drop_cells(c);
    }
}

/* In a region nothing is done for a single chunk. */
static void expire(unsigned window)
{
    struct watch w = watch_start();
    if (regions)
        drop_region(window);
    else
        drop_chunks(window);
    watch_stop(w, &expiry, series);
    for (unsigned s = 0; s < series; s++)
        payload -= chunk_at(window, s)->size;
    memset(chunk_at(window, 0), 0, series * sizeof(struct chunk));
}

static void start_window(unsigned window)
{
    for (unsigned s = 0; s < series; s++)
        final_sizes[s] = final_size(window, s);
}

static void fill(unsigned window, unsigned step)
{
    struct watch w = watch_start();
    uint64_t count = 0;
    for (unsigned s = 0; s < series; s++) {
        struct chunk *c = chunk_at(window, s);
        uint32_t size = (uint32_t)((uint64_t)final_sizes[s] * (step + 1) / STEPS) & ~3u;
        if (size <= c->size) continue;
        count++;
        if (regions)
            grow_cells(c, size);
        else
            grow_buffer(c, size);
    }
    watch_stop(w, &append, count);
}

static void restore_one(unsigned window, bool open, bool exact, struct chunk *c, uint32_t size)
{
    if (regions && open) {
        grow_cells(c, size);
    } else if (regions) {
        restore_sealed(c, window, size);
    } else {
        c->capacity = exact ? size : growth_size(size);
        c->data = mem_alloc(c->capacity);
        memset(c->data, 5, size);
        resize(c, size);
    }
}

struct reading {
    unsigned window; /* the open one */
    bool in_random_order;
};

static void *read_again(void *arg)
{
    const struct reading *reading = arg;
    unsigned oldest = reading->window + 1 - WINDOWS;
    struct watch w = watch_start();
    for (size_t k = 0; k < (size_t)WINDOWS * series; k++) {
        size_t i = order[k];
        unsigned of = oldest + (unsigned)(i / series);
        if (lengths[i])
            restore_one(of, of == reading->window, reading->in_random_order,
                        chunk_at(of, (unsigned)(i % series)), lengths[i]);
    }
    for (unsigned of = oldest; of < reading->window; of++)
        trim_region(of);
    watch_stop(w, &restore, (uint64_t)WINDOWS * series);
    return NULL;
}

/* The thread that read stays: what it keeps at hand stays with it. */
static void *read_and_stay(void *arg)
{
    static volatile bool never;
    pthread_barrier_t *done = arg;
    read_again((void *)(done + 1));
    pthread_barrier_wait(done);
    while (!never)
        mem_sleep_s(3600);
    return NULL;
}

static void shuffle(size_t count)
{
    uint64_t seed = 11;
    for (size_t i = count - 1; i > 0; i--) {
        size_t other = mem_random(&seed) % (i + 1);
        uint32_t swapped = order[i];
        order[i] = order[other];
        order[other] = swapped;
    }
}

static void restart(unsigned window, bool in_random_order, bool by_thread)
{
    static struct {
        pthread_barrier_t done;
        struct reading reading;
    } other;
    size_t count = (size_t)WINDOWS * series;
    unsigned oldest = window + 1 - WINDOWS;
    for (size_t i = 0; i < count; i++) {
        order[i] = (uint32_t)i;
        lengths[i] = chunk_at(oldest + (unsigned)(i / series), (unsigned)(i % series))->size;
    }
    for (unsigned w = oldest; w <= window; w++) {
        drop_chunks(w);
        if (regions) drop_region(w);
        memset(chunk_at(w, 0), 0, series * sizeof(struct chunk));
    }
    payload = 0;
    mem_purge();
    if (in_random_order) shuffle(count);
    other.reading = (struct reading){.window = window, .in_random_order = in_random_order};
    if (!by_thread) {
        read_again(&other.reading);
        return;
    }
    pthread_t thread;
    pthread_barrier_init(&other.done, NULL, 2);
    if (pthread_create(&thread, NULL, read_and_stay, &other)) return;
    pthread_barrier_wait(&other.done);
}

static void report(const char *what, int window)
{
    mem_purge();
    struct mem_books books = mem_books();
    double rss = (double)(mem_resident().bytes - base);
    double holes = books.inuse_bytes
                       ? 100.0 * ((double)books.inuse_bytes - (double)books.alloc_bytes) /
                             (double)books.inuse_bytes
                       : -1;
    double records =
        books.inuse_bytes ? 100.0 * (double)books.record_bytes / (double)books.inuse_bytes : 0;
    printf("%s hours %d frag %.2f rss_per_payload %.3f inuse_mb %.1f payload_mb %.1f "
           "records_percent %.3f rss_mb %.1f\n",
           what, (window - RESTART_WINDOW) * 4 + 2, holes, rss / (double)payload,
           (double)books.inuse_bytes / (1 << 20), (double)payload / (1 << 20), records,
           rss / (1 << 20));
}

/* The end of a window in which one expires. */
static void turn_window(unsigned window)
{
    uint64_t before = mem_resident().bytes;
    expire(window + 1 - WINDOWS);
    if (!regions && !fit) return;
    seal_window(window);
    double growth_mb = ((double)mem_resident().bytes - (double)before) / (1 << 20);
    if (window > WINDOWS_READ && growth_mb > seal_growth_mb) seal_growth_mb = growth_mb;
}

static void report_longest(const char *name, const struct cost *cost)
{
    printf(" %s_us %.1f %s_cpu_us %.1f", name, cost->longest_s * 1e6, name,
           cost->longest_cpu_s * 1e6);
}

static void report_cost(const char *name, const struct cost *cost)
{
    double items = cost->items ? (double)cost->items : 1;
    printf(" %s_ns %.2f", name, cost->cpu_s * 1e9 / items);
}

int main(int argc, char **argv)
{
    series = mem_option(argc, argv, "series", 20000);
    unsigned mode = mem_option(argc, argv, "mode", NEVER);
    unsigned by_thread = mem_option(argc, argv, "thread", 0);
    regions = mem_option(argc, argv, "regions", 0);
    fit = mem_option(argc, argv, "fit", 0);
    if (series < 1 || mode > TIME) return 2;
    mem_start();
    chunks = mem_table((size_t)RING * series * sizeof(*chunks));
    final_sizes = mem_table(series * sizeof(*final_sizes));
    order = mem_table((size_t)WINDOWS * series * sizeof(*order));
    lengths = mem_table((size_t)WINDOWS * series * sizeof(*lengths));
#if MEM_HEARTH
    for (unsigned i = 0; i < RING; i++)
        region_init(&homes[i], HEAP_CHUNKS);
#endif
    mem_free(mem_alloc(1), 1);
    price_s = watch_price_s();
    base = mem_resident().bytes;
    for (unsigned window = 0; window < WINDOWS_RUN; window++) {
        start_window(window);
        for (unsigned step = 0; step < STEPS; step++) {
            fill(window, step);
            if (window != RESTART_WINDOW || step != STEP_OF_RESTART || mode == NEVER) continue;
            restart(window, mode == RANDOM, by_thread != 0);
        }
        bool is_read = window >= RESTART_WINDOW && window < WINDOWS_READ;
        if (is_read) report("boundary", (int)window);
        if (window + 1 >= WINDOWS)
            turn_window(window);
        else if (regions || fit)
            seal_window(window);
        if (is_read) report("expiry", (int)window);
    }
    printf("cost growth_copies %llu", (unsigned long long)growth_copies);
    report_cost("append", &append);
    report_cost("seal", &seal);
    report_cost("seal_fresh", &seal_fresh);
    report_longest("seal_slice", &slices);
    report_longest("seal_fresh_slice", &slices_fresh);
    report_longest("still", &still);
    printf(" seal_growth_mb %.1f", seal.items ? seal_growth_mb : 0);
    report_cost("expiry", &expiry);
    report_longest("expiry_longest", &expiry);
    report_cost("restore", &restore);
    printf("\n");
    return 0;
}
