/*
 * pattern - what a piece of memory must hold, as a function of a name and the offset alone.
 *
 * The address plays no part, so that a moved object is still known. Of a long object the first and
 * the last bytes and one word per system page are written and looked at: neighbours overwrite ends,
 * and the system takes pages. What is copied as a whole, by pieces, is written whole
 * (pattern_fill); it passes the same check.
 *
 * Threads: constants.
 */
#ifndef HEARTH_TESTS_STRESS_PATTERN_H
#define HEARTH_TESTS_STRESS_PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"

enum {
    PATTERN_HEAD = 64,
    PATTERN_TAIL = 32,
    PATTERN_STEP = 4096,
    PATTERN_PIECE = 512 /* at most, in one call of pattern_fill */
};

static inline uint64_t pattern_word(uint64_t name, size_t offset)
{
    return (name + offset / 8) * UINT64_C(0x9E3779B97F4A7C15);
}

/* Where the last bytes start that are not among the first. */
static inline size_t pattern_tail(size_t size)
{
    return size > PATTERN_HEAD + PATTERN_TAIL ? size - PATTERN_TAIL : PATTERN_HEAD;
}

/* All bytes from offset on, of any alignment. */
static inline void pattern_fill(void *out, size_t offset, size_t size, uint64_t name)
{
    uint64_t words[PATTERN_PIECE / 8 + 2];
    ASSERT(size <= PATTERN_PIECE);
    for (size_t i = 0; i * 8 < offset % 8 + size; i++)
        words[i] = pattern_word(name, offset + i * 8);
    memcpy(out, (const uint8_t *)words + offset % 8, size);
}

static inline void pattern_expect(const void *p, size_t offset, size_t size, uint64_t name)
{
    uint8_t expected[PATTERN_PIECE];
    pattern_fill(expected, offset, size, name);
    ASSERT(size == 0 || memcmp(p, expected, size) == 0);
}

static inline void pattern_write(void *p, size_t size, uint64_t name)
{
    uint8_t *bytes = p;
    size_t tail = pattern_tail(size);
    pattern_fill(bytes, 0, size < PATTERN_HEAD ? size : PATTERN_HEAD, name);
    for (size_t i = PATTERN_STEP; i + 8 <= size; i += PATTERN_STEP) {
        uint64_t word = pattern_word(name, i);
        memcpy(bytes + i, &word, sizeof(word));
    }
    if (tail < size) pattern_fill(bytes + tail, tail, size - tail, name);
}

/* Aborts unless the first `kept` bytes are those of a piece of `size` bytes that was written. */
static inline void pattern_check(const void *p, size_t size, size_t kept, uint64_t name)
{
    const uint8_t *bytes = p;
    size_t tail = pattern_tail(size);
    pattern_expect(bytes, 0, kept < PATTERN_HEAD ? kept : PATTERN_HEAD, name);
    for (size_t i = PATTERN_STEP; i + 8 <= kept; i += PATTERN_STEP) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof(word));
        ASSERT(word == pattern_word(name, i));
    }
    if (tail < kept) pattern_expect(bytes + tail, tail, kept - tail, name);
}

/* Aborts unless all of it is zero: every byte of a short one; of a long one some, in every column
 * of its pages. */
static inline void pattern_check_zero(const void *p, size_t size)
{
    const uint8_t *bytes = p;
    if (size == 0) return;
    if (size <= PATTERN_STEP) ASSERT(bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
    for (size_t i = 0; i < size; i += 509) /* a prime */
        ASSERT(bytes[i] == 0);
    ASSERT(bytes[size - 1] == 0);
}

#endif
