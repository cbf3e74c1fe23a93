/* links: model */
/*
 * "pattern\0text\0template": compile, match, expand. Matching that may do without the engine, and
 * the engine itself, must agree on every text that is UTF-8.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "model/names.h"
#include "model/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 1 << 20 };

/* The piece of *rest up to a NUL, and *rest behind it. */
static struct str take(struct str *rest)
{
    const char *found = rest->size > 0 ? memchr(rest->data, '\0', rest->size) : NULL;
    struct str piece = *rest;
    if (found) piece.size = (size_t)(found - rest->data);
    size_t taken = piece.size + (found != NULL);
    rest->data += taken;
    rest->size -= taken;
    return piece;
}

static void compare(struct str pattern, struct str text, bool expected)
{
    struct regex *re = NULL;
    struct error err;
    enum status st = regex_create_matching(pattern, &re, &err);
    if (st) {
        ASSERT(!re && err.text[0] != '\0');
        return;
    }
    ASSERT(!name_is_utf8(text) || regex_matches(re, text) == expected);
    regex_destroy(re);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {.data = (const char *)data, .size = size};
    struct str pattern = take(&rest);
    struct str text = take(&rest);
    struct str out = {0};
    struct regex *re = NULL;
    struct arena a;
    struct error err;
    bool matched = false;
    if (regex_create(pattern, &re, &err) != OK) {
        ASSERT(!re && err.text[0] != '\0');
        return 0;
    }
    arena_init(&a, HEAP_QUERY, ARENA_BYTES);
    bool expected = regex_matches(re, text);
    if (regex_expand(re, text, rest, &a, &matched, &out, &err) == OK)
        ASSERT(matched == expected || !name_is_utf8(text));
    compare(pattern, text, expected);
    arena_release(&a);
    regex_destroy(re);
    return 0;
}
