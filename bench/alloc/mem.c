/* mem - clocks, /proc/self/smaps_rollup, and the allocators' own figures where they have any. */
#include "bench/alloc/mem.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#if MEM_HEARTH
#    include "alloc/memstats.h"
#    include "base/clock.h"
#    include "base/thread.h"

enum { SCAVENGE_EVERY_MS = 100 };

static void scavenge(void *arg)
{
    (void)arg;
    for (;;) {
        thread_sleep_ms(SCAVENGE_EVERY_MS);
        heap_scavenge_round(clock_mono_ns());
    }
}

void mem_start(void)
{
    struct thread thread;
    struct error err;
    if (thread_start(&thread, "scavenge", scavenge, NULL, &err)) exit(1);
}

struct mem_books mem_books(void)
{
    struct memstats stats;
    memstats_read(&stats);
    return (struct mem_books){.alloc_bytes = stats.heap_alloc,
                              .inuse_bytes = stats.heap_inuse,
                              .record_bytes =
                                  stats.mspan_inuse + stats.mcache_inuse + stats.gc_sys};
}

void mem_purge(void)
{
    heap_flush_thread();
    (void)heap_scavenge(UINT64_MAX);
}
#else
void mem_start(void)
{
}

/* jemalloc's and tcmalloc's own doors, when one of them is loaded. */
static struct mem_books books_of_jemalloc(void)
{
    int (*control)(const char *, void *, size_t *, void *, size_t);
    struct mem_books books = {0};
    *(void **)&control = dlsym(RTLD_DEFAULT, "mallctl");
    if (!control) return books;
    uint64_t epoch = 1;
    size_t size = sizeof(epoch);
    control("epoch", &epoch, &size, &epoch, size);
    control("stats.allocated", &books.alloc_bytes, &size, NULL, 0);
    control("stats.active", &books.inuse_bytes, &size, NULL, 0);
    return books;
}

static struct mem_books books_of_tcmalloc(void)
{
    int (*property)(const char *, size_t *);
    struct mem_books books = {0};
    size_t heap = 0;
    size_t free_pages = 0;
    size_t unmapped = 0;
    *(void **)&property = dlsym(RTLD_DEFAULT, "MallocExtension_GetNumericProperty");
    if (!property) return books;
    property("generic.current_allocated_bytes", &books.alloc_bytes);
    property("generic.heap_size", &heap);
    property("tcmalloc.pageheap_free_bytes", &free_pages);
    property("tcmalloc.pageheap_unmapped_bytes", &unmapped);
    books.inuse_bytes = heap - free_pages - unmapped;
    return books;
}

struct mem_books mem_books(void)
{
    struct mem_books books = books_of_jemalloc();
    if (!books.inuse_bytes) books = books_of_tcmalloc();
    if (!books.inuse_bytes) {
        struct mallinfo2 info = mallinfo2();
        books.alloc_bytes = info.uordblks + info.hblkhd;
        books.inuse_bytes = info.arena + info.hblkhd;
    }
    return books;
}

/* Each one's own word for it, where it is loaded. */
void mem_purge(void)
{
    int (*jemalloc)(const char *, void *, size_t *, void *, size_t);
    void (*mimalloc)(bool);
    void (*tcmalloc)(void);
    *(void **)&jemalloc = dlsym(RTLD_DEFAULT, "mallctl");
    *(void **)&mimalloc = dlsym(RTLD_DEFAULT, "mi_collect");
    *(void **)&tcmalloc = dlsym(RTLD_DEFAULT, "MallocExtension_ReleaseFreeMemory");
    if (jemalloc) {
        jemalloc("thread.tcache.flush", NULL, NULL, NULL, 0);
        jemalloc("arena.4096.purge", NULL, NULL, NULL, 0); /* MALLCTL_ARENAS_ALL */
    } else if (mimalloc) {
        mimalloc(true);
    } else if (tcmalloc) {
        tcmalloc();
    } else {
        malloc_trim(0);
    }
}
#endif

void *mem_table(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
                   -1, 0);
    if (p == MAP_FAILED) exit(1);
    return p;
}

struct mem_resident mem_resident(void)
{
    struct mem_resident resident = {0};
    char line[256];
    FILE *f = fopen("/proc/self/smaps_rollup", "re");
    if (!f) return resident;
    while (fgets(line, sizeof(line), f)) {
        char *number = strchr(line, ':');
        if (!number) continue;
        uint64_t bytes = strtoull(number + 1, NULL, 10) * 1024;
        if (strncmp(line, "Rss:", 4) == 0) resident.bytes = bytes;
        if (strncmp(line, "LazyFree:", 9) == 0) resident.lazy_bytes = bytes;
    }
    fclose(f);
    return resident;
}

unsigned mem_option(int argc, char **argv, const char *name, unsigned fallback)
{
    size_t length = strlen(name);
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=')
            return (unsigned)strtoul(argv[i] + length + 1, NULL, 10);
    return fallback;
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double mem_now_s(void)
{
    return seconds(CLOCK_MONOTONIC);
}

double mem_thread_cpu_s(void)
{
    return seconds(CLOCK_THREAD_CPUTIME_ID);
}

double mem_others_cpu_s(void)
{
    return seconds(CLOCK_PROCESS_CPUTIME_ID) - seconds(CLOCK_THREAD_CPUTIME_ID);
}

void mem_sleep_s(double s)
{
    struct timespec left = {.tv_sec = (time_t)s, .tv_nsec = (long)((s - (double)(time_t)s) * 1e9)};
    nanosleep(&left, NULL);
}
