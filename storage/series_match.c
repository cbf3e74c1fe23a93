/* series_match - with AVX2, and without. */
#include "storage/series_match.h"

#if defined(__x86_64__)
#    include <immintrin.h>
#endif

NO_INLINE size_t series_match_plain(const struct series *s, struct str message)
{
    struct symbol *const *symbols = series_symbols(s);
    size_t at = 0;
    for (size_t i = 0; i < s->label_count; i++) {
        size_t size = symbols[i]->bytes_size;
        if (size > message.size - at) return 0;
        if (!label_bytes_equal((const uint8_t *)message.data + at, symbols[i]->bytes, size))
            return 0;
        at += size;
    }
    return at;
}

#if defined(__x86_64__)

#    define AVX2 __attribute__((target("avx2,bmi2")))
enum { PIECE_BYTES = 32 };

_Static_assert(LABEL_BYTES_FRONT >= PIECE_BYTES - LABEL_BYTES_MIN, "so much is read, and ignored");
_Static_assert(offsetof(struct symbol, bytes) - offsetof(struct symbol, name) >=
                   PIECE_BYTES - LABEL_BYTES_MIN,
               "what is in front of the bytes and read with them never changes");

/* A bit for each byte that is the same. */
AVX2 static ALWAYS_INLINE int32_t equal(const uint8_t *a, const uint8_t *b)
{
    __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)a);
    __m256i y = _mm256_loadu_si256((const __m256i *)(const void *)b);
    return _mm256_movemask_epi8(_mm256_cmpeq_epi8(x, y));
}

/* Places in the message are counted from its end: that it ends early is then a sign. */
AVX2 static size_t match_avx2(const struct series *s, struct str message)
{
    struct symbol *const *symbols = series_symbols(s);
    struct symbol *const *symbols_end = symbols + s->label_count;
    const uint8_t *end = (const uint8_t *)message.data + message.size;
    ptrdiff_t at = -(ptrdiff_t)message.size;
    int32_t same = -1;
    for (; symbols < symbols_end; symbols++) {
        const struct symbol *symbol = *symbols;
        uint32_t size = symbol->bytes_size;
        at += size;
        if (UNLIKELY(at > 0)) return 0;
        /* From the symbol's address, since its bytes[] begins behind what may be read. */
        const uint8_t *last = (const uint8_t *)symbol + offsetof(struct symbol, bytes) + size;
        int32_t piece = equal(end + at - PIECE_BYTES, last - PIECE_BYTES);
        if (LIKELY(size <= PIECE_BYTES)) {
            same &= piece >> (PIECE_BYTES - size) % PIECE_BYTES;
        } else {
            if (UNLIKELY(size > 2 * PIECE_BYTES)) return series_match_plain(s, message);
            same &= piece & equal(end + at - size, symbol->bytes);
        }
    }
    return same == -1 ? message.size + (size_t)at : 0;
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
