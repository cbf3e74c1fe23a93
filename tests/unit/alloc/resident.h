/*
 * resident - how much of a stretch of memory the system holds pages for (mincore).
 */
#ifndef HEARTH_TESTS_UNIT_ALLOC_RESIDENT_H
#define HEARTH_TESTS_UNIT_ALLOC_RESIDENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "alloc/os.h"
#include "tests/unit/suite.h"

/* Of the system pages that begin in [p, p + bytes); p is the start of one. */
static inline uint64_t resident_bytes(const void *p, size_t bytes)
{
    uint64_t count = 0;
    for (size_t at = 0; at < bytes; at += OS_PAGE_BYTES) {
        unsigned char is_there;
        void *page = (void *)((uintptr_t)p + at);
        ck_assert_int_eq(mincore(page, OS_PAGE_BYTES, &is_there), 0);
        count += is_there & 1;
    }
    return count * OS_PAGE_BYTES;
}

/* The system page of any byte. */
static inline bool is_resident(const void *p)
{
    return resident_bytes((void *)((uintptr_t)p & ~(uintptr_t)(OS_PAGE_BYTES - 1)), 1) > 0;
}

#endif
