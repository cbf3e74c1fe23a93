/*
 * malloc_shim - the names of malloc(3) over alloc/heap.h, for LD_PRELOAD: programs that know
 * nothing of us exercise the heap.
 *
 * Everything is under one tag. Usable before any constructor has run: the heap sets itself up at
 * the first call, from memory it maps itself. Around fork the heap's locks are held, so that the
 * child finds it whole.
 *
 * With HEARTH_MALLOC_REPORT=file in the environment, every process that ends by exit walks the
 * whole heap (which aborts on a broken invariant), checks the identities of the books and compares
 * them with the walk (alloc/audit.h). It appends a line to the file before that, its pid and
 * "walks", and one after: pid, objects ever handed out, objects left, bytes left, and 1 if the
 * comparison could be made (0: other threads went on allocating). Who has the first line only died
 * in between. What is left is the program's business: most leave things to the end of the process.
 *
 * Limits: alignments beyond a heap page (8 KiB) are refused with ENOMEM.
 *
 * Threads: any.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alloc/audit.h"
#include "alloc/fork.h"
#include "alloc/heap.h"
#include "alloc/memstats.h"
#include "base/bits.h"

#define EXPORT __attribute__((visibility("default")))

enum { SYSTEM_PAGE_BYTES = 4096, AUDIT_ATTEMPTS = 20 };

/* What stdlib.h declares, less what it promises the compiler about it: it is not included. */
char *getenv(const char *name);
EXPORT void *malloc(size_t size);
EXPORT void *calloc(size_t count, size_t size);
EXPORT void *realloc(void *p, size_t size);
EXPORT void *reallocarray(void *p, size_t count, size_t size);
EXPORT void free(void *p);
EXPORT void *aligned_alloc(size_t alignment, size_t size);
EXPORT void *memalign(size_t alignment, size_t size);
EXPORT int posix_memalign(void **out, size_t alignment, size_t size);
EXPORT void *valloc(size_t size);
EXPORT void *pvalloc(size_t size);
EXPORT size_t malloc_usable_size(void *p);

static void *or_errno(void *p)
{
    if (!p) errno = ENOMEM;
    return p;
}

/* What to ask for: free does not know the size, so it is all that there will be. Nobody may be
 * given the address of nothing twice. */
static size_t whole(size_t size)
{
    return heap_good_size(size ? size : 1);
}

void *malloc(size_t size)
{
    return or_errno(heap_alloc(whole(size), HEAP_PROCESS));
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return or_errno(NULL);
    return or_errno(heap_calloc(1, whole(bytes), HEAP_PROCESS));
}

void *realloc(void *p, size_t size)
{
    if (p && size == 0) {
        heap_free_unsized(p, HEAP_PROCESS);
        return NULL;
    }
    return or_errno(heap_resize(p, heap_usable_size(p), whole(size), HEAP_PROCESS));
}

void *reallocarray(void *p, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return or_errno(NULL);
    return realloc(p, bytes);
}

void free(void *p)
{
    heap_free_unsized(p, HEAP_PROCESS);
}

static void *alloc_aligned(size_t alignment, size_t size)
{
    if (alignment > HEAP_PAGE_BYTES || size > SIZE_MAX - alignment) return NULL;
    return heap_alloc_aligned(whole(bits_align_up(size ? size : 1, alignment)), alignment,
                              HEAP_PROCESS);
}

static int is_power_of_two(size_t n)
{
    return n && (n & (n - 1)) == 0;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    if (!is_power_of_two(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    return or_errno(alloc_aligned(alignment, size));
}

void *memalign(size_t alignment, size_t size)
{
    return aligned_alloc(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (!is_power_of_two(alignment) || alignment % sizeof(void *)) return EINVAL;
    void *p = alloc_aligned(alignment, size);
    if (!p) return ENOMEM;
    *out = p;
    return 0;
}

void *valloc(size_t size)
{
    return or_errno(alloc_aligned(SYSTEM_PAGE_BYTES, size));
}

void *pvalloc(size_t size)
{
    size_t rest = size % SYSTEM_PAGE_BYTES;
    return valloc(rest ? size + SYSTEM_PAGE_BYTES - rest : size);
}

size_t malloc_usable_size(void *p)
{
    return p ? heap_usable_size(p) : 0;
}

/* A copy: by its end a program may have overwritten its environment (nginx does). */
static char report_path[PATH_MAX];

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("HEARTH_MALLOC_REPORT");
    if (path && strlen(path) < sizeof(report_path)) strcpy(report_path, path);
    pthread_atfork(fork_prepare, fork_done, fork_done_in_child);
}

PRINTF_LIKE(1, 2) static void append_line(const char *format, ...)
{
    va_list args;
    FILE *f = fopen(report_path, "ae");
    if (!f) return;
    va_start(args, format);
    vfprintf(f, format, args);
    va_end(args);
    fclose(f);
}

__attribute__((destructor)) static void report(void)
{
    struct memstats stats;
    if (!report_path[0]) return;
    append_line("%d walks\n", (int)getpid());
    heap_check();
    memstats_read(&stats);
    memstats_check(&stats);
    bool compared = false;
    for (int attempt = 0; attempt < AUDIT_ATTEMPTS && !compared; attempt++)
        compared = audit_books();
    append_line("%d %lu %lu %lu %d\n", (int)getpid(), (unsigned long)stats.mallocs,
                (unsigned long)stats.heap_objects, (unsigned long)stats.heap_alloc, compared);
}
