/*
 * tiny - objects of a few bytes that share a block of 16.
 *
 *     | holds | a | b b | c c c c | . . . . . . . . |     1, 2, 4 bytes, aligned as they are long
 *
 * The smallest class of the heap is 8 bytes; three objects of 4 in a block take 5.3 each, five of 3
 * as many of theirs. A thread fills one block per tag, from its start to its end; nothing that was
 * freed is filled again before the block is empty. The first byte of the block counts the objects
 * that live in it, and the thread that fills it: who takes the count to 0, any thread, gives the
 * block back. Sizes that would not share (past TINY_BYTES_MAX) are the heap's.
 *
 * The idea is that of Go's runtime (malloc.go, "Tiny allocator"), where blocks go by garbage
 * collection. It is counted as there: a block is the object, and every object that found room in a
 * block that was there already is a malloc and a free at once (tiny_allocs in alloc/memstats.h). A
 * block counts as asked for by its owner, 16 bytes, however full it is.
 *
 * AddressSanitizer sees whole blocks only: its smallest unit is 8 bytes, and neighbours in one are
 * freed by different threads. With heap_red_zones nothing shares, and what alloc/live.h finds it
 * finds here too.
 *
 * Threads: any; an object may be freed by another thread than the one that asked for it.
 */
#ifndef HEARTH_ALLOC_TINY_H
#define HEARTH_ALLOC_TINY_H

#include "alloc/heap.h"

enum { TINY_BLOCK_BYTES = 16, TINY_BYTES_MAX = 5 };

/* As heap_alloc, for anything without pointers in it. Alignment: 4 and 2 bytes their size, other
 * tiny ones none. */
MUST_USE void *heap_alloc_tiny(size_t size, enum heap_tag tag);

/* size and tag as at the allocation; NULL is ignored. */
void heap_free_tiny(void *p, size_t size, enum heap_tag tag);

/* Let go of the blocks the calling thread is filling; the end of a thread does it, too. */
void tiny_flush_thread(void);

/* How many objects ever found room in a block that was there. */
uint64_t tiny_allocs(void);

#if HEARTH_DEBUG && !defined(PLACE_OF_CALLER)
#    define heap_alloc_tiny(size, tag)   (HEAP_PLACE(), heap_alloc_tiny(size, tag))
#    define heap_free_tiny(p, size, tag) (HEAP_PLACE(), heap_free_tiny(p, size, tag))
#endif

#endif
