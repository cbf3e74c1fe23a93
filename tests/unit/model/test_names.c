/* names: UTF-8, legacy names, and U__ escaping. */
#include "model/names.h"

#include <stdint.h>

#include "tests/unit/suite.h"

static bool utf8(const char *text)
{
    return name_is_utf8(str_from(text));
}

static const char *unescaped(const char *text)
{
    static char out[256];
    size_t size = name_unescape(str_from(text), out);
    ck_assert_uint_le(size, strlen(text));
    out[size] = '\0';
    return out;
}

START_TEST(well_formed_utf8_is_accepted)
{
    ck_assert(utf8(""));
    ck_assert(utf8("plain ascii, longer than eight bytes"));
    ck_assert(utf8("caf\xC3\xA9"));
    ck_assert(utf8("\xE2\x82\xAC"));
    ck_assert(utf8("\xF0\x9F\x98\x80 behind eight"));
    ck_assert(utf8("\xF4\x8F\xBF\xBF"));
    ck_assert(name_is_utf8((struct str){"a\0b", 3}));
}
END_TEST

START_TEST(broken_utf8_is_refused)
{
    ck_assert(!utf8("\x80"));
    ck_assert(!utf8("\xC3"));
    ck_assert(!utf8("a\xC3("));
    ck_assert(!utf8("\xC0\xAF"));         /* overlong */
    ck_assert(!utf8("\xC1\xBF"));         /* overlong */
    ck_assert(!utf8("\xE0\x80\xAF"));     /* overlong */
    ck_assert(!utf8("\xF0\x80\x80\x80")); /* overlong */
    ck_assert(!utf8("\xED\xA0\x80"));     /* surrogate */
    ck_assert(!utf8("\xF4\x90\x80\x80")); /* above U+10FFFF */
    ck_assert(!utf8("\xF5\x80\x80\x80")); /* no such start */
    ck_assert(!utf8("\xFF"));
    ck_assert(!utf8("12345678\xE2\x82"));         /* cut, behind the fast path */
    ck_assert(!utf8("1234567\xE2\x82\xAC\xC3(")); /* across words */
}
END_TEST

/* One rune the long way round: decode, then ask whether it is canonical. */
static bool naive_utf8(const uint8_t *at, size_t size)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    for (size_t i = 0; i < size;) {
        size_t length = at[i] < 0x80             ? 1
                        : (at[i] & 0xE0) == 0xC0 ? 2
                        : (at[i] & 0xF0) == 0xE0 ? 3
                        : (at[i] & 0xF8) == 0xF0 ? 4
                                                 : 0;
        if (length == 0 || i + length > size) return false;
        uint32_t rune = length == 1 ? at[i] : at[i] & (0x7Fu >> length);
        for (size_t j = 1; j < length; j++) {
            if ((at[i + j] & 0xC0) != 0x80) return false;
            rune = rune << 6 | (at[i + j] & 0x3Fu);
        }
        if (rune < least[length] || rune > 0x10FFFF || (rune >= 0xD800 && rune <= 0xDFFF))
            return false;
        i += length;
    }
    return true;
}

START_TEST(random_bytes_agree_with_a_naive_decoder)
{
    static const uint8_t likely[] = {'a',  0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                     0xC1, 0xC2, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5};
    uint32_t seed = 1;
    int valid = 0;
    for (int i = 0; i < 300000; i++) {
        uint8_t bytes[12];
        size_t size = (size_t)i % 5;
        for (size_t j = 0; j < size; j++) {
            seed = seed * 1664525u + 1013904223u;
            bytes[j] = likely[seed >> 28];
        }
        bool expected = naive_utf8(bytes, size);
        valid += expected;
        ck_assert(name_is_utf8((struct str){(const char *)bytes, size}) == expected);
    }
    ck_assert_int_gt(valid, 1000);
}
END_TEST

START_TEST(legacy_names)
{
    ck_assert(name_is_legacy_metric(STR("up")));
    ck_assert(name_is_legacy_metric(STR("job:rate5m_total")));
    ck_assert(!name_is_legacy_metric(STR("9up")));
    ck_assert(!name_is_legacy_metric(STR("")));
    ck_assert(!name_is_legacy_metric(STR("a.b")));
    ck_assert(name_is_legacy_label(STR("_a9")));
    ck_assert(!name_is_legacy_label(STR("a:b")));
    ck_assert(!name_is_legacy_label(STR("caf\xC3\xA9")));
}
END_TEST

START_TEST(value_escapes_decode)
{
    ck_assert_str_eq(unescaped("U__my_2e_label"), "my.label");
    ck_assert_str_eq(unescaped("U__no_20_space"), "no space");
    ck_assert_str_eq(unescaped("U__a__b"), "a_b");
    ck_assert_str_eq(unescaped("U__caf_e9_"), "caf\xC3\xA9");
    ck_assert_str_eq(unescaped("U___1F600_"), "\xF0\x9F\x98\x80");
    ck_assert_str_eq(unescaped("U___10ffff_"), "\xF4\x8F\xBF\xBF");
}
END_TEST

START_TEST(other_texts_are_left_alone)
{
    char out[64];
    ck_assert_uint_eq(name_unescape(STR("job"), out), 0);
    ck_assert_uint_eq(name_unescape(STR("U__"), out), 0);
    ck_assert_uint_eq(name_unescape(STR("U__a_"), out), 0);
    ck_assert_uint_eq(name_unescape(STR("U__a_2e"), out), 0);
    ck_assert_uint_eq(name_unescape(STR("U__a_zz_"), out), 0);
    ck_assert_uint_eq(name_unescape(STR("U__a_d800_"), out), 0);
    ck_assert_uint_eq(name_unescape(STR("U__a_110000_"), out), 0);
    ck_assert_uint_eq(name_unescape(STR("U__a_00000041_"), out), 0);
}
END_TEST

SUITE(names, well_formed_utf8_is_accepted, broken_utf8_is_refused,
      random_bytes_agree_with_a_naive_decoder, legacy_names, value_escapes_decode,
      other_texts_are_left_alone)
