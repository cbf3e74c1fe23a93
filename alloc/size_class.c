/* size_class - the generated table and the proofs about it. */
#include "alloc/size_class.h"

enum {
    SPAN_PAGES_MIN = 4,
    SPAN_PAGES_MAX = 16,
    TAIL_PARTS = 64,            /* the tail of a span is at most a 64th of it */
    CACHED_BYTES_MAX = 3 << 19, /* per class and thread */
    CACHED_OBJECTS_MIN = 4,
    CACHED_OBJECTS_MAX = 1024, /* a stack of them is a record of alloc/meta */
    WASTE_PARTS = 8            /* at most an eighth of a span is lost, past 128 bytes */
};

/* ROW(name, bytes, bytes of the class before) */
#define OCTAVE(ROW, base)                                                                          \
    ROW(base##_9, (base) / 8 * 9, (base))                                                          \
    ROW(base##_10, (base) / 8 * 10, (base) / 8 * 9)                                                \
    ROW(base##_11, (base) / 8 * 11, (base) / 8 * 10)                                               \
    ROW(base##_12, (base) / 8 * 12, (base) / 8 * 11)                                               \
    ROW(base##_13, (base) / 8 * 13, (base) / 8 * 12)                                               \
    ROW(base##_14, (base) / 8 * 14, (base) / 8 * 13)                                               \
    ROW(base##_15, (base) / 8 * 15, (base) / 8 * 14)                                               \
    ROW(base##_16, (base) / 8 * 16, (base) / 8 * 15)

#define SIZE_CLASSES(ROW)                                                                          \
    ROW(8, 8, 0)                                                                                   \
    ROW(16, 16, 8)                                                                                 \
    ROW(32, 32, 16)                                                                                \
    ROW(48, 48, 32)                                                                                \
    ROW(64, 64, 48)                                                                                \
    ROW(80, 80, 64)                                                                                \
    ROW(96, 96, 80)                                                                                \
    ROW(112, 112, 96)                                                                              \
    ROW(128, 128, 112)                                                                             \
    ROW(CELLS, 128, 112)                                                                           \
    OCTAVE(ROW, 128)                                                                               \
    OCTAVE(ROW, 256)                                                                               \
    OCTAVE(ROW, 512)                                                                               \
    OCTAVE(ROW, 1024)                                                                              \
    OCTAVE(ROW, 2048)                                                                              \
    OCTAVE(ROW, 4096)                                                                              \
    OCTAVE(ROW, 8192)                                                                              \
    OCTAVE(ROW, 16384)

#define CLAMP(v, low, high) ((v) < (low) ? (low) : (v) > (high) ? (high) : (v))

/* Bit n: a span of n pages holds objects of the class, and its tail is small. */
#define LENGTH(b, n) (((n)*HEAP_PAGE_BYTES % (b)*TAIL_PARTS <= (n)*HEAP_PAGE_BYTES) << (n))
#define LENGTHS(name, b, before)                                                                   \
    LENGTHS_##name = LENGTH(b, 1) | LENGTH(b, 2) | LENGTH(b, 3) | LENGTH(b, 4) | LENGTH(b, 5) |    \
                     LENGTH(b, 6) | LENGTH(b, 7) | LENGTH(b, 8) | LENGTH(b, 9) | LENGTH(b, 10) |   \
                     LENGTH(b, 11) | LENGTH(b, 12) | LENGTH(b, 13) | LENGTH(b, 14) |               \
                     LENGTH(b, 15) | LENGTH(b, 16),
enum { SIZE_CLASSES(LENGTHS) };

/* The lengths that hold `slots` objects; none when no span does. */
#define HOLDING(lengths, b, slots)                                                                 \
    ((unsigned)(lengths) &                                                                         \
     ~0U << CLAMP(((b) * (slots) + HEAP_PAGE_BYTES - 1) / HEAP_PAGE_BYTES, SPAN_PAGES_MIN, 31))

/* Eight objects to a span, or four where sixteen pages cannot hold eight. */
#define PAGES(name, b, before)                                                                     \
    PAGES_##name = __builtin_ctz(HOLDING(LENGTHS_##name, b, 8) ? HOLDING(LENGTHS_##name, b, 8)     \
                                                               : HOLDING(LENGTHS_##name, b, 4)),
enum { SIZE_CLASSES(PAGES) };

#define ROW(name, size, before)                                                                    \
    {.bytes = (size),                                                                              \
     .slots = PAGES_##name * HEAP_PAGE_BYTES / (size),                                             \
     .pages = PAGES_##name,                                                                        \
     .shorter = LENGTHS_##name & ((1 << PAGES_##name) - 1),                                        \
     .cached_max =                                                                                 \
         (uint16_t)CLAMP(CACHED_BYTES_MAX / (size), CACHED_OBJECTS_MIN, CACHED_OBJECTS_MAX),       \
     .reciprocal = (uint32_t)(((UINT64_C(1) << 32) + (uint32_t)(size)-1) / (uint32_t)(size))},

const struct size_class size_classes[SIZE_CLASS_COUNT] = {{0}, SIZE_CLASSES(ROW)};

#define PROVE(name, size, before)                                                                  \
    _Static_assert((before) < (size), "classes ascend");                                           \
    _Static_assert((size) == 8 || (size) % HEAP_ALIGNMENT == 0, "objects are aligned");            \
    _Static_assert((int)PAGES_##name >= SPAN_PAGES_MIN && (int)PAGES_##name <= SPAN_PAGES_MAX,     \
                   "every class has a span");                                                      \
    _Static_assert(PAGES_##name * HEAP_PAGE_BYTES / (size) <= SIZE_CLASS_SLOTS_MAX,                \
                   "slots are bounded");                                                           \
    _Static_assert((size) > SIZE_CLASS_LINEAR_MAX || (size) - (before) <= HEAP_ALIGNMENT,          \
                   "the worst request of a short class wastes less than an alignment");            \
    _Static_assert((size) <= SIZE_CLASS_LINEAR_MAX ||                                              \
                       (TAIL_PARTS - 1) * ((before) + 1) * WASTE_PARTS >=                          \
                           TAIL_PARTS * (WASTE_PARTS - 1) * (size),                                \
                   "the worst request wastes at most an eighth, of a span of any length");

SIZE_CLASSES(PROVE)

#define SIZE_OF_ROW(name, size, before) (size),
_Static_assert(sizeof((int[]){0, SIZE_CLASSES(SIZE_OF_ROW)}) == SIZE_CLASS_COUNT * sizeof(int),
               "the count is the table's");
_Static_assert((int)HEAP_CELL_BYTES == (int)SIZE_CLASS_LINEAR_MAX, "cells end the linear classes");
_Static_assert(16384 * 2 == HEAP_SMALL_MAX, "the table ends at HEAP_SMALL_MAX");
