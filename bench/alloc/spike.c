/*
 * spike - 256 MB ten times, then an idle process: when is the memory back at the system?
 *
 *     spike [mb=256] [object=1024] [times=10] [wait_s=15] [lazily=0]
 *
 * object=0 takes one block of all the bytes. lazily=1: MADV_FREE, where we have the choice. Prints
 * MB (2^20) resident at the peak, at the end of the waiting and how much of that the kernel may
 * take; and the seconds of idling until less than a tenth of the peak was resident (-1: never).
 */
#include <stdio.h>
#include <string.h>

#include "bench/alloc/mem.h"

enum { STEPS_PER_S = 4 };

int main(int argc, char **argv)
{
    unsigned mb = mem_option(argc, argv, "mb", 256);
    unsigned object = mem_option(argc, argv, "object", 1024);
    unsigned times = mem_option(argc, argv, "times", 10);
    unsigned wait_s = mem_option(argc, argv, "wait_s", 15);
    unsigned lazily = mem_option(argc, argv, "lazily", 0);
    mem_start();
#if MEM_HEARTH
    heap_scavenge_lazily(lazily);
#else
    (void)lazily;
#endif
    size_t bytes = (size_t)mb << 20;
    size_t size = object ? object : bytes;
    size_t count = bytes / size;
    void **slots = mem_table(count * sizeof(*slots));
    mem_free(mem_alloc(1), 1);
    uint64_t base = mem_resident().bytes;
    uint64_t peak = 0;
    for (unsigned t = 0; t < times; t++) {
        for (size_t i = 0; i < count; i++) {
            slots[i] = mem_alloc(size);
            memset(slots[i], 1, size);
        }
        uint64_t now = mem_resident().bytes - base;
        if (now > peak) peak = now;
        for (size_t i = 0; i < count; i++)
            mem_free(slots[i], size);
    }
    double start = mem_now_s();
    double back_s = -1;
    struct mem_resident r = mem_resident();
    for (unsigned step = 0; step < wait_s * STEPS_PER_S; step++) {
        if (back_s < 0 && r.bytes - base < peak / 10) back_s = mem_now_s() - start;
        mem_sleep_s(1.0 / STEPS_PER_S);
        r = mem_resident();
    }
    printf("peak_mb %.1f idle_mb %.1f lazy_mb %.1f back_s %.1f\n", (double)peak / (1 << 20),
           (double)(r.bytes - base) / (1 << 20), (double)r.lazy_bytes / (1 << 20), back_s);
    return 0;
}
