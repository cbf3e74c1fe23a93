/*
 * bigheap - the latency of an allocation beside a large heap that two workers keep replacing.
 *
 *     bigheap [mb=1024] [workers=2] [seconds=6]
 *
 * One thread builds the live set: buffers of 64 bytes to 24 KiB, log-normal around 1.2 KB. The
 * workers then replace random ones of it by others of the same distribution; each allocation is
 * timed with its zeroing. Prints the percentiles of the time in nanoseconds, allocations per
 * second, resident MB (2^20) when built and at the end, and the growth of resident memory per live
 * byte between the two: the live bytes stay what they are but for chance, which is taken out.
 */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "bench/alloc/mem.h"

enum { WORKERS_MAX = 16, BUCKETS = 1 << 16, SIZES = 4096 };

static uint64_t live_bytes, slots_count;
static struct slot {
    void *p;
    size_t size;
} * slots;
static uint16_t sizes[SIZES];
static unsigned workers = 2;
static unsigned seconds = 6;

struct worker {
    pthread_t thread;
    unsigned index;
    uint64_t *counts; /* by 8 ns; the last bucket: longer */
    uint64_t allocs;
    double longest_s;
};

static void fill_sizes(void)
{
    uint64_t seed = 7;
    for (int i = 0; i < SIZES; i++) {
        double u = ((double)(mem_random(&seed) >> 11) + 0.5) * 0x1p-53;
        double v = (double)(mem_random(&seed) >> 11) * 0x1p-53;
        double size = 1200 * exp(0.8 * sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
        sizes[i] = (uint16_t)(size < 64 ? 64 : size > 24576 ? 24576 : size);
    }
}

static void *work(void *opaque)
{
    struct worker *me = opaque;
    uint64_t seed = me->index + 100;
    uint64_t part = slots_count / workers;
    struct slot *mine = slots + part * me->index;
    double end = mem_now_s() + seconds;
    double now = mem_now_s();
    while (now < end) {
        uint64_t r = mem_random(&seed);
        size_t i = r % part;
        size_t size = sizes[r >> 48 & (SIZES - 1)];
        mem_free(mine[i].p, mine[i].size);
        double start = mem_now_s();
        mine[i].p = mem_alloc(size);
        memset(mine[i].p, 0, size);
        now = mem_now_s();
        double took = now - start;
        uint64_t bucket = (uint64_t)(took * 1e9 / 8);
        me->counts[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
        if (took > me->longest_s) me->longest_s = took;
        mine[i].size = size;
        me->allocs++;
    }
    return NULL;
}

static unsigned long percentile(const struct worker *w, double share)
{
    uint64_t all = 0, seen = 0;
    for (unsigned i = 0; i < workers; i++)
        all += w[i].allocs;
    for (unsigned long b = 0; b < BUCKETS; b++) {
        for (unsigned i = 0; i < workers; i++)
            seen += w[i].counts[b];
        if ((double)seen >= share * (double)all) return b * 8;
    }
    return BUCKETS * 8UL;
}

int main(int argc, char **argv)
{
    unsigned mb = mem_option(argc, argv, "mb", 1024);
    workers = mem_option(argc, argv, "workers", 2);
    seconds = mem_option(argc, argv, "seconds", 6);
    static struct worker w[WORKERS_MAX];
    if (workers < 1 || workers > WORKERS_MAX) return 2;
    mem_start();
    fill_sizes();
    uint64_t target = (uint64_t)mb << 20;
    slots = mem_table(target / 64 * sizeof(*slots));
    for (unsigned i = 0; i < workers; i++) {
        w[i].index = i;
        w[i].counts = mem_table(BUCKETS * sizeof(uint64_t));
    }
    uint64_t base = mem_resident().bytes;
    uint64_t seed = 3;
    while (live_bytes < target) {
        size_t size = sizes[mem_random(&seed) & (SIZES - 1)];
        void *p = mem_alloc(size);
        memset(p, 0, size);
        slots[slots_count++] = (struct slot){p, size};
        live_bytes += size;
    }
    double built = (double)(mem_resident().bytes - base) / (1 << 20);
    for (unsigned i = 0; i < workers; i++)
        pthread_create(&w[i].thread, NULL, work, &w[i]);
    uint64_t allocs = 0;
    double longest = 0;
    for (unsigned i = 0; i < workers; i++) {
        pthread_join(w[i].thread, NULL);
        allocs += w[i].allocs;
        if (w[i].longest_s > longest) longest = w[i].longest_s;
    }
    double after = (double)(mem_resident().bytes - base) / (1 << 20);
    uint64_t live_after = 0;
    for (uint64_t i = 0; i < slots_count; i++)
        live_after += slots[i].size;
    double growth = (after / built * (double)live_bytes / (double)live_after - 1) * 100;
    printf("bigheap p50_ns %lu p99_ns %lu p999_ns %lu p9999_ns %lu max_us %.0f allocs_m_s %.2f "
           "built_mb %.1f "
           "end_mb %.1f growth_percent %.2f\n",
           percentile(w, 0.5), percentile(w, 0.99), percentile(w, 0.999), percentile(w, 0.9999),
           longest * 1e6, (double)allocs / seconds / 1e6, built, after, growth);
    return 0;
}
