/*
 * mem - the allocator under test, chosen when a program is built and when it is started.
 *
 * Built plainly, a program calls malloc and free: glibc's, or those of the library in LD_PRELOAD
 * (jemalloc, mimalloc, tcmalloc, tests/preload). Built with MEM_HEARTH it calls alloc/heap.h
 * directly, as the server does, and a thread asks for scavenging rounds, as the server's
 * maintenance does.
 *
 * Resident memory is read from the kernel, so that it means the same for all allocators.
 *
 * Threads: any.
 */
#ifndef HEARTH_BENCH_ALLOC_MEM_H
#define HEARTH_BENCH_ALLOC_MEM_H

#include <stddef.h>
#include <stdint.h>

#if MEM_HEARTH
#    include "alloc/heap.h"

static inline void *mem_alloc(size_t size)
{
    return heap_alloc(size, HEAP_CHUNKS);
}

static inline void mem_free(void *p, size_t size)
{
    heap_free(p, size, HEAP_CHUNKS);
}
#else
#    include <stdlib.h>

static inline void *mem_alloc(size_t size)
{
    return malloc(size);
}

static inline void mem_free(void *p, size_t size)
{
    (void)size;
    free(p);
}
#endif

/* First in main: what runs beside the program in production. */
void mem_start(void);

/* Memory for the program's own tables, outside the allocator under test; never given back. */
void *mem_table(size_t bytes);

/* Resident bytes of the process now, and those of them that the kernel may take (MADV_FREE). */
struct mem_resident {
    uint64_t bytes;
    uint64_t lazy_bytes;
};
struct mem_resident mem_resident(void);

/* What the allocator itself says: bytes of live objects, and of the pages that hold them. 0, 0 when
 * it does not say. */
struct mem_books {
    uint64_t alloc_bytes;
    uint64_t inuse_bytes;
    uint64_t record_bytes; /* the allocator's own: only ours says */
};
struct mem_books mem_books(void);

/* Give back what the allocator will give back when it is asked. */
void mem_purge(void);

/* The number in an argument "name=number", or the fallback. */
unsigned mem_option(int argc, char **argv, const char *name, unsigned fallback);

double mem_now_s(void);        /* monotonic */
double mem_thread_cpu_s(void); /* of the calling thread */
double mem_others_cpu_s(void); /* of all other threads of the process, ever */
void mem_sleep_s(double seconds);

/* A fast random number (splitmix64). */
static inline uint64_t mem_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

#endif
