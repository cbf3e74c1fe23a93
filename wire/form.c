/* form - cut at &, cut at the first =, decode both sides: as Go's net/url does it. */
#include "wire/form.h"

#include "base/log.h"

/* How many bytes text decodes to; its own size when there is nothing to decode. */
static enum status measure(struct str text, bool plus_is_space, size_t *size, bool *plain,
                           struct error *err)
{
    *size = text.size;
    *plain = true;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '+' && plus_is_space) *plain = false;
        if (text.data[i] != '%') continue;
        size_t left = text.size - i;
        if (left < 3 || str_hex_digit(text.data[i + 1]) > 15 ||
            str_hex_digit(text.data[i + 2]) > 15) {
            struct str bad = {.data = text.data + i, .size = left < 3 ? left : 3};
            return error_set(err, ERR_INVALID, "invalid URL escape %s", LOG_TEXT(bad));
        }
        *plain = false;
        *size -= 2;
        i += 2;
    }
    return OK;
}

enum status form_unescape(struct str text, bool plus_is_space, struct arena *a, struct str *out,
                          struct error *err)
{
    size_t size;
    bool plain;
    enum status st = measure(text, plus_is_space, &size, &plain, err);
    if (st) return st;
    *out = text;
    if (plain) return OK;
    char *data = arena_alloc(a, size);
    if (!data) return arena_error(a, err);
    size_t from = 0;
    for (size_t i = 0; i < size; i++) {
        char c = text.data[from++];
        if (c == '%') {
            c = (char)(str_hex_digit(text.data[from]) * 16 + str_hex_digit(text.data[from + 1]));
            from += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        data[i] = c;
    }
    *out = (struct str){.data = data, .size = size};
    return OK;
}

/* The piece of *rest up to c, and *rest behind c; everything when c is not there. */
static struct str cut(struct str *rest, char c)
{
    const char *found = rest->size > 0 ? memchr(rest->data, c, rest->size) : NULL;
    struct str piece = *rest;
    if (!found) {
        *rest = (struct str){.data = NULL, .size = 0};
        return piece;
    }
    piece.size = (size_t)(found - rest->data);
    rest->data = found + 1;
    rest->size -= piece.size + 1;
    return piece;
}

static enum status add(struct form *form, struct str piece, struct arena *a, struct error *err)
{
    struct form_parameter p;
    if (memchr(piece.data, ';', piece.size))
        return error_set(err, ERR_INVALID, "invalid semicolon separator in query");
    if (form->count == FORM_PARAMETERS_MAX)
        return error_set(err, ERR_TOO_LARGE, "more than %d parameters", FORM_PARAMETERS_MAX);
    struct str name = cut(&piece, '=');
    enum status st = form_unescape(name, true, a, &p.name, err);
    if (st) return st;
    st = form_unescape(piece, true, a, &p.value, err);
    if (st) return st;
    struct form_parameter *slot = VEC_PUSH(form, a);
    if (!slot) return arena_error(a, err);
    *slot = p;
    return OK;
}

enum status form_parse(struct form *form, struct str text, struct arena *a, struct error *err)
{
    while (text.size > 0) {
        struct str piece = cut(&text, '&');
        if (piece.size == 0) continue;
        enum status st = add(form, piece, a, err);
        if (st) return st;
    }
    return OK;
}

static const struct form_parameter *find(const struct form *form, struct str name)
{
    for (size_t i = 0; i < form->count; i++) {
        if (str_equal(form->items[i].name, name)) return &form->items[i];
    }
    return NULL;
}

struct str form_get(const struct form *form, struct str name)
{
    const struct form_parameter *p = find(form, name);
    return p ? p->value : STR("");
}

bool form_has(const struct form *form, struct str name)
{
    return find(form, name) != NULL;
}

enum status form_get_all(const struct form *form, struct str name, struct arena *a,
                         struct str **out, size_t *count, struct error *err)
{
    size_t found = 0;
    for (size_t i = 0; i < form->count; i++)
        found += str_equal(form->items[i].name, name);
    struct str *values = arena_alloc_array(a, found, sizeof(*values));
    if (!values) return arena_error(a, err);
    *out = values;
    *count = found;
    for (size_t i = 0; i < form->count; i++) {
        if (str_equal(form->items[i].name, name)) *values++ = form->items[i].value;
    }
    return OK;
}
