/*
 * crc32c - eight bytes an instruction where SSE4.2 and PCLMULQDQ exist, four bits a step elsewhere.
 * The slow form is only for CPUs that nobody runs a server on; it is kept small rather than fast.
 */
#include "base/crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#    include <nmmintrin.h>
#    include <wmmintrin.h>
#endif

/* CRC of each 4-bit value, polynomial 0x82F63B78 (reversed). */
static const uint32_t nibbles[16] = {
    0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3, 0x61C69362, 0x7198540D,
    0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9, 0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75,
};

static uint32_t crc_portable(uint32_t crc, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ nibbles[crc & 15];
        crc = (crc >> 4) ^ nibbles[crc & 15];
    }
    return crc;
}

#if defined(__x86_64__)
#    define TARGET __attribute__((target("sse4.2,pclmul")))

TARGET static uint64_t crc_word(uint64_t crc, const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return _mm_crc32_u64(crc, word);
}

/* The crc of the same data with n zero bytes behind it: the crc times x^(8 * n), modulo the
 * polynomial. `power` is x^(8 * n - 33), since the crc instruction multiplies by x^32, and the
 * carry-less product of two numbers whose bits are reversed has one more x. */
TARGET static uint64_t crc_shift(uint64_t crc, uint32_t power)
{
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc), _mm_cvtsi64_si128((int64_t)power), 0);
    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* The instruction has its result after three cycles, but another one can begin in each of them: so
 * three stretches are done at once, and their checksums joined. */
#    define STRETCH ((size_t)512)
static const uint32_t one_stretch = 0xDD7E3B0C; /* powers, as crc_shift takes them */
static const uint32_t two_stretches = 0x170076FA;

TARGET static uint32_t crc_fast(uint32_t crc, const uint8_t *bytes, size_t size)
{
    uint64_t a = crc;
    for (; size >= 3 * STRETCH; bytes += 3 * STRETCH, size -= 3 * STRETCH) {
        uint64_t b = 0;
        uint64_t c = 0;
        for (size_t i = 0; i < STRETCH; i += 8) {
            a = crc_word(a, bytes + i);
            b = crc_word(b, bytes + STRETCH + i);
            c = crc_word(c, bytes + 2 * STRETCH + i);
        }
        a = crc_shift(a, two_stretches) ^ crc_shift(b, one_stretch) ^ c;
    }
    for (; size >= 8; bytes += 8, size -= 8)
        a = crc_word(a, bytes);
    crc = (uint32_t)a;
    for (; size > 0; bytes++, size--)
        crc = _mm_crc32_u8(crc, *bytes);
    return crc;
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    crc = ~crc;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
        return ~crc_fast(crc, bytes, size);
#endif
    return ~crc_portable(crc, bytes, size);
}
