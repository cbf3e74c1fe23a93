/*
 * values - writing: try what may be good, keep what is smallest.
 */
#include "encoding/values.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/endian.h"
#include "base/varint.h"
#include "encoding/decimal.h"
#include "encoding/ints.h"
#include "encoding/values_form.h"

enum {
    STRAY_PARTS = 16,   /* of the numbers, one in so many may be no decimal */
    RAW_WORTH_BYTES = 5 /* a number of a decimal column; longer ones may be shorter as bits */
};

/* The numbers of one column, and scratch for it. */
struct numbers {
    const uint64_t *bits; /* of the doubles */
    uint64_t *x;          /* [count] */
    uint64_t *residuals;  /* [count] */
    uint32_t count;
};

/* How many numbers have no mantissa at this scale; stops behind `most`. */
static uint32_t count_misses(const struct numbers *n, uint32_t scale, uint32_t most)
{
    const struct decimal_scale *s = decimal_scale(scale);
    uint32_t misses = 0;
    int64_t m;
    for (uint32_t i = 0; i < n->count && misses <= most; i++)
        misses += !decimal_exact(s, bits_to_double(n->bits[i]), &m);
    return misses;
}

/* How many have no mantissa at any scale. */
static uint32_t count_strays(const struct numbers *n)
{
    uint32_t strays = 0;
    for (uint32_t i = 0; i < n->count; i++)
        strays += !decimal_may_be(n->bits[i]);
    return strays;
}

/* The smallest scale that fits nearly all; DECIMAL_SCALES: there is none. A few digits more are
 * taken when they leave fewer strays. */
static uint32_t find_scale(const struct numbers *n, uint32_t *misses)
{
    const uint32_t unavoidable = count_strays(n);
    const uint32_t most = n->count / STRAY_PARTS + unavoidable;
    uint32_t best = DECIMAL_SCALES;
    *misses = most;
    for (uint32_t scale = 0; scale < DECIMAL_SCALES; scale = decimal_next_scale(scale)) {
        uint32_t missed = count_misses(n, scale, *misses);
        if (missed < *misses || (missed == *misses && best == DECIMAL_SCALES)) {
            best = scale;
            *misses = missed;
        }
        if (best != DECIMAL_SCALES && *misses == unavoidable) break;
    }
    return best;
}

/* The scale whose nearest decimals are nearest, each digit of them counted in; false: there is
 * none.
 */
static bool find_near_scale(const struct numbers *n, uint32_t *near)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t scale = 0; scale <= DECIMAL_EXPONENT_MAX; scale++) {
        const struct decimal_scale *s = decimal_scale(scale);
        uint64_t bits = (uint64_t)n->count * scale * 10 / 3;
        uint32_t i = 0;
        for (; i < n->count; i++) {
            int64_t m;
            if (!decimal_nearest(s, bits_to_double(n->bits[i]), &m)) break;
            uint64_t distance = n->bits[i] - bits_from_double(decimal_value(s, m));
            bits += 64 - (uint32_t)__builtin_clzll(bits_zigzag((int64_t)distance) | 1);
            if (bits >= least) break;
        }
        if (i < n->count) continue;
        least = bits;
        *near = scale;
    }
    return least != UINT64_MAX;
}

static void put_strays(const struct numbers *n, uint32_t scale, uint32_t strays, struct buf *out)
{
    const struct decimal_scale *s = decimal_scale(scale);
    uint8_t *start = buf_reserve(out, VARINT_BYTES_MAX + (size_t)strays * (VARINT_BYTES_MAX + 8));
    uint32_t last = 0;
    int64_t m;
    if (!start) return;
    uint8_t *at = start + varint_encode(start, strays);
    for (uint32_t i = 0; i < n->count; i++) {
        if (decimal_exact(s, bits_to_double(n->bits[i]), &m)) continue;
        at += varint_encode(at, i - last);
        put_le64(at, n->bits[i]);
        at += 8;
        last = i;
    }
    out->size += (size_t)(at - start);
}

/* Mantissas of all that have one; the others repeat the one before them. */
static void put_decimals(const struct numbers *n, uint32_t scale, uint32_t strays, struct buf *out)
{
    const struct decimal_scale *s = decimal_scale(scale);
    int64_t m = 0;
    uint32_t first = 0;
    while (first + 1 < n->count && !decimal_exact(s, bits_to_double(n->bits[first]), &m))
        first++;
    for (uint32_t i = 0; i < n->count; i++) {
        int64_t exact;
        if (decimal_exact(s, bits_to_double(n->bits[i]), &exact)) m = exact;
        n->x[i] = (uint64_t)m;
    }
    buf_append_byte(out, (uint8_t)scale);
    ints_encode(n->x, n->count, n->residuals, out);
    if (strays) put_strays(n, scale, strays, out);
}

static void put_near(const struct numbers *n, uint32_t scale, struct buf *out)
{
    const struct decimal_scale *s = decimal_scale(scale);
    int64_t m = 0;
    for (uint32_t i = 0; i < n->count; i++) {
        if (decimal_nearest(s, bits_to_double(n->bits[i]), &m)) n->x[i] = (uint64_t)m;
    }
    buf_append_byte(out, (uint8_t)scale);
    ints_encode(n->x, n->count, n->residuals, out);
    for (uint32_t i = 0; i < n->count; i++) {
        if (decimal_nearest(s, bits_to_double(n->bits[i]), &m))
            n->x[i] = n->bits[i] - bits_from_double(decimal_value(s, m));
    }
    ints_encode(n->x, n->count, n->residuals, out);
}

static void put_raw(const struct numbers *n, struct buf *out)
{
    memcpy(n->x, n->bits, n->count * sizeof(*n->x));
    ints_encode(n->x, n->count, n->residuals, out);
}

/* Of two attempts, one behind the other from `first` and from `second` on, keep the shorter one.
 * Returns whether that is the second. */
static bool keep_shorter(struct buf *out, size_t first, size_t second)
{
    size_t size = out->size - second;
    if (size >= second - first) {
        out->size = second;
        return false;
    }
    memmove(out->data + first, out->data + second, size);
    out->size = first + size;
    return true;
}

/* Append the numbers; returns their part of the form. */
static uint8_t put_numbers(const struct numbers *n, struct buf *out)
{
    uint32_t misses;
    uint8_t form = VALUES_RAW;
    size_t start = out->size;
    uint32_t scale = find_scale(n, &misses);
    if (scale != DECIMAL_SCALES && misses < n->count) {
        form = VALUES_DECIMAL | (misses ? VALUES_STRAYS : 0);
        put_decimals(n, scale, misses, out);
    } else if (find_near_scale(n, &scale)) {
        form = VALUES_DECIMAL_NEAR;
        put_near(n, scale, out);
    }
    size_t raw_start = out->size;
    if (raw_start - start < (size_t)n->count * RAW_WORTH_BYTES && form != VALUES_RAW) return form;
    put_raw(n, out);
    if (form == VALUES_RAW || out->refused) return VALUES_RAW;
    return keep_shorter(out, start, raw_start) ? VALUES_RAW : form;
}

/* The changes: numbers[0] is the first value, changes[i] where numbers[i + 1] starts. */
struct changes {
    uint64_t *numbers;
    uint64_t *positions;
    uint32_t count; /* of the positions */
};

static void find_changes(const double *v, uint32_t count, struct changes *c)
{
    uint64_t last = bits_from_double(v[0]);
    c->numbers[0] = last;
    c->count = 0;
    for (uint32_t i = 1; i < count; i++) {
        uint64_t bits = bits_from_double(v[i]);
        c->positions[c->count] = i;
        c->numbers[c->count + 1] = bits;
        c->count += bits != last;
        last = bits;
    }
}

static void put_constant(uint64_t bits, struct buf *out)
{
    uint8_t *at = buf_reserve(out, 1 + VARINT_BYTES_MAX);
    int64_t m;
    if (!at) return;
    if (decimal_exact(decimal_scale(0), bits_to_double(bits), &m)) {
        *at = VALUES_CONSTANT;
        out->size += 1 + varint_encode(at + 1, bits_zigzag(m));
    } else {
        *at = VALUES_CONSTANT | VALUES_RAW;
        put_le64(at + 1, bits);
        out->size += 9;
    }
}

static void put_bitmap(const struct changes *c, uint32_t count, struct buf *out)
{
    size_t bytes = (count - 1 + 7) / 8;
    uint8_t *map = buf_reserve(out, bytes);
    if (!map) return;
    memset(map, 0, bytes);
    for (uint32_t i = 0; i < c->count; i++) {
        uint64_t bit = c->positions[i] - 1;
        map[bit / 8] |= (uint8_t)(1u << bit % 8);
    }
    out->size += bytes;
}

/* The positions of the changes, in the shorter form; returns which. */
static uint8_t put_positions(const struct changes *c, uint32_t count, const struct numbers *scratch,
                             struct buf *out)
{
    uint8_t head[VARINT_BYTES_MAX];
    size_t start = out->size;
    size_t bitmap_bytes = (count - 1 + 7) / 8;
    memcpy(scratch->x, c->positions, c->count * sizeof(*scratch->x));
    buf_append(out, head, varint_encode(head, c->count));
    ints_encode(scratch->x, c->count, scratch->residuals, out);
    if (out->size - start <= bitmap_bytes) return VALUES_GAPS;
    out->size = start;
    put_bitmap(c, count, out);
    return VALUES_BITMAP;
}

static void set_form(struct buf *out, size_t start, uint8_t form)
{
    if (!out->refused) out->data[start] = form;
}

static void put_sparse(const struct changes *c, uint32_t count, struct numbers *n, struct buf *out)
{
    size_t start = out->size;
    buf_append_byte(out, 0);
    uint8_t form = put_positions(c, count, n, out);
    n->bits = c->numbers;
    n->count = c->count + 1;
    form |= put_numbers(n, out);
    set_form(out, start, form);
}

static void put_dense(const double *v, uint32_t count, struct numbers *n, struct buf *out)
{
    size_t start = out->size;
    buf_append_byte(out, 0);
    n->bits = (const uint64_t *)(const void *)v;
    n->count = count;
    uint8_t form = put_numbers(n, out);
    set_form(out, start, form);
}

enum status values_encode(const double *v, uint32_t count, struct arena *scratch, struct buf *out)
{
    struct arena_mark mark = arena_mark(scratch);
    DEBUG_ASSERT(count > 0);
    uint64_t *words = arena_alloc_array(scratch, 4 * (size_t)count, sizeof(*words));
    if (!words) return scratch->refused;
    struct changes changes = {.numbers = words, .positions = words + count};
    struct numbers numbers = {.x = words + 2 * (size_t)count,
                              .residuals = words + 3 * (size_t)count};
    size_t start = out->size;
    find_changes(v, count, &changes);
    if (changes.count == 0) {
        put_constant(changes.numbers[0], out);
    } else {
        bool dense = changes.count + 1 >= count / 4;
        if (dense) put_dense(v, count, &numbers, out);
        size_t second = out->size;
        if (!dense || changes.count + 1 < count) put_sparse(&changes, count, &numbers, out);
        if (dense && second < out->size && !out->refused) (void)keep_shorter(out, start, second);
    }
    arena_rewind(scratch, mark);
    return buf_status(out, NULL);
}
