/* os - mmap, mprotect, madvise. */
#include "alloc/os.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc/heap.h"
#include "base/assert.h"

/* As a hint: a system that has no such thing is no failure, and nobody asked for its errno. */
static void advise(void *p, size_t bytes, int advice)
{
    int saved = errno;
    (void)madvise(p, bytes, advice);
    errno = saved;
}

bool os_range_reserve(struct os_range *range, size_t bytes)
{
    /* os_release promises zeros for whole heap pages only. */
    ASSERT(HEAP_PAGE_BYTES % sysconf(_SC_PAGESIZE) == 0);
    /* Aligned by hand: mmap aligns to the system's page. */
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    /* cppcheck-suppress invalidFunctionArg ; -1 is what MAP_ANONYMOUS asks for */
    void *p = mmap(NULL, bytes + OS_RANGE_ALIGNMENT, PROT_NONE, flags, -1, 0);
    if (p == MAP_FAILED) return false;
    uintptr_t aligned =
        ((uintptr_t)p + OS_RANGE_ALIGNMENT - 1) & ~(uintptr_t)(OS_RANGE_ALIGNMENT - 1);
    range->base = (uint8_t *)aligned;
    range->reserved_bytes = bytes;
    range->committed_bytes = 0;
    advise(range->base, bytes, MADV_NOHUGEPAGE);
    /* cppcheck-suppress memleak ; it lives as long as the process */
    return true;
}

void os_end_without_room(void)
{
    static const char text[] =
        "hearth: the system gives too little address space for the heap: raise ulimit -v\n";
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(1);
}

void os_range_trim(struct os_range *range, size_t bytes)
{
    ASSERT(bytes <= range->reserved_bytes && bytes % HEAP_PAGE_BYTES == 0);
    ASSERT(range->committed_bytes == 0);
    /* What was lost to alignment stays; it costs nothing. */
    if (munmap(range->base + bytes, range->reserved_bytes - bytes) == 0)
        range->reserved_bytes = bytes;
}

bool os_range_commit(struct os_range *range, size_t bytes)
{
    if (bytes <= range->committed_bytes) return true;
    if (bytes > range->reserved_bytes) return false;
    if (mprotect(range->base + range->committed_bytes, bytes - range->committed_bytes,
                 PROT_READ | PROT_WRITE) != 0)
        return false;
    range->committed_bytes = bytes;
    return true;
}

bool os_release(void *p, size_t bytes)
{
    return madvise(p, bytes, MADV_DONTNEED) == 0;
}

void os_populate(void *p, size_t bytes)
{
    advise(p, bytes, MADV_POPULATE_WRITE);
}

void os_populate_huge(void *p, size_t bytes)
{
    advise(p, bytes, MADV_HUGEPAGE);
    os_populate(p, bytes);
    advise(p, bytes, MADV_NOHUGEPAGE); /* the pages that are there stay huge */
}

bool os_release_lazily(void *p, size_t bytes)
{
    return madvise(p, bytes, MADV_FREE) == 0;
}

bool os_barrier(void)
{
    static atomic_bool registered;
    if (!atomic_load_explicit(&registered, memory_order_relaxed)) {
        if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0)) return false;
        atomic_store_explicit(&registered, true, memory_order_relaxed);
    }
    return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}
