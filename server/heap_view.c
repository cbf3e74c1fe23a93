/* heap_view - three parameters and one. */
#include "server/heap_view.h"

#include "server/params.h"

enum status heap_view_read(const struct form *form, struct heap_view *out, struct error *err)
{
    uint64_t from = 0;
    uint64_t pages = 0;
    enum status st = params_count(form, "from", 1, &from, err);
    if (!st) st = params_count(form, "pages", HEAP_VIEW_PAGES_DEFAULT, &pages, err);
    if (st) return st;
    bool spans = form_has(form, STR("detail"));
    if (spans && !str_equal(form_get(form, STR("detail")), STR("spans")))
        return error_set(err, ERR_INVALID, "invalid parameter \"detail\": only spans is known");
    if (from > UINT32_MAX - HEAP_VIEW_PAGES_MAX)
        return error_set(err, ERR_INVALID, "invalid parameter \"from\": must be at most %u",
                         UINT32_MAX - HEAP_VIEW_PAGES_MAX);
    if (pages < 1 || pages > HEAP_VIEW_PAGES_MAX)
        return error_set(err, ERR_INVALID, "invalid parameter \"pages\": must be between 1 and %d",
                         HEAP_VIEW_PAGES_MAX);
    *out =
        (struct heap_view){.spans = spans, .from = (uint32_t)from, .end = (uint32_t)(from + pages)};
    return OK;
}

enum status heap_view_read_bytes(const struct form *form, uint64_t *out, struct error *err)
{
    uint64_t bytes = UINT64_MAX;
    enum status st = params_count(form, "bytes", UINT64_MAX, &bytes, err);
    if (st) return st;
    if (bytes == 0)
        return error_set(err, ERR_INVALID, "invalid parameter \"bytes\": must be positive");
    *out = bytes;
    return OK;
}
