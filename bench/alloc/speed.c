/*
 * speed - nanoseconds of CPU per allocation and free, by size.
 *
 *     speed [threads=1] [rounds=7]
 *
 * pair:   one allocation, freed at once
 * batch:  1000 allocations, then 1000 frees in the same order
 * fifo:   the oldest of 2000 objects is freed for each new one
 * growth: a buffer of 128, 256, 512, 896, 1408, 2048 bytes, each copied from the one before
 *
 * Prints one line per shape and size: nanoseconds per pair (growth: per chunk), the best of the
 * rounds, of the slowest thread.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/alloc/mem.h"

enum { BATCH = 1000, FIFO = 2000, THREADS_MAX = 16, GROWTH_STEPS = 6 };

static pthread_barrier_t barrier;
static unsigned threads, rounds;

struct worker {
    pthread_t thread;
    double ns; /* of the last measurement */
};
static struct worker workers[THREADS_MAX];

struct shape {
    const char *name;
    void (*run)(size_t size, size_t pairs, void **slots);
    const size_t *sizes;
    size_t pairs;
    size_t large_pairs; /* of sizes above 8192: the slowest case takes microseconds per pair */
};

/* The compiler must not see that nobody looks at the memory. */
static inline void *keep(void *p)
{
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

static void pair(size_t size, size_t pairs, void **slots)
{
    (void)slots;
    for (size_t i = 0; i < pairs; i++)
        mem_free(keep(mem_alloc(size)), size);
}

static void batch(size_t size, size_t pairs, void **slots)
{
    for (size_t i = 0; i < pairs; i += BATCH) {
        for (int k = 0; k < BATCH; k++)
            slots[k] = keep(mem_alloc(size));
        for (int k = 0; k < BATCH; k++)
            mem_free(slots[k], size);
    }
}

static void fifo(size_t size, size_t pairs, void **slots)
{
    for (size_t k = 0; k < FIFO; k++)
        slots[k] = mem_alloc(size);
    for (size_t i = 0; i < pairs; i++) {
        size_t k = i % FIFO;
        mem_free(slots[k], size);
        slots[k] = keep(mem_alloc(size));
    }
    for (size_t k = 0; k < FIFO; k++)
        mem_free(slots[k], size);
}

static void growth(size_t size, size_t chunks, void **slots)
{
    static const size_t steps[GROWTH_STEPS] = {128, 256, 512, 896, 1408, 2048};
    (void)size;
    (void)slots;
    for (size_t i = 0; i < chunks; i++) {
        void *at = mem_alloc(steps[0]);
        for (int k = 1; k < GROWTH_STEPS; k++) {
            void *longer = keep(mem_alloc(steps[k]));
            memcpy(longer, at, steps[k - 1]);
            mem_free(at, steps[k - 1]);
            at = longer;
        }
        mem_free(keep(at), steps[GROWTH_STEPS - 1]);
    }
}

static const size_t all_sizes[] = {16,   64,   128,   512,   1024,    1408,
                                   4096, 8192, 32768, 65536, 1 << 20, 0};
static const size_t small_sizes[] = {64, 128, 512, 1024, 1408, 4096, 32768, 0};
static const size_t no_size[] = {2048, 0};

static const struct shape shapes[] = {
    {"pair", pair, all_sizes, 400000, 200000},
    {"batch", batch, all_sizes, 100000, 10000},
    {"fifo", fifo, small_sizes, 100000, 10000},
    {"growth", growth, no_size, 50000, 0},
};

static void *work(void *opaque)
{
    struct worker *me = opaque;
    void *slots[FIFO];
    for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
        for (const size_t *size = shapes[s].sizes; *size; size++) {
            double best = 1e9;
            size_t pairs = *size > 8192 ? shapes[s].large_pairs : shapes[s].pairs;
            shapes[s].run(*size, pairs / 10, slots);
            for (unsigned round = 0; round < rounds; round++) {
                pthread_barrier_wait(&barrier);
                double start = mem_thread_cpu_s();
                shapes[s].run(*size, pairs, slots);
                double ns = (mem_thread_cpu_s() - start) * 1e9 / (double)pairs;
                if (ns < best) best = ns;
            }
            me->ns = best;
            pthread_barrier_wait(&barrier);
            if (me == workers) {
                for (unsigned i = 1; i < threads; i++)
                    if (workers[i].ns > best) best = workers[i].ns;
                printf("%s size %zu ns %.2f\n", shapes[s].name, *size, best);
            }
            pthread_barrier_wait(&barrier);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    threads = mem_option(argc, argv, "threads", 1);
    rounds = mem_option(argc, argv, "rounds", 7);
    if (threads < 1 || threads > THREADS_MAX || rounds < 1) return 2;
    mem_start();
    pthread_barrier_init(&barrier, NULL, threads);
    for (unsigned i = 0; i < threads; i++)
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    return 0;
}
