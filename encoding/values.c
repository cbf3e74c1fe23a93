/* values - reading: the numbers first, then, in place, everything between the changes. */
#include "encoding/values.h"

#include <math.h>

#include "base/bits.h"
#include "base/endian.h"
#include "base/varint.h"
#include "encoding/decimal.h"
#include "encoding/ints.h"
#include "encoding/values_form.h"

/* What is left to read. */
struct rest {
    const uint8_t *at;
    const uint8_t *end;
    bool ascends; /* what was read last */
};

static bool take_varint(struct rest *rest, uint64_t *v)
{
    size_t n = varint_decode(rest->at, rest->end, v);
    rest->at += n;
    return n > 0;
}

static bool take_word(struct rest *rest, uint64_t *v)
{
    if (rest->end - rest->at < 8) return false;
    *v = get_le64(rest->at);
    rest->at += 8;
    return true;
}

static bool read_constant(struct rest *rest, uint8_t form, uint64_t *bits, uint32_t count)
{
    uint64_t v;
    if (form == (VALUES_CONSTANT | VALUES_RAW)) {
        if (!take_word(rest, &v)) return false;
    } else {
        if (form != VALUES_CONSTANT || !take_varint(rest, &v)) return false;
        v = bits_from_double(decimal_from_int(bits_unzigzag(v)));
    }
    block_kernels()->fill(bits, count, v);
    rest->ascends = !isnan(bits_to_double(v));
    return true;
}

/* Add the distances to the bits of the nearest decimals. */
static bool read_distances(struct rest *rest, uint64_t *bits, uint32_t count)
{
    struct ints_reader r;
    uint64_t block[BLOCK_COUNT];
    uint32_t got;
    if (!ints_open(&r, rest->at, rest->end, count)) return false;
    *bits++ += r.first;
    while (r.left) {
        if (!ints_next(&r, block, &got)) return false;
        for (uint32_t i = 0; i < got; i++)
            bits[i] += block[i];
        bits += got;
    }
    rest->at = r.at;
    return true;
}

static bool read_strays(struct rest *rest, uint64_t *bits, uint32_t count)
{
    uint64_t strays;
    uint64_t at = 0;
    if (!take_varint(rest, &strays)) return false;
    for (uint64_t i = 0; i < strays; i++) {
        uint64_t gap;
        if (!take_varint(rest, &gap) || gap >= count - at) return false;
        at += gap;
        if (!take_word(rest, &bits[at])) return false;
    }
    return true;
}

static bool read_numbers(struct rest *rest, uint8_t form, uint64_t *bits, uint32_t count)
{
    const uint8_t numbers = form & VALUES_NUMBERS;
    uint8_t scale = BLOCK_INTEGERS;
    if (numbers > VALUES_RAW) return false;
    if (numbers != VALUES_RAW) {
        if (rest->at == rest->end || !decimal_scale_exists(*rest->at)) return false;
        scale = *rest->at++;
    }
    if (!ints_decode(&rest->at, rest->end, bits, count, scale, &rest->ascends)) return false;
    rest->ascends = rest->ascends && numbers == VALUES_DECIMAL && !(form & VALUES_STRAYS);
    if (numbers == VALUES_DECIMAL_NEAR && !read_distances(rest, bits, count)) return false;
    return !(form & VALUES_STRAYS) || read_strays(rest, bits, count);
}

/* The numbers of the changes are read into the end of the values; the value that is written is
 * never behind the number that is read, because every number still to come has a place of its own.
 */

static bool read_bitmap(struct rest *rest, uint8_t form, uint64_t *bits, uint32_t count)
{
    const uint8_t *map = rest->at;
    size_t bytes = (count - 1 + 7) / 8;
    uint32_t changes = 0;
    if ((size_t)(rest->end - map) < bytes) return false;
    for (size_t i = 0; i < bytes; i++)
        changes += (uint32_t)__builtin_popcount(map[i]);
    rest->at += bytes;
    if (changes >= count) return false;
    uint64_t *from = bits + (count - 1 - changes);
    if (!read_numbers(rest, form, from, changes + 1)) return false;
    bits[0] = *from;
    for (uint32_t i = 0; i + 1 < count; i++) {
        from += map[i / 8] >> i % 8 & 1;
        bits[i + 1] = *from;
    }
    return true;
}

static bool read_gaps(struct rest *rest, uint8_t form, uint64_t *bits, uint32_t count)
{
    struct ints_reader r;
    uint64_t block[BLOCK_COUNT];
    uint64_t changes;
    uint32_t got = 1;
    if (!take_varint(rest, &changes) || changes == 0 || changes >= count) return false;
    const uint8_t *positions = rest->at;
    /* The numbers are behind the positions, and have to be there first. */
    if (!ints_open(&r, positions, rest->end, (uint32_t)changes)) return false;
    while (r.left)
        if (!ints_next(&r, block, &got)) return false;
    rest->at = r.at;
    const uint64_t *from = bits + (count - 1 - changes);
    if (!read_numbers(rest, form, bits + (count - 1 - changes), (uint32_t)changes + 1))
        return false;

    uint64_t at = 0;
    uint64_t left = changes;
    if (!ints_open(&r, positions, rest->end, (uint32_t)changes)) return false;
    block[0] = r.first;
    for (got = 1; got > 0;) {
        for (uint32_t i = 0; i < got; i++, left--) {
            uint64_t v = *from++;
            if (block[i] <= at || block[i] > count - left) return false;
            while (at < block[i])
                bits[at++] = v;
        }
        if (!ints_next(&r, block, &got)) return false;
    }
    uint64_t v = *from;
    while (at < count)
        bits[at++] = v;
    return true;
}

enum status values_decode(const uint8_t *bytes, size_t size, double *v, uint32_t count,
                          bool *ascends)
{
    struct rest rest = {.at = bytes, .end = bytes + size};
    uint64_t *bits = (uint64_t *)(void *)v;
    bool whole = false;
    if (size == 0 || count == 0) return ERR_CORRUPT;
    uint8_t form = *rest.at++;
    if (form > VALUES_FORM_BITS) return ERR_CORRUPT;
    switch (form & VALUES_POSITIONS) {
    case VALUES_CONSTANT: whole = read_constant(&rest, form, bits, count); break;
    case VALUES_BITMAP: whole = read_bitmap(&rest, form, bits, count); break;
    case VALUES_GAPS: whole = read_gaps(&rest, form, bits, count); break;
    default: whole = read_numbers(&rest, form, bits, count); break;
    }
    if (ascends) *ascends = rest.ascends;
    return whole && rest.at == rest.end ? OK : ERR_CORRUPT;
}
