/*
 * ints - writing: the common factor, then the order and bias that come out smallest.
 *
 * Sizes are estimated exactly, from the lengths in bits of the residuals of each block; only the
 * best order is written.
 */
#include "encoding/ints.h"
#include "encoding/ints_form.h"

#include "base/bits.h"
#include "base/endian.h"
#include "base/varint.h"

enum { SAMPLE_COUNT = 64, LOW_PARTS = 32 };

/* What an order would cost, and its parameters. */
struct plan {
    uint32_t order;
    uint64_t bias;
    uint64_t slope;
    uint64_t bytes;
};

/* How to write a block. */
struct block_plan {
    uint32_t width;
    uint32_t patches;
    uint32_t patch_width; /* position included */
    uint32_t bytes;
};

static uint32_t varint_bytes(uint64_t v)
{
    return (bits_length(v | 1) + 6) / 7;
}

/* The width that takes the least bytes, patches included. */
static struct block_plan plan_block(const uint64_t *r, uint32_t count, uint64_t bias)
{
    uint32_t of_length[65] = {0};
    uint32_t longest = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bits = bits_length(r[i] - bias);
        of_length[bits]++;
        if (bits > longest) longest = bits;
    }
    struct block_plan best = {.width = longest, .bytes = 1 + (count * longest + 7) / 8};
    uint32_t patches = 0;
    for (uint32_t width = longest; width-- > 0;) {
        patches += of_length[width + 1];
        uint32_t patch_width = longest - width + INTS_POSITION_BITS;
        if (patch_width > 64) break;
        uint32_t bytes = 3 + (count * width + 7) / 8 + (patches * patch_width + 7) / 8;
        if (bytes < best.bytes)
            best = (struct block_plan){
                .width = width, .patches = patches, .patch_width = patch_width, .bytes = bytes};
        if (patches * INTS_POSITION_BITS > best.bytes * 8) break; /* narrower is only worse */
    }
    return best;
}

/* Bytes of all blocks, or as far as it takes to see that they are not less than so many. */
static uint64_t plan_blocks(const uint64_t *r, uint32_t count, uint64_t bias, uint64_t least)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count && bytes < least; i += BLOCK_COUNT)
        bytes += plan_block(r + i, count - i < BLOCK_COUNT ? count - i : BLOCK_COUNT, bias).bytes;
    return bytes;
}

static uint64_t smallest(const uint64_t *r, uint32_t count)
{
    int64_t least = (int64_t)r[0];
    for (uint32_t i = 1; i < count; i++)
        if ((int64_t)r[i] < least) least = (int64_t)r[i];
    return (uint64_t)least;
}

/* A residual that about a 32nd of them are below, from a sample. */
static uint64_t low(const uint64_t *r, uint32_t count)
{
    enum { KEPT = SAMPLE_COUNT / LOW_PARTS + 1 };
    int64_t lowest[KEPT];
    uint32_t kept = 0;
    uint32_t step = count / SAMPLE_COUNT + 1;
    for (uint32_t i = 0; i < count; i += step) {
        int64_t moving = (int64_t)r[i];
        for (uint32_t j = 0; j < kept; j++) {
            if (moving >= lowest[j]) continue;
            int64_t next = lowest[j];
            lowest[j] = moving;
            moving = next;
        }
        if (kept < KEPT) lowest[kept++] = moving;
    }
    return (uint64_t)lowest[kept - 1];
}

/* The best bias for count (> 0) residuals, if that takes less than so many bytes. */
static struct plan plan_order(uint32_t order, const uint64_t *r, uint32_t count, uint64_t least)
{
    struct plan plan = {.order = order, .bias = smallest(r, count)};
    plan.bytes = plan_blocks(r, count, plan.bias, least);
    uint64_t other = low(r, count);
    if (other != plan.bias) {
        uint64_t bytes = plan_blocks(r, count, other, plan.bytes < least ? plan.bytes : least);
        if (bytes < plan.bytes) {
            plan.bytes = bytes;
            plan.bias = other;
        }
    }
    if (plan.bias) plan.bytes += varint_bytes(bits_zigzag((int64_t)plan.bias));
    return plan;
}

/* In place, from the back: r[i] -= r[i - 1]; the first one is left. */
static void differences(uint64_t *r, uint32_t count)
{
    for (uint32_t i = count; i-- > 1;)
        r[i] -= r[i - 1];
}

/* Residuals of x[1 ..] in this order; *slope is set for order 2. */
static void residuals_of(const uint64_t *x, uint32_t count, uint32_t order, uint64_t *slope,
                         uint64_t *r)
{
    for (uint32_t i = 1; i < count; i++)
        r[i - 1] = order == 0 ? x[i] : x[i] - x[i - 1];
    *slope = 0;
    if (order < 2) return;
    uint64_t first = r[0];
    differences(r, count - 1);
    r[0] = count > 2 ? r[1] : 0; /* any will do: the slope makes up for it */
    *slope = first - r[0];
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The greatest common factor of all x; 1 when they are all 0. */
static uint64_t factor_of(const uint64_t *x, uint32_t count)
{
    uint64_t factor = 0;
    for (uint32_t i = 1; i < count && factor != 1; i++) {
        int64_t v = (int64_t)x[i];
        uint64_t magnitude = v < 0 ? -(uint64_t)v : (uint64_t)v;
        factor = factor ? gcd(factor, magnitude % factor) : magnitude;
    }
    return factor && factor <= INT64_MAX ? factor : 1;
}

static uint64_t varints_bytes(const uint64_t *x, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 1; i < count; i++)
        bytes += varint_bytes(bits_zigzag((int64_t)(x[i] - x[i - 1])));
    return bytes;
}

static uint8_t *put_varint(uint8_t *at, uint64_t v)
{
    return at + varint_encode(at, v);
}

static uint8_t *put_signed(uint8_t *at, uint64_t v)
{
    return put_varint(at, bits_zigzag((int64_t)v));
}

static void put_head(const struct plan *plan, uint64_t first, uint64_t factor, bool varints,
                     struct buf *out)
{
    uint8_t *start = buf_reserve(out, 1 + 4 * VARINT_BYTES_MAX);
    if (!start) return;
    uint8_t *at = start + 1;
    at = put_signed(at, first);
    if (factor != 1) at = put_varint(at, factor);
    if (plan->order == 2) at = put_signed(at, plan->slope);
    if (plan->bias) at = put_signed(at, plan->bias);
    *start = (uint8_t)(plan->order | (varints ? INTS_VARINTS : 0) |
                       (factor != 1 ? INTS_HAS_FACTOR : 0) | (plan->bias ? INTS_HAS_BIAS : 0));
    out->size += (size_t)(at - start);
}

static void put_varints(const uint64_t *x, uint32_t count, struct buf *out)
{
    for (uint32_t i = 1; i < count; i++) {
        uint8_t *at = buf_reserve(out, VARINT_BYTES_MAX);
        if (!at) return;
        out->size += (size_t)(put_signed(at, x[i] - x[i - 1]) - at);
    }
}

/* OR `width` bits in at bit `bit` of zeroed bytes; up to 9 bytes are touched. */
static void put_bits(uint8_t *at, uint32_t bit, uint64_t v, uint32_t width)
{
    uint8_t *byte = at + bit / 8;
    uint32_t shift = bit % 8;
    put_le64(byte, get_le64(byte) | v << shift);
    if (shift > 0 && shift + width > 64) byte[8] |= (uint8_t)(v >> (64 - shift));
}

static void put_block(const uint64_t *r, uint32_t count, uint64_t bias, struct buf *out)
{
    enum { HEAD_BYTES = 3, TOUCHED_BYTES = 9 };
    struct block_plan plan = plan_block(r, count, bias);
    uint8_t *start = buf_reserve(out, plan.bytes + HEAD_BYTES + 2 * TOUCHED_BYTES);
    if (!start) return;
    memset(start, 0, plan.bytes + HEAD_BYTES + 2 * TOUCHED_BYTES);
    uint8_t *at = start;
    *at++ = (uint8_t)(plan.width | (plan.patches ? INTS_PATCHED : 0));
    if (plan.patches) {
        *at++ = (uint8_t)plan.patches;
        *at++ = (uint8_t)plan.patch_width;
    }
    uint64_t mask = plan.width < 64 ? (UINT64_C(1) << plan.width) - 1 : UINT64_MAX;
    uint8_t *patches = at + (count * plan.width + 7) / 8;
    uint32_t patch_bit = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t v = r[i] - bias;
        if (plan.width) put_bits(at, i * plan.width, v & mask, plan.width);
        if (!(v & ~mask)) continue;
        put_bits(patches, patch_bit, v >> plan.width << INTS_POSITION_BITS | i, plan.patch_width);
        patch_bit += plan.patch_width;
    }
    out->size += plan.bytes;
}

void ints_encode(uint64_t *x, uint32_t count, uint64_t *residuals, struct buf *out)
{
    uint64_t first = x[0];
    /* The order that most columns have comes first: the others are given up early. */
    static const uint8_t orders[] = {1, 0, 2};
    struct plan best = {.bytes = UINT64_MAX};
    for (uint32_t i = 0; i < count; i++)
        x[i] -= first;
    uint64_t factor = factor_of(x, count);
    if (factor != 1)
        for (uint32_t i = 0; i < count; i++)
            x[i] = (uint64_t)((int64_t)x[i] / (int64_t)factor);
    for (uint32_t i = 0; i <= INTS_ORDER_MAX && count > 1; i++) {
        uint64_t slope;
        residuals_of(x, count, orders[i], &slope, residuals);
        struct plan plan = plan_order(orders[i], residuals, count - 1, best.bytes);
        plan.slope = slope;
        if (orders[i] == 2) plan.bytes += varint_bytes(bits_zigzag((int64_t)slope));
        if (plan.bytes < best.bytes) best = plan;
    }
    bool varints = count <= INTS_VARINTS_MAX && varints_bytes(x, count) <= best.bytes;
    if (varints) {
        put_head(&(struct plan){.order = 1}, first, factor, true, out);
        put_varints(x, count, out);
        return;
    }
    put_head(&best, first, factor, false, out);
    residuals_of(x, count, best.order, &best.slope, residuals);
    for (uint32_t i = 0; i + 1 < count; i += BLOCK_COUNT) {
        uint32_t left = count - 1 - i;
        put_block(residuals + i, left < BLOCK_COUNT ? left : BLOCK_COUNT, best.bias, out);
    }
}
