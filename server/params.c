/* params - Go's FormValue and Prometheus' parse functions. */
#include "server/params.h"

#include <string.h>
#include <strings.h>

#include "promql/parser.h"
#include "wire/api_time.h"

static bool is_type(struct str content_type, const char *type)
{
    size_t size = strlen(type);
    if (content_type.size < size || strncasecmp(content_type.data, type, size) != 0) return false;
    return content_type.size == size || content_type.data[size] == ';' ||
           content_type.data[size] == ' ';
}

/* A form in another type would be overlooked, and the answer be to another question. */
static enum status read_body(struct request *req, struct form *form, struct error *err)
{
    if (is_type(req->content_type, "multipart/form-data"))
        return error_set(err, ERR_INVALID,
                         "multipart/form-data is not read, send application/x-www-form-urlencoded");
    if (!is_type(req->content_type, "application/x-www-form-urlencoded")) return OK;
    return form_parse(form, req->body, &req->mem, err);
}

enum status params_read(struct request *req, struct form *form, struct error *err)
{
    enum status st = OK;
    *form = req->form;
    if (req->form_is_read) return OK;
    if (req->method == HTTP_POST || req->method == HTTP_PUT) st = read_body(req, form, err);
    if (!st) st = form_parse(form, req->query, &req->mem, err);
    if (st) return error_wrap(err, "error parsing form values: ");
    req->form = *form;
    req->form_is_read = true;
    return OK;
}

static enum status invalid(struct error *err, const char *name)
{
    return error_wrap(err, "invalid parameter \"%s\": ", name);
}

enum status params_required_time(const struct form *form, const char *name, int64_t *out_ms,
                                 struct error *err)
{
    enum status st = api_time_parse(form_get(form, str_from(name)), out_ms, err);
    return st ? invalid(err, name) : OK;
}

enum status params_time(const struct form *form, const char *name, int64_t fallback_ms,
                        int64_t *out_ms, struct error *err)
{
    struct str text = form_get(form, str_from(name));
    *out_ms = fallback_ms;
    if (text.size == 0) return OK;
    enum status st = api_time_parse(text, out_ms, err);
    if (!st) return OK;
    error_wrap(err, "invalid time value for '%s': ", name);
    return invalid(err, name);
}

enum status params_duration(const struct form *form, const char *name, int64_t *out_ms,
                            struct error *err)
{
    enum status st = api_duration_parse(form_get(form, str_from(name)), out_ms, err);
    return st ? invalid(err, name) : OK;
}

/* As Go's Atoi, the value without its sign. NULL, or in its words why not. */
static const char *read_number(struct str text, bool *negative, uint64_t *value)
{
    *value = 0;
    *negative = text.data[0] == '-';
    bool has_sign = *negative || text.data[0] == '+';
    bool overflows = false;
    if (has_sign && text.size == 1) return "invalid syntax";
    for (size_t i = has_sign; i < text.size; i++) {
        unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';
        if (digit > 9) return "invalid syntax";
        overflows = overflows || __builtin_mul_overflow(*value, UINT64_C(10), value) ||
                    __builtin_add_overflow(*value, (uint64_t)digit, value) ||
                    *value > (uint64_t)INT64_MAX + *negative;
    }
    return overflows ? "value out of range" : NULL;
}

enum status params_count(const struct form *form, const char *name, uint64_t fallback,
                         uint64_t *out, struct error *err)
{
    struct str text = form_get(form, str_from(name));
    bool negative;
    *out = fallback;
    if (text.size == 0) return OK;
    uint64_t value;
    const char *why = read_number(text, &negative, &value);
    if (why) {
        error_set(err, ERR_INVALID, "strconv.Atoi: parsing %s: %s", LOG_TEXT(text), why);
        return invalid(err, name);
    }
    if (negative && value > 0) {
        error_set(err, ERR_INVALID, "%s must be non-negative", name);
        return invalid(err, name);
    }
    *out = value;
    return OK;
}

enum status params_number(const struct form *form, const char *name, struct error *err)
{
    struct str text = form_get(form, str_from(name));
    bool negative;
    uint64_t value;
    if (text.size == 0 || !read_number(text, &negative, &value)) return OK;
    return error_set(err, ERR_INVALID, "%s must be a number", name);
}

enum status params_selectors(const struct form *form, struct arena *a, struct params_selectors *out,
                             struct error *err)
{
    struct str *texts;
    size_t count;
    *out = (struct params_selectors){0};
    enum status st = form_get_all(form, STR("match[]"), a, &texts, &count, err);
    if (st || count == 0) return st;
    out->items = arena_calloc(a, count, sizeof(out->items[0]));
    if (!out->items) return arena_error(a, err);
    for (size_t i = 0; i < count; i++) {
        st = parse_selector(texts[i], a, &out->items[i].matchers, &out->items[i].count, err);
        if (st) return st == ERR_INVALID ? invalid(err, "match[]") : st;
        out->count++;
    }
    return OK;
}

void params_release_selectors(struct params_selectors *selectors)
{
    for (size_t i = 0; i < selectors->count; i++)
        for (size_t m = 0; m < selectors->items[i].count; m++)
            matcher_release(&selectors->items[i].matchers[m]);
    selectors->count = 0;
}
