/* A program whose own names are those of files of the library, which must not matter. */
#include "alloc/heap.h"

int mutex_lock(int door);
int error_set(int error);

int mutex_lock(int door)
{
    return door + 1;
}

int error_set(int error)
{
    return error + 2;
}

int main(void)
{
    void *p = heap_alloc(100, HEAP_PROCESS);
    if (!p || mutex_lock(1) != 2 || error_set(1) != 3) return 1;
    heap_free(p, 100, HEAP_PROCESS);
    heap_check();
    return 0;
}
