/* ints - reading. Every byte is looked at before it is believed. */
#include "encoding/ints.h"

#include "base/bits.h"
#include "base/endian.h"
#include "base/varint.h"
#include "encoding/ints_form.h"

static bool take_varint(struct ints_reader *r, uint64_t *v)
{
    size_t bytes = varint_decode(r->at, r->end, v);
    r->at += bytes;
    return bytes > 0;
}

static bool take_signed(struct ints_reader *r, uint64_t *v)
{
    if (!take_varint(r, v)) return false;
    *v = (uint64_t)bits_unzigzag(*v);
    return true;
}

/* Steps are factor * r + bias, not below zero as long as nothing overflows: how many bits r may
 * have for that. false: steps are not what is stored, or the bias is below zero. */
static bool find_step_bits(struct ints_reader *r)
{
    enum { BITS = 61 }; /* the sum of two such products has less than 63 */
    const uint32_t factor_bits = bits_length(r->form.factor);
    if (r->form.order != 1 || bits_length(r->form.bias) + factor_bits > BITS) return false;
    r->step_bits = BITS - factor_bits;
    return true;
}

bool ints_open(struct ints_reader *r, const uint8_t *at, const uint8_t *end, uint32_t count)
{
    struct block_form *f = &r->form;
    r->kernels = block_kernels();
    r->at = at;
    r->end = end;
    r->left = count - 1;
    r->ascends = false;
    f->factor = 1;
    f->bias = f->sums[0] = f->sums[1] = 0;
    f->scale = BLOCK_INTEGERS;
    if (count == 0 || at == end) return false;
    uint8_t form = *r->at++;
    f->order = form & 3;
    r->varints = form & INTS_VARINTS;
    if (f->order > INTS_ORDER_MAX || form > INTS_FORM_BITS) return false;
    if (r->varints && f->order != 1) return false;
    if (!take_signed(r, &r->first)) return false;
    if (form & INTS_HAS_FACTOR && !take_varint(r, &f->factor)) return false;
    if (f->order == 2 && !take_signed(r, &f->sums[1])) return false;
    if (form & INTS_HAS_BIAS && !take_signed(r, &f->bias)) return false;
    r->ascends = find_step_bits(r);
    /* first + factor * x, of x and all that it is summed up from. */
    f->bias *= f->factor;
    f->sums[1] *= f->factor;
    if (f->order == 0)
        f->bias += r->first;
    else
        f->sums[0] = r->first;
    return true;
}

static uint32_t next_count(const struct ints_reader *r)
{
    return r->left < BLOCK_COUNT ? r->left : BLOCK_COUNT;
}

static bool next_varints(struct ints_reader *r, uint64_t *out, uint32_t count)
{
    uint64_t any = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t difference;
        if (!take_signed(r, &difference)) return false;
        any |= difference;
        out[i] = r->form.sums[0] += r->form.factor * difference;
    }
    r->ascends = r->ascends && bits_length(any) <= r->step_bits;
    if (r->form.scale != BLOCK_INTEGERS) r->kernels->decimals(out, count, r->form.scale);
    return true;
}

/* `width` bits from bit `bit` on; the bytes behind them are readable. */
static uint64_t bits_from(const uint8_t *at, uint32_t bit, uint32_t width)
{
    const uint8_t *byte = at + bit / 8;
    uint32_t shift = bit % 8;
    uint64_t v = get_le64(byte) >> shift;
    if (shift > 0 && shift + width > 64) v |= (uint64_t)byte[8] << (64 - shift);
    return width < 64 ? v & ((UINT64_C(1) << width) - 1) : v;
}

/* Put the bits above the width where they belong. */
static bool patch(uint64_t *out, uint32_t count, uint32_t width, const uint8_t *bytes,
                  uint32_t patches, uint32_t patch_width)
{
    for (uint32_t i = 0; i < patches; i++) {
        uint64_t entry = bits_from(bytes, i * patch_width, patch_width);
        uint32_t position = entry & (BLOCK_COUNT - 1);
        if (position >= count) return false;
        out[position] |= entry >> INTS_POSITION_BITS << width;
    }
    return true;
}

/* The bytes of a block that ends near the end, with what may be read behind it. Not inline, so that
 * copying few bytes is a call: where GCC knows a bound of their number, it takes string
 * instructions, which begin slowly. */
static NO_INLINE void copy_padded(uint8_t *to, const uint8_t *from, size_t size, size_t padded)
{
    memcpy(to, from, size);
    memset(to + size, 0, padded - size);
}

static bool next_block(struct ints_reader *r, uint64_t out[BLOCK_COUNT], uint32_t count)
{
    uint8_t near_end[BLOCK_BYTES_MAX];
    uint32_t patches = 0;
    uint32_t patch_width = 0;
    if (r->at == r->end) return false;
    uint8_t head = *r->at++;
    uint32_t width = head & (INTS_PATCHED - 1);
    if (width > 64) return false;
    if (head & INTS_PATCHED) {
        if (r->end - r->at < 2) return false;
        patches = *r->at++;
        patch_width = *r->at++;
        if (width == 64 || patch_width > 64 || patch_width <= INTS_POSITION_BITS) return false;
    }
    size_t left = (size_t)(r->end - r->at);
    size_t packed = (count * width + 7) / 8;
    size_t patched = (patches * patch_width + 7) / 8;
    if (packed + patched > left || patches > BLOCK_COUNT) return false;
    uint32_t above = patches ? patch_width - INTS_POSITION_BITS : 0;
    r->ascends = r->ascends && width + above <= r->step_bits;

    const uint8_t *from = r->at;
    const size_t readable = (size_t)8 * width + BLOCK_SLACK_BYTES;
    if (left < readable) {
        copy_padded(near_end, from, packed, readable);
        from = near_end;
    }
    r->at += packed;
    if (!patches) {
        r->kernels->decode(&r->form, from, width, out);
        return true;
    }

    r->kernels->unpack(from, width, out);
    from = r->at;
    if (left - packed < patched + BLOCK_SLACK_BYTES) {
        copy_padded(near_end, from, patched, patched + BLOCK_SLACK_BYTES);
        from = near_end;
    }
    r->at += patched;
    if (!patch(out, count, width, from, patches, patch_width)) return false;
    r->kernels->finish(&r->form, out);
    return true;
}

bool ints_next(struct ints_reader *r, uint64_t out[BLOCK_COUNT], uint32_t *count)
{
    *count = next_count(r);
    if (*count == 0) return true;
    r->left -= *count;
    return r->varints ? next_varints(r, out, *count) : next_block(r, out, *count);
}

bool ints_decode(const uint8_t **at, const uint8_t *end, uint64_t *out, uint32_t count,
                 uint8_t scale, bool *ascends)
{
    struct ints_reader r;
    uint64_t last[BLOCK_COUNT];
    if (!ints_open(&r, *at, end, count)) return false;
    r.form.scale = scale;
    *out = r.first;
    if (scale != BLOCK_INTEGERS) r.kernels->decimals(out, 1, scale);
    out++;
    while (r.left) {
        uint64_t *to = r.left < BLOCK_COUNT ? last : out;
        uint32_t got;
        if (!ints_next(&r, to, &got)) return false;
        if (to == last) memcpy(out, last, got * sizeof(*out));
        out += got;
    }
    *at = r.at;
    if (ascends) *ascends = r.ascends;
    return true;
}
