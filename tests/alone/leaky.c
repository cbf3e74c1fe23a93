/* Leaves memory, asks by whom, and frees something twice. For the library of a debug build. */
#include "alloc/heap.h"
#include "alloc/leaks.h"

static void *wanted(size_t size)
{
    return heap_alloc(size, HEAP_QUERY);
}

int main(void)
{
    if (!wanted(100) || !wanted(200)) return 1;
    void *p = heap_alloc(1000, HEAP_LABELS);
    heap_free(p, 1000, HEAP_LABELS);
    if (leaks_report(HEAP_TAG_COUNT) != 2) return 2;
    heap_free(p, 1000, HEAP_LABELS);
    return 0;
}
