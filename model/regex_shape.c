/* regex_shape - recursive descent that gives up at the first sign of anything else. */
#include "model/regex_shape.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/assert.h"

enum { ARENA_BYTES_MAX = 8 << 20 };

/* A pattern being read. */
struct walk {
    const char *at;
    const char *end;
    char *out; /* where the next literal goes; as large as the pattern */
    struct arena *arena;
    int depth; /* of groups */
};

struct part_list {
    struct regex_part *items; /* on the arena */
    size_t count;
    size_t capacity;
};

static bool is_meta(char c)
{
    return c != '\0' && strchr("\\.+*?()|[]{}^$", c) != NULL;
}

static bool is_repeat(const struct walk *w)
{
    return w->at < w->end && *w->at != '\0' && strchr("*+?{", *w->at) != NULL;
}

static bool is_next(const struct walk *w, char c)
{
    return w->at < w->end && *w->at == c;
}

static bool take(struct walk *w, char c)
{
    if (!is_next(w, c)) return false;
    w->at++;
    return true;
}

static bool list_add(struct part_list *list, struct regex_part part, struct arena *a)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 1;
        struct regex_part *items = arena_resize(a, list->items, list->capacity * sizeof(*items),
                                                capacity * sizeof(*items));
        if (!items) return false;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = part;
    return true;
}

static bool is_rest(const struct regex_part *part)
{
    return part->before != REST_NOTHING && part->literal.size == 0 && part->behind == REST_NOTHING;
}

static bool is_empty(const struct regex_part *part)
{
    return part->literal.size == 0 && part->before == REST_NOTHING && part->behind == REST_NOTHING;
}

static bool concatenate_texts(struct arena *a, struct str x, struct str y, struct str *out)
{
    char *text = arena_alloc(a, x.size + y.size);
    if (!text) return false;
    if (x.size) memcpy(text, x.data, x.size);
    if (y.size) memcpy(text + x.size, y.data, y.size);
    *out = (struct str){.data = text, .size = x.size + y.size};
    return true;
}

/* x becomes x, then y. false: that is no part (a.*b, .*.+), or there is no memory. */
static bool concatenate(struct arena *a, struct regex_part *x, const struct regex_part *y)
{
    if (is_empty(y)) return true;
    if (is_empty(x)) {
        *x = *y;
        return true;
    }
    if (x->behind != REST_NOTHING || (is_rest(x) && is_rest(y))) return false;
    if (is_rest(y)) {
        x->behind = y->before;
        return true;
    }
    x->behind = y->behind;
    return y->before == REST_NOTHING && concatenate_texts(a, x->literal, y->literal, &x->literal);
}

/* Every part of `list`, then every part of `next`. */
static bool multiply(struct walk *w, struct part_list *list, const struct part_list *next)
{
    struct part_list product = {0};
    if (list->count == 1 && next->count == 1)
        return concatenate(w->arena, &list->items[0], &next->items[0]);
    if (list->count * next->count > REGEX_SHAPE_PARTS_MAX) return false;
    for (size_t i = 0; i < list->count; i++) {
        for (size_t k = 0; k < next->count; k++) {
            struct regex_part part = list->items[i];
            if (!concatenate(w->arena, &part, &next->items[k])) return false;
            if (!list_add(&product, part, w->arena)) return false;
        }
    }
    *list = product;
    return true;
}

/* A literal as long as possible; a character that is repeated is not part of any. */
static bool take_literal(struct walk *w, struct part_list *out)
{
    char *start = w->out;
    while (w->at < w->end) {
        const char *from = w->at;
        bool escaped = *from == '\\' && from + 1 < w->end && ispunct((unsigned char)from[1]);
        if (is_meta(*from) && !escaped) break;
        if (escaped) from++;
        *w->out++ = *from;
        w->at = from + 1;
    }
    struct str text = {.data = start, .size = (size_t)(w->out - start)};
    return text.size > 0 && list_add(out, (struct regex_part){.literal = text}, w->arena);
}

static bool take_rest(struct walk *w, struct part_list *out)
{
    w->at++;
    enum regex_rest rest = is_next(w, '*') ? REST_ANY : REST_SOME;
    if (!take(w, '*') && !take(w, '+')) return false;
    return list_add(out, (struct regex_part){.before = rest}, w->arena);
}

static bool is_plain_in_class(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* One character of a class, or a range. */
static bool take_range(struct walk *w, struct part_list *out)
{
    char first = *w->at++;
    char last = first;
    if (!is_plain_in_class(first)) return false;
    if (w->end - w->at >= 2 && w->at[0] == '-' && w->at[1] != ']') {
        last = w->at[1];
        w->at += 2;
    }
    if (!is_plain_in_class(last) || last < first) return false;
    for (int c = (unsigned char)first; c <= (unsigned char)last; c++) {
        char *text = arena_alloc(w->arena, 1);
        if (!text) return false;
        *text = (char)c;
        if (!list_add(out, (struct regex_part){.literal = {text, 1}}, w->arena)) return false;
    }
    return true;
}

static bool take_class(struct walk *w, struct part_list *out)
{
    w->at++;
    do {
        if (w->at == w->end || !take_range(w, out)) return false;
    } while (!take(w, ']'));
    return true;
}

static bool take_alternation(struct walk *w, struct part_list *out);

static bool take_group(struct walk *w, struct part_list *out)
{
    w->at++;
    if (w->end - w->at >= 2 && w->at[0] == '?' && w->at[1] == ':') w->at += 2;
    if (++w->depth > REGEX_SHAPE_DEPTH_MAX || !take_alternation(w, out)) return false;
    w->depth--;
    return take(w, ')');
}

static bool take_item(struct walk *w, struct part_list *out)
{
    switch (*w->at) {
    case '.': return take_rest(w, out) && !is_repeat(w);
    case '[': return take_class(w, out) && !is_repeat(w);
    case '(': return take_group(w, out) && !is_repeat(w);
    default: return take_literal(w, out) && !is_repeat(w);
    }
}

static bool at_end_of_branch(const struct walk *w)
{
    return w->at == w->end || *w->at == '|' || *w->at == ')';
}

static bool take_branch(struct walk *w, struct part_list *out)
{
    if (!list_add(out, (struct regex_part){0}, w->arena)) return false;
    if (w->depth == 0 && take(w, '^') && is_repeat(w)) return false;
    while (!at_end_of_branch(w)) {
        struct part_list item = {0};
        if (w->depth == 0 && take(w, '$')) return w->at == w->end || *w->at == '|';
        if (!take_item(w, &item) || !multiply(w, out, &item)) return false;
    }
    return true;
}

/* Up to the end, or to a parenthesis that closes. */
static bool take_alternation(struct walk *w, struct part_list *out)
{
    do {
        struct part_list branch = {0};
        if (!take_branch(w, &branch)) return false;
        for (size_t i = 0; i < branch.count; i++)
            if (!list_add(out, branch.items[i], w->arena)) return false;
    } while (take(w, '|'));
    return true;
}

static int compare_parts(const void *a, const void *b)
{
    return str_compare(((const struct regex_part *)a)->literal,
                       ((const struct regex_part *)b)->literal);
}

static bool settle_literals(struct regex_shape *shape)
{
    size_t kept = 1;
    struct regex_part *parts = shape->parts;
    ASSERT(parts && shape->count > 0);
    qsort(parts, shape->count, sizeof(*parts), compare_parts);
    for (size_t i = 1; i < shape->count; i++) {
        if (!str_equal(parts[i].literal, parts[kept - 1].literal)) parts[kept++] = parts[i];
    }
    shape->count = kept;
    shape->literals = arena_alloc_array(&shape->arena, kept, sizeof(*shape->literals));
    for (size_t i = 0; shape->literals && i < kept; i++)
        shape->literals[i] = parts[i].literal;
    shape->form = REGEX_LITERALS;
    return shape->literals != NULL;
}

static bool has_rest(const struct regex_shape *shape)
{
    for (size_t i = 0; i < shape->count; i++) {
        const struct regex_part *part = &shape->parts[i];
        if (part->before != REST_NOTHING || part->behind != REST_NOTHING) return true;
    }
    return false;
}

static bool find_form(struct regex_shape *shape, struct str pattern)
{
    struct part_list list = {0};
    char *out = arena_alloc(&shape->arena, pattern.size);
    struct walk w = {pattern.data, pattern.data + pattern.size, out, &shape->arena, 0};
    if (!out || !take_alternation(&w, &list) || w.at != w.end) return false;
    shape->parts = list.items;
    shape->count = list.count;
    if (!has_rest(shape)) return settle_literals(shape);
    shape->form = REGEX_AROUND;
    return shape->count <= REGEX_SHAPE_PARTS_MAX;
}

enum status regex_shape_init(struct regex_shape *shape, struct str pattern, struct error *err)
{
    *shape = (struct regex_shape){.form = REGEX_OTHER};
    arena_init(&shape->arena, HEAP_QUERY, ARENA_BYTES_MAX);
    if (find_form(shape, pattern.size ? pattern : STR(""))) return OK;
    enum status refused = shape->arena.refused; /* too many parts are left to the engine */
    regex_shape_release(shape);
    if (refused != ERR_NO_MEMORY) return OK;
    return error_set(err, ERR_NO_MEMORY, "no memory for a regular expression");
}

void regex_shape_release(struct regex_shape *shape)
{
    arena_release(&shape->arena);
    *shape = (struct regex_shape){.form = REGEX_OTHER};
}

static bool is_one_of(const struct regex_shape *shape, struct str text)
{
    struct regex_part wanted = {.literal = text};
    return bsearch(&wanted, shape->parts, shape->count, sizeof(wanted), compare_parts) != NULL;
}

static size_t least(enum regex_rest rest)
{
    return rest == REST_SOME ? 1 : 0;
}

static bool is_around(const struct regex_part *part, struct str text)
{
    struct str literal = part->literal;
    size_t front = least(part->before);
    size_t back = least(part->behind);
    if (text.size < front + literal.size + back) return false;
    if (part->before == REST_NOTHING && part->behind == REST_NOTHING)
        return str_equal(text, literal);
    if (literal.size == 0) return true;
    if (part->before == REST_NOTHING) return str_starts_with(text, literal);
    if (part->behind == REST_NOTHING)
        return memcmp(text.data + text.size - literal.size, literal.data, literal.size) == 0;
    /* A character has a byte at least, and the literal starts at one: bytes are enough. */
    return memmem(text.data + front, text.size - front - back, literal.data, literal.size) != NULL;
}

bool regex_shape_matches(const struct regex_shape *shape, struct str text)
{
    ASSERT(shape->form != REGEX_OTHER);
    if (shape->form == REGEX_LITERALS) return is_one_of(shape, text);
    for (size_t i = 0; i < shape->count; i++) {
        if (is_around(&shape->parts[i], text)) return true;
    }
    return false;
}
