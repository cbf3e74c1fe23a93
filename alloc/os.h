/*
 * os - address space and pages of the operating system; the only file that maps memory.
 *
 * A range is reserved once, without access rights and without a promise of memory (PROT_NONE), and
 * made usable from its start on (os_range_commit). Usable pages cost nothing until touched, read as
 * zero when fresh, and again after os_release.
 *
 * Threads: one at a time per range; os_release any thread.
 */
#ifndef HEARTH_ALLOC_OS_H
#define HEARTH_ALLOC_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Of huge pages, so that our blocks of this size are theirs; and the smallest piece to give back.
 */
enum { OS_RANGE_ALIGNMENT = 2 << 20, OS_PAGE_BYTES = 4096 };

struct os_range {
    uint8_t *base; /* aligned to OS_RANGE_ALIGNMENT; NULL before os_range_reserve */
    size_t reserved_bytes;
    size_t committed_bytes; /* usable, from base on */
};

/* Reserve bytes; false when the system refuses so much address space. */
MUST_USE bool os_range_reserve(struct os_range *range, size_t bytes);

/* What to do when it does and nothing can run without: a line for people, exit code 1. This is
 * before any request, often before main. */
NO_RETURN COLD void os_end_without_room(void);

/* Keep only the first `bytes` of a range of which nothing is usable yet. */
void os_range_trim(struct os_range *range, size_t bytes);

/* Make the first `bytes` of the range usable; false past its end or when the system refuses. */
MUST_USE bool os_range_commit(struct os_range *range, size_t bytes);

/* Give the pages back: they leave the resident set now and are zero when touched next. p and bytes
 * are multiples of OS_PAGE_BYTES. False when the system refuses (locked memory, longer pages). */
MUST_USE bool os_release(void *p, size_t bytes);

/* Make whole blocks of OS_RANGE_ALIGNMENT resident now, as huge pages if the system has any.
 * Nowhere else do huge pages come by themselves: one would be resident as a whole where a single
 * page of it is charged. What the system cannot do, touching the pages does later. */
void os_populate_huge(void *p, size_t bytes);

/* Make these pages resident now, in one call instead of a fault for each. */
void os_populate(void *p, size_t bytes);

/* Let the system take the pages whenever it wants to; until then they keep what they hold. */
MUST_USE bool os_release_lazily(void *p, size_t bytes);

/* Every thread of this process has, at some moment during the call, all its earlier stores visible
 * and none of its later loads done. False when the system has no such thing. */
MUST_USE bool os_barrier(void);

#endif
