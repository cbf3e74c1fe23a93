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

#define SUITS(bytes, pages, slots)                                                                 \
    ((pages)*HEAP_PAGE_BYTES / (bytes) >= (slots) &&                                               \
     (pages)*HEAP_PAGE_BYTES % (bytes)*TAIL_PARTS <= (pages)*HEAP_PAGE_BYTES)

/* The fewest pages that hold `slots` objects with a small tail; 0 when no span does. */
#define FEWEST_PAGES(b, n)                                                                         \
    (SUITS(b, 4, n)    ? 4                                                                         \
     : SUITS(b, 5, n)  ? 5                                                                         \
     : SUITS(b, 6, n)  ? 6                                                                         \
     : SUITS(b, 7, n)  ? 7                                                                         \
     : SUITS(b, 8, n)  ? 8                                                                         \
     : SUITS(b, 9, n)  ? 9                                                                         \
     : SUITS(b, 10, n) ? 10                                                                        \
     : SUITS(b, 11, n) ? 11                                                                        \
     : SUITS(b, 12, n) ? 12                                                                        \
     : SUITS(b, 13, n) ? 13                                                                        \
     : SUITS(b, 14, n) ? 14                                                                        \
     : SUITS(b, 15, n) ? 15                                                                        \
     : SUITS(b, 16, n) ? 16                                                                        \
                       : 0)

/* Eight objects to a span, or four where sixteen pages cannot hold eight. */
#define SPAN_PAGES(bytes) (FEWEST_PAGES(bytes, 8) ? FEWEST_PAGES(bytes, 8) : FEWEST_PAGES(bytes, 4))
#define SPAN_SLOTS(bytes) (SPAN_PAGES(bytes) * HEAP_PAGE_BYTES / (bytes))

/* Bit n: n pages make a span, of any number of objects. */
#define LENGTH(b, n) (SUITS(b, n, 1) << (n))
#define LENGTHS(b)                                                                                 \
    (LENGTH(b, 1) | LENGTH(b, 2) | LENGTH(b, 3) | LENGTH(b, 4) | LENGTH(b, 5) | LENGTH(b, 6) |     \
     LENGTH(b, 7) | LENGTH(b, 8) | LENGTH(b, 9) | LENGTH(b, 10) | LENGTH(b, 11) | LENGTH(b, 12) |  \
     LENGTH(b, 13) | LENGTH(b, 14) | LENGTH(b, 15))

#define CLAMP(v, low, high) ((v) < (low) ? (low) : (v) > (high) ? (high) : (v))

#define ROW(size, before)                                                                          \
    {.bytes = (size),                                                                              \
     .slots = SPAN_SLOTS(size),                                                                    \
     .pages = SPAN_PAGES(size),                                                                    \
     .shorter = LENGTHS(size) & ((1 << SPAN_PAGES(size)) - 1),                                     \
     .cached_max =                                                                                 \
         (uint16_t)CLAMP(CACHED_BYTES_MAX / (size), CACHED_OBJECTS_MIN, CACHED_OBJECTS_MAX),       \
     .reciprocal = (uint32_t)(((UINT64_C(1) << 32) + (uint32_t)(size)-1) / (uint32_t)(size))},

const struct size_class size_classes[SIZE_CLASS_COUNT] = {{0}, SIZE_CLASSES(ROW)};

#define PROVE(size, before)                                                                        \
    _Static_assert((before) < (size), "classes ascend");                                           \
    _Static_assert((size) == 8 || (size) % HEAP_ALIGNMENT == 0, "objects are aligned");            \
    _Static_assert(SPAN_PAGES(size) >= SPAN_PAGES_MIN && SPAN_PAGES(size) <= SPAN_PAGES_MAX,       \
                   "every class has a span");                                                      \
    _Static_assert(SPAN_SLOTS(size) <= SIZE_CLASS_SLOTS_MAX, "slots are bounded");                 \
    _Static_assert((size) <= SIZE_CLASS_LINEAR_MAX ||                                              \
                       (TAIL_PARTS - 1) * ((before) + 1) * WASTE_PARTS >=                          \
                           TAIL_PARTS * (WASTE_PARTS - 1) * (size),                                \
                   "the worst request wastes at most an eighth, of a span of any length");

SIZE_CLASSES(PROVE)

#define SIZE_OF_ROW(size, before) (size),
_Static_assert(sizeof((int[]){0, SIZE_CLASSES(SIZE_OF_ROW)}) == SIZE_CLASS_COUNT * sizeof(int),
               "the count is the table's");
_Static_assert((int)HEAP_CELL_BYTES == (int)SIZE_CLASS_LINEAR_MAX, "cells end the linear classes");
_Static_assert(SIZE_CLASS_LAST_OCTAVE * 2 == HEAP_SMALL_MAX, "the table ends at HEAP_SMALL_MAX");
