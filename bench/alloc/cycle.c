/*
 * cycle - up to a high-water mark, down to a low one, again and again; then nothing.
 *
 *     cycle [high_mb=1024] [low_mb=64] [turns=4] [chunks=0] [oldest=0] [wait_s=10]
 *
 * Sizes are log-uniform from 16 bytes to 1 MiB; with chunks=1 from 128 bytes to 4 KiB, as sample
 * chunks are. Frees are at random, with oldest=1 the oldest first. Prints MB (2^20): resident and
 * live at the high and the low point of each turn ("turn"); resident at every second of wait_s
 * behind the last low point ("low") and behind the last free ("freed"); then, in one line, at the
 * last high, live at the last low, resident there and wait_s later, and wait_s after the last free.
 * Up to there nobody asks the allocator for anything; "purged" is one more low point with that.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bench/alloc/mem.h"

enum { OBJECTS_MAX = 4 << 20 };

struct object {
    void *p;
    size_t size;
};

static struct object *objects; /* a queue: [first, end), holes filled when freeing at random */
static size_t first, end;
static uint64_t live;
static uint64_t seed = 1;

static size_t random_size(bool chunks)
{
    double low = chunks ? 7 : 4;
    double high = chunks ? 12 : 20;
    double u = (double)(mem_random(&seed) >> 11) * 0x1p-53;
    return (size_t)exp2(low + (high - low) * u);
}

static void grow_to(uint64_t bytes, bool chunks)
{
    while (live < bytes) {
        if (end == OBJECTS_MAX) {
            memmove(objects, objects + first, (end - first) * sizeof(*objects));
            end -= first;
            first = 0;
            if (end == OBJECTS_MAX) return;
        }
        struct object *o = &objects[end++];
        o->size = random_size(chunks);
        o->p = mem_alloc(o->size);
        memset(o->p, 1, o->size);
        live += o->size;
    }
}

static void shrink_to(uint64_t bytes, bool oldest)
{
    while (live > bytes && first < end) {
        size_t i = oldest ? first : first + mem_random(&seed) % (end - first);
        live -= objects[i].size;
        mem_free(objects[i].p, objects[i].size);
        objects[i] = objects[first++];
    }
}

static double resident_mb(uint64_t base)
{
    return ((double)mem_resident().bytes - (double)base) / (1 << 20);
}

/* Returns MB at the end. */
static double watch(const char *what, unsigned wait_s, uint64_t base)
{
    double mb = resident_mb(base);
    printf("%s s 0 mb %.1f\n", what, mb);
    for (unsigned s = 1; s <= wait_s; s++) {
        mem_sleep_s(1);
        mb = resident_mb(base);
        printf("%s s %u mb %.1f\n", what, s, mb);
    }
    return mb;
}

int main(int argc, char **argv)
{
    unsigned high_mb = mem_option(argc, argv, "high_mb", 1024);
    unsigned low_mb = mem_option(argc, argv, "low_mb", 64);
    unsigned turns = mem_option(argc, argv, "turns", 4);
    unsigned chunks = mem_option(argc, argv, "chunks", 0);
    unsigned oldest = mem_option(argc, argv, "oldest", 0);
    unsigned wait_s = mem_option(argc, argv, "wait_s", 10);
    mem_start();
    objects = mem_table(OBJECTS_MAX * sizeof(*objects));
    mem_free(mem_alloc(1), 1);
    uint64_t base = mem_resident().bytes;
    double high = 0, low = 0, live_mb = 0;
    for (unsigned turn = 1; turn <= turns; turn++) {
        grow_to((uint64_t)high_mb << 20, chunks);
        high = resident_mb(base);
        double live_high_mb = (double)live / (1 << 20);
        shrink_to((uint64_t)low_mb << 20, oldest);
        low = resident_mb(base);
        live_mb = (double)live / (1 << 20);
        printf("turn number %u high %.1f live_high %.1f low %.1f live_low %.1f\n", turn, high,
               live_high_mb, low, live_mb);
    }
    double later = watch("low", wait_s, base);
    shrink_to(0, oldest);
    double end_mb = watch("freed", wait_s, base);
    grow_to((uint64_t)high_mb << 20, chunks);
    shrink_to((uint64_t)low_mb << 20, oldest);
    mem_purge();
    printf("cycle high %.1f live %.1f low %.1f low_later %.1f end %.1f purged %.1f\n", high,
           live_mb, low, later, end_mb, resident_mb(base));
    return 0;
}
