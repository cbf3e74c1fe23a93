/*
 * spike - 256 MB ten times, then an idle process: when is the memory back at the system?
 *
 *     spike [mb=256] [object=1024] [times=10] [wait_s=15] [lazily=0]
 *
 * object=0 takes one block of all the bytes. lazily=1: MADV_FREE, where we have the choice. Prints
 * MB (2^20) resident, and how much of that the kernel may take, twice a second of the waiting
 * ("idle"). Then the same at the peak and at the end of the waiting; the seconds of idling until
 * less than a tenth of the peak was resident (-1: never); and the CPU time that threads of the
 * allocator used meanwhile, in percent of one core, and in milliseconds up to that moment.
 */
#include <stdio.h>
#include <string.h>

#include "bench/alloc/mem.h"

enum { STEPS_PER_S = 10, PRINTED_STEPS = 5 };

static double mb_of(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static void print_idle(double s, const struct mem_resident *r, uint64_t base)
{
    printf("idle s %.1f mb %.1f lazy_mb %.1f\n", s, mb_of(r->bytes - base), mb_of(r->lazy_bytes));
}

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
    double start_cpu_s = mem_others_cpu_s();
    double back_s = -1;
    double back_cpu_s = 0;
    struct mem_resident r = mem_resident();
    for (unsigned step = 0; step < wait_s * STEPS_PER_S; step++) {
        double idle_s = mem_now_s() - start;
        if (step % PRINTED_STEPS == 0) print_idle(idle_s, &r, base);
        if (back_s < 0 && r.bytes - base < peak / 10) {
            back_s = idle_s;
            back_cpu_s = mem_others_cpu_s() - start_cpu_s;
        }
        mem_sleep_s(1.0 / STEPS_PER_S);
        r = mem_resident();
    }
    double end_s = mem_now_s() - start;
    print_idle(end_s, &r, base);
    printf("spike peak_mb %.1f idle_mb %.1f lazy_mb %.1f back_s %.1f cpu_percent %.2f "
           "back_cpu_ms %.1f\n",
           mb_of(peak), mb_of(r.bytes - base), mb_of(r.lazy_bytes), back_s,
           (mem_others_cpu_s() - start_cpu_s) * 100 / end_s, back_cpu_s * 1e3);
    return 0;
}
