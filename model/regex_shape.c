/* regex_shape - one walk over the pattern that gives up at the first sign of anything else. */
#include "model/regex_shape.h"

#include <ctype.h>
#include <stdlib.h>

#include "alloc/heap.h"
#include "base/assert.h"

/* A pattern being read; the literals are unescaped into shape->text as they come. */
struct walk {
    const char *at;
    const char *end;
    char *out;
};

static bool is_meta(char c)
{
    return c != '\0' && strchr("\\.+*?()|[]{}^$", c) != NULL;
}

static bool is_repeat(const struct walk *w)
{
    return w->at < w->end && *w->at != '\0' && strchr("*+?{", *w->at) != NULL;
}

/* Read the literal at w->at, which may be empty. */
static struct str take_literal(struct walk *w)
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
    return (struct str){.data = start, .size = (size_t)(w->out - start)};
}

static enum regex_rest take_rest(struct walk *w)
{
    if (w->end - w->at < 2 || w->at[0] != '.') return REST_NOTHING;
    enum regex_rest rest = REST_NOTHING;
    if (w->at[1] == '*') rest = REST_ANY;
    if (w->at[1] == '+') rest = REST_SOME;
    if (rest != REST_NOTHING) w->at += 2;
    return rest;
}

static int compare(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static void sort_and_unite(struct regex_shape *shape)
{
    size_t kept = 1;
    qsort(shape->literals, shape->count, sizeof(*shape->literals), compare);
    for (size_t i = 1; i < shape->count; i++) {
        if (!str_equal(shape->literals[i], shape->literals[kept - 1]))
            shape->literals[kept++] = shape->literals[i];
    }
    shape->count = kept;
}

static void find_form(struct regex_shape *shape, struct walk *w)
{
    bool grouped = w->end - w->at >= 2 && w->at[0] == '(' && w->end[-1] == ')';
    if (grouped) {
        w->at++;
        w->end--;
    }
    shape->before = take_rest(w);
    shape->literals[shape->count++] = take_literal(w);
    shape->behind = take_rest(w);
    if (is_repeat(w)) return;
    if (shape->before != REST_NOTHING || shape->behind != REST_NOTHING) {
        /* .*.+ would need the engine's care; so does a quantified or alternated rest. */
        bool overlaps = shape->literals[0].size == 0 && shape->behind != REST_NOTHING &&
                        shape->before != REST_NOTHING;
        if (w->at == w->end && !overlaps) shape->form = REGEX_AROUND;
        return;
    }
    while (w->at < w->end && *w->at == '|') {
        w->at++;
        shape->literals[shape->count++] = take_literal(w);
        if (is_repeat(w)) return;
    }
    if (w->at < w->end) return;
    sort_and_unite(shape);
    shape->form = REGEX_LITERALS;
}

enum status regex_shape_init(struct regex_shape *shape, struct str pattern, struct error *err)
{
    size_t literals_max = 1;
    for (size_t i = 0; i < pattern.size; i++)
        literals_max += pattern.data[i] == '|';
    *shape = (struct regex_shape){
        .form = REGEX_OTHER, .count_max = literals_max, .text_bytes = pattern.size};
    shape->text = heap_alloc(pattern.size, HEAP_QUERY);
    shape->literals = heap_alloc(literals_max * sizeof(*shape->literals), HEAP_QUERY);
    if (!shape->text || !shape->literals) {
        regex_shape_release(shape);
        return error_set(err, ERR_NO_MEMORY, "no memory for a regular expression");
    }
    if (pattern.size == 0) pattern = STR("");
    struct walk w = {pattern.data, pattern.data + pattern.size, shape->text};
    find_form(shape, &w);
    return OK;
}

void regex_shape_release(struct regex_shape *shape)
{
    heap_free(shape->text, shape->text_bytes, HEAP_QUERY);
    heap_free(shape->literals, shape->count_max * sizeof(*shape->literals), HEAP_QUERY);
    *shape = (struct regex_shape){.form = REGEX_OTHER};
}

static bool is_one_of(const struct regex_shape *shape, struct str text)
{
    return bsearch(&text, shape->literals, shape->count, sizeof(text), compare) != NULL;
}

static size_t least(enum regex_rest rest)
{
    return rest == REST_SOME ? 1 : 0;
}

static bool is_around(const struct regex_shape *shape, struct str text)
{
    struct str literal = shape->literals[0];
    size_t front = least(shape->before);
    size_t back = least(shape->behind);
    if (text.size < front + literal.size + back) return false;
    if (literal.size == 0) return true;
    if (shape->before == REST_NOTHING) return str_starts_with(text, literal);
    if (shape->behind == REST_NOTHING)
        return memcmp(text.data + text.size - literal.size, literal.data, literal.size) == 0;
    /* A character has a byte at least, and the literal starts at one: bytes are enough. */
    return memmem(text.data + front, text.size - front - back, literal.data, literal.size) != NULL;
}

bool regex_shape_matches(const struct regex_shape *shape, struct str text)
{
    ASSERT(shape->form != REGEX_OTHER);
    return shape->form == REGEX_LITERALS ? is_one_of(shape, text) : is_around(shape, text);
}
