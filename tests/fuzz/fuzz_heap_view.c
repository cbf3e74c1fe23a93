/* links: server */
/*
 * fuzz_heap_view - any query string of /debug/heap and /debug/heap/release is refused with words,
 * or asks for something that is within bounds.
 */
#include "base/assert.h"
#include "server/heap_view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 1 << 20 };

static void check_view(const struct form *form)
{
    struct heap_view view;
    struct error err = {0};
    if (heap_view_read(form, &view, &err) != OK) {
        ASSERT(err.status == ERR_INVALID && err.text[0] != '\0');
        return;
    }
    ASSERT(view.from < view.end && view.end - view.from <= HEAP_VIEW_PAGES_MAX);
    ASSERT(view.spans == form_has(form, STR("detail")));
}

static void check_bytes(const struct form *form)
{
    uint64_t bytes;
    struct error err = {0};
    if (heap_view_read_bytes(form, &bytes, &err) == OK)
        ASSERT(bytes > 0);
    else
        ASSERT(err.status == ERR_INVALID && err.text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = {.data = (const char *)data, .size = size};
    struct form form = {0};
    struct arena a;
    struct error err;
    arena_init(&a, HEAP_HTTP, ARENA_BYTES);
    if (form_parse(&form, input, &a, &err) == OK) {
        check_view(&form);
        check_bytes(&form);
    }
    arena_release(&a);
    return 0;
}
