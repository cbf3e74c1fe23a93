/* snappy_block: each kind of element, at every place where it may end or not fit. */
#include "wire/snappy_block.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/suite.h"
#include "wire/frame.h"

#define ELEMENTS(text) ((struct str){(text), sizeof(text) - 1})

/* Decode from and into memory of exactly the size that is promised; returns what came out. */
static bool decode(struct str elements, size_t size, char *text)
{
    char *in = malloc(elements.size + 1);
    uint8_t *out = malloc(size + 1);
    char *end = in + 1; /* so that it ends where the memory does */
    memcpy(end, elements.data, elements.size);
    bool good = snappy_block_decode((struct str){end, elements.size}, out, size);
    if (good) memcpy(text, out, size);
    free(out);
    free(in);
    return good;
}

static void expect(struct str elements, const char *plain)
{
    char text[1024];
    size_t size = strlen(plain);
    ck_assert(decode(elements, size, text));
    ck_assert_mem_eq(text, plain, size);
    ck_assert(!decode(elements, size + 1, text));
    ck_assert(!decode(elements, size - 1, text));
    for (size_t cut = 0; cut < elements.size; cut++)
        ck_assert(!decode((struct str){elements.data, cut}, size, text));
}

START_TEST(every_kind_of_element_decodes)
{
    expect(ELEMENTS("\x08"
                    "abc"),
           "abc");
    expect(ELEMENTS("\xF0\x02"
                    "abc"),
           "abc"); /* length in one more byte */
    expect(ELEMENTS("\xF4\x02\x00"
                    "abc"),
           "abc"); /* two */
    expect(ELEMENTS("\xF8\x02\x00\x00"
                    "abc"),
           "abc"); /* three */
    expect(ELEMENTS("\xFC\x02\x00\x00\x00"
                    "abc"),
           "abc"); /* four */
    expect(ELEMENTS("\x0C"
                    "abcd"
                    "\x01\x04"),
           "abcdabcd");
    expect(ELEMENTS("\x0C"
                    "abcd"
                    "\x0E\x04\x00"),
           "abcdabcd");
    expect(ELEMENTS("\x0C"
                    "abcd"
                    "\x0F\x04\x00\x00\x00"),
           "abcdabcd");
}
END_TEST

START_TEST(a_copy_may_repeat_what_it_writes)
{
    char elements[80];
    char plain[160];
    for (size_t back = 1; back <= 70; back++) {
        for (size_t size = 1; size <= 64; size++) {
            size_t at = 0;
            char text[160];
            if (back > 60) elements[at++] = '\xF0';
            elements[at++] = (char)(back > 60 ? back - 1 : (back - 1) << 2);
            for (size_t i = 0; i < back; i++)
                elements[at++] = plain[i] = (char)('0' + i);
            for (size_t i = 0; i < size; i++)
                plain[back + i] = plain[i];
            elements[at++] = (char)((size - 1) << 2 | 2);
            elements[at++] = (char)back;
            elements[at++] = 0;
            ck_assert(decode((struct str){elements, at}, back + size, text));
            ck_assert_mem_eq(text, plain, back + size);
            ck_assert(!decode((struct str){elements, at}, back + size - 1, text));
        }
    }
}
END_TEST

START_TEST(copies_from_before_the_start_are_damage)
{
    char text[64];
    ck_assert(!decode(ELEMENTS("\x0C"
                               "abcd"
                               "\x01\x05"),
                      8, text));
    ck_assert(!decode(ELEMENTS("\x0C"
                               "abcd"
                               "\x01\x00"),
                      8, text));
    ck_assert(!decode(ELEMENTS("\x0C"
                               "abcd"
                               "\x0E\x05\x00"),
                      8, text));
    ck_assert(!decode(ELEMENTS("\x0C"
                               "abcd"
                               "\x0F\x00\x00\x00\x80"),
                      8, text));
    ck_assert(!decode(ELEMENTS("\x01\x01"), 4, text));
    ck_assert(!decode(ELEMENTS("\xFC\xFF\xFF\xFF\xFF"), 0, text));
    ck_assert(!decode(ELEMENTS("\xFC\xFF\xFF\xFF\xFF"
                               "abcd"),
                      4, text));
}
END_TEST

/* Texts like bodies: much that repeats, at all distances, and much that does not. */
START_TEST(what_the_library_encodes_decodes)
{
    enum { TEXT_MAX = 40000 };
    static char text[TEXT_MAX];
    struct arena arena;
    unsigned seed = 11;
    arena_init(&arena, HEAP_HTTP, 1 << 20);
    for (int round = 0; round < 200; round++) {
        struct str encoded;
        struct str decoded;
        size_t size = 0;
        size_t wanted = (size_t)(round * round) % TEXT_MAX;
        while (size < wanted) {
            seed = seed * 1664525u + 1013904223u;
            size_t length = 1 + (seed >> 8) % 90;
            size_t back = 1 + (seed >> 16) % 700;
            bool old = back <= size && seed % 4;
            for (size_t i = 0; i < length && size < wanted; i++, size++)
                text[size] = (char)(old ? (unsigned char)text[size - back] : seed >> i % 24 & 0xFF);
        }
        struct str plain = {text, size};
        ck_assert_int_eq(frame_encode(plain, &arena, &encoded, NULL), OK);
        ck_assert_int_eq(frame_decode(encoded, size, &arena, &decoded, NULL), OK);
        ck_assert(str_equal(plain, decoded));
        arena_reset(&arena);
    }
    arena_release(&arena);
}
END_TEST

SUITE(snappy_block, every_kind_of_element_decodes, a_copy_may_repeat_what_it_writes,
      copies_from_before_the_start_are_damage, what_the_library_encodes_decodes)
