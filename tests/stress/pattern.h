/*
 * pattern - what a piece of memory must hold, as a function of a name and the offset alone.
 *
 * The address plays no part, so that a moved object is still known. Of a long object the first and
 * the last bytes and one word per system page are written and looked at: neighbours overwrite ends,
 * and the system takes pages.
 *
 * Threads: constants.
 */
#ifndef HEARTH_TESTS_STRESS_PATTERN_H
#define HEARTH_TESTS_STRESS_PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"

enum { PATTERN_HEAD = 64, PATTERN_TAIL = 32, PATTERN_STEP = 4096 };

static inline uint64_t pattern_word(uint64_t name, size_t offset)
{
    return (name + offset / 8) * UINT64_C(0x9E3779B97F4A7C15);
}

static inline uint8_t pattern_byte(uint64_t name, size_t offset)
{
    return (uint8_t)(pattern_word(name, offset) >> (offset % 8 * 8));
}

/* Where the last bytes start that are not among the first. */
static inline size_t pattern_tail(size_t size)
{
    return size > PATTERN_HEAD + PATTERN_TAIL ? size - PATTERN_TAIL : PATTERN_HEAD;
}

static inline void pattern_write(void *p, size_t size, uint64_t name)
{
    uint8_t *bytes = p;
    for (size_t i = 0; i < size && i < PATTERN_HEAD; i++)
        bytes[i] = pattern_byte(name, i);
    for (size_t i = PATTERN_STEP; i + 8 <= size; i += PATTERN_STEP) {
        uint64_t word = pattern_word(name, i);
        memcpy(bytes + i, &word, sizeof(word));
    }
    for (size_t i = pattern_tail(size); i < size; i++)
        bytes[i] = pattern_byte(name, i);
}

/* Aborts unless the first `kept` bytes are those of a piece of `size` bytes that was written. */
static inline void pattern_check(const void *p, size_t size, size_t kept, uint64_t name)
{
    const uint8_t *bytes = p;
    for (size_t i = 0; i < kept && i < PATTERN_HEAD; i++)
        ASSERT(bytes[i] == pattern_byte(name, i));
    for (size_t i = PATTERN_STEP; i + 8 <= kept; i += PATTERN_STEP) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof(word));
        ASSERT(word == pattern_word(name, i));
    }
    for (size_t i = pattern_tail(size); i < kept; i++)
        ASSERT(bytes[i] == pattern_byte(name, i));
}

/* Aborts unless all of it is zero: every byte of a short one, of a long one as above. */
static inline void pattern_check_zero(const void *p, size_t size)
{
    const uint8_t *bytes = p;
    size_t step = size > PATTERN_STEP ? 509 : 1; /* a prime: no column of a page is left out */
    for (size_t i = 0; i < size; i += step)
        ASSERT(bytes[i] == 0);
    if (size) ASSERT(bytes[size - 1] == 0);
}

#endif
