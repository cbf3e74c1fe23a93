/* A program with alloc/heap.h and nothing else of ours. */
#include <stdio.h>
#include <string.h>

#include "alloc/heap.h"

int main(void)
{
    heap_set_limit(UINT64_C(64) << 20);
    char *text = heap_alloc(100, HEAP_PROCESS);
    if (!text) return 1;
    strcpy(text, "alone");
    text = heap_resize(text, 100, 100000, HEAP_PROCESS);
    if (!text) return 2;
    const void *too_much = heap_alloc(128 << 20, HEAP_PROCESS);
    printf("%s %s\n", text, too_much ? "without a limit" : "within a limit");
    heap_free(text, 100000, HEAP_PROCESS);
    heap_check();
    heap_flush_thread();
    return heap_scavenge(UINT64_MAX) >= 100000 ? 0 : 3;
}
