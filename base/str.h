/*
 * str - a view of text: pointer and length, not owned, not NUL-terminated.
 */
#ifndef HEARTH_BASE_STR_H
#define HEARTH_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct str {
    const char *data; /* may be NULL only when size is 0 */
    size_t size;      /* bytes */
};

#define STR(literal) ((struct str){.data = (literal), .size = sizeof(literal) - 1})

static inline struct str str_from(const char *text)
{
    return (struct str){.data = text, .size = strlen(text)};
}

static inline bool str_equal(struct str a, struct str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Byte order, the shorter first among equals: the order of Prometheus' label sets. */
static inline int str_compare(struct str a, struct str b)
{
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared ? memcmp(a.data, b.data, shared) : 0;
    if (order) return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

static inline bool str_starts_with(struct str s, struct str prefix)
{
    return s.size >= prefix.size &&
           (prefix.size == 0 || memcmp(s.data, prefix.data, prefix.size) == 0);
}

/* The value of a hexadecimal digit; 16, more than any, when it is none. */
static inline unsigned str_hex_digit(char c)
{
    if (c >= '0' && c <= '9') return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f') return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') return (unsigned)(c - 'A') + 10;
    return 16;
}

/* The size without the bytes of a UTF-8 character that text ends in the middle of: for texts cut to
 * fit. What is not UTF-8 is left as it is. */
static inline size_t str_whole_characters(const char *text, size_t size)
{
    size_t trailing = 0;
    while (trailing < 3 && trailing < size &&
           ((unsigned char)text[size - 1 - trailing] & 0xC0) == 0x80)
        trailing++;
    if (trailing == size) return size;
    unsigned char lead = (unsigned char)text[size - 1 - trailing];
    size_t wanted = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    return trailing < wanted ? size - 1 - trailing : size;
}

/* For "%.*s": STR_ARG(s) is its two arguments. */
#define STR_ARG(s) (int)((s).size > 200 ? 200 : (s).size), ((s).size ? (s).data : "")

#endif
