/* series_match - with AVX2, and without. */
#include "storage/series_match.h"

#if defined(__x86_64__)
#    include <immintrin.h>
#endif

/* The next label of the message, if it is the symbol's: what is behind it; NULL: another one. */
static ALWAYS_INLINE const uint8_t *next_label(const struct symbol *symbol, const uint8_t *at,
                                               const uint8_t *end)
{
    size_t size = symbol->bytes_size;
    bool same = size <= (size_t)(end - at) && label_bytes_equal(at, symbol->bytes, size);
    return same ? at + size : NULL;
}

size_t series_match_plain(const struct series *s, struct str message)
{
    struct symbol *const *symbols = series_symbols(s);
    const uint8_t *start = (const uint8_t *)message.data;
    const uint8_t *at = start;
    for (size_t i = 0; i < s->label_count; i++)
        if (!(at = next_label(symbols[i], at, start + message.size))) return 0;
    return (size_t)(at - start);
}

#if defined(__x86_64__)

#    define AVX2 __attribute__((target("avx2,bmi2")))
enum { PIECE_BYTES = 32 };

_Static_assert(offsetof(struct symbol, bytes) - offsetof(struct symbol, name) >=
                   PIECE_BYTES - LABEL_BYTES_MIN,
               "what is in front of the bytes and read with them never changes");

/* A bit for each byte that differs. */
AVX2 static ALWAYS_INLINE uint32_t differences(const uint8_t *a, const uint8_t *b)
{
    __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)a);
    __m256i y = _mm256_loadu_si256((const __m256i *)(const void *)b);
    return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(x, y));
}

AVX2 static size_t match_avx2(const struct series *s, struct str message)
{
    struct symbol *const *symbols = series_symbols(s);
    struct symbol *const *symbols_end = symbols + s->label_count;
    const uint8_t *start = (const uint8_t *)message.data;
    const uint8_t *end = start + message.size;
    const uint8_t *at = start;
    uint32_t different = 0;
    for (; symbols < symbols_end && at - start < PIECE_BYTES - LABEL_BYTES_MIN; symbols++)
        if (!(at = next_label(*symbols, at, end))) return 0;
    for (; symbols < symbols_end; symbols++) {
        const struct symbol *symbol = *symbols;
        size_t size = symbol->bytes_size;
        if (size > (size_t)(end - at)) return 0;
        /* From the symbol's address, since its bytes[] begins behind what may be read. */
        const uint8_t *last = (const uint8_t *)symbol + offsetof(struct symbol, bytes) + size;
        uint32_t uncounted = size < PIECE_BYTES ? PIECE_BYTES - (uint32_t)size : 0;
        different |= differences(at + size - PIECE_BYTES, last - PIECE_BYTES) >> uncounted;
        if (size > PIECE_BYTES) {
            different |= differences(at, symbol->bytes);
            if (size > 2 * (size_t)PIECE_BYTES && memcmp(at, symbol->bytes, size) != 0) return 0;
        }
        at += size;
    }
    return different ? 0 : (size_t)(at - start);
}

size_t series_match(const struct series *s, struct str message)
{
    return __builtin_cpu_supports("avx2") ? match_avx2(s, message) : series_match_plain(s, message);
}

#else

size_t series_match(const struct series *s, struct str message)
{
    return series_match_plain(s, message);
}

#endif
