/* heap_view: defaults, bounds, and words for what is wrong. */
#include "server/heap_view.h"

#include <string.h>

#include "alloc/arena.h"
#include "tests/unit/suite.h"

static struct arena mem;
static struct error err;

static struct form form_of(const char *text)
{
    struct form form = {0};
    ck_assert_int_eq(form_parse(&form, str_from(text), &mem, &err), OK);
    return form;
}

static struct heap_view view_of(const char *text)
{
    struct form form = form_of(text);
    struct heap_view view;
    ck_assert_int_eq(heap_view_read(&form, &view, &err), OK);
    return view;
}

static void expect_refused(const char *text, const char *words)
{
    struct form form = form_of(text);
    struct heap_view view;
    ck_assert_int_eq(heap_view_read(&form, &view, &err), ERR_INVALID);
    ck_assert_msg(strstr(err.text, words) != NULL, "\"%s\" lacks \"%s\"", err.text, words);
}

START_TEST(a_view_is_a_range_with_bounds)
{
    arena_init(&mem, HEAP_HTTP, 1 << 20);
    struct heap_view view = view_of("");
    ck_assert(!view.spans);
    view = view_of("detail=spans");
    ck_assert(view.spans && view.from == 1 && view.end == 1 + HEAP_VIEW_PAGES_DEFAULT);
    view = view_of("detail=spans&from=0&pages=1");
    ck_assert(view.spans && view.from == 0 && view.end == 1);
    view = view_of("from=4294901759&pages=65536");
    ck_assert_uint_eq(view.end, UINT32_MAX);
    expect_refused("detail=all", "\"detail\": only spans");
    expect_refused("pages=0", "\"pages\": must be between 1 and 65536");
    expect_refused("pages=65537", "\"pages\"");
    expect_refused("from=4294901760", "\"from\": must be at most 4294901759");
    expect_refused("from=-1", "\"from\"");
    arena_release(&mem);
}
END_TEST

START_TEST(bytes_are_all_there_is_or_a_positive_number)
{
    arena_init(&mem, HEAP_HTTP, 1 << 20);
    uint64_t bytes;
    struct form form = form_of("");
    ck_assert_int_eq(heap_view_read_bytes(&form, &bytes, &err), OK);
    ck_assert_uint_eq(bytes, UINT64_MAX);
    form = form_of("bytes=4096");
    ck_assert_int_eq(heap_view_read_bytes(&form, &bytes, &err), OK);
    ck_assert_uint_eq(bytes, 4096);
    form = form_of("bytes=0");
    ck_assert_int_eq(heap_view_read_bytes(&form, &bytes, &err), ERR_INVALID);
    arena_release(&mem);
}
END_TEST

SUITE(heap_view, a_view_is_a_range_with_bounds, bytes_are_all_there_is_or_a_positive_number)
