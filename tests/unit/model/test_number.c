/* number: golden texts from Go's strconv, and reading back. */
#include "model/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bits.h"
#include "tests/unit/suite.h"

static const char *text_of(size_t (*format)(char *, double), double v)
{
    static char out[NUMBER_TEXT_BYTES + 1];
    size_t size = format(out, v);
    ck_assert_uint_le(size, NUMBER_TEXT_BYTES);
    out[size] = '\0';
    return out;
}

/* FormatFloat of Go 1.26: 'g', then Prometheus' JSON form. */
static const struct golden {
    uint64_t bits;
    const char *general;
    const char *json;
} goldens[] = {
    {UINT64_C(0x0000000000000000), "0", "0"},
    {UINT64_C(0x8000000000000000), "-0", "-0"},
    {UINT64_C(0x3FF0000000000000), "1", "1"},
    {UINT64_C(0xBFF0000000000000), "-1", "-1"},
    {UINT64_C(0x4059000000000000), "100", "100"},
    {UINT64_C(0x40F86A0000000000), "100000", "100000"},
    {UINT64_C(0x412E847E00000000), "999999", "999999"},
    {UINT64_C(0x412E848000000000), "1e+06", "1000000"},
    {UINT64_C(0x4132D68780000000), "1.2345675e+06", "1234567.5"},
    {UINT64_C(0x419D6F3454000000), "1.23456789e+08", "123456789"},
    {UINT64_C(0x4415AF1D78B58C40), "1e+20", "100000000000000000000"},
    {UINT64_C(0x444B1AE4D6E2EF50), "1e+21", "1e+21"},
    {UINT64_C(0x4480F0CF064DD592), "1e+22", "1e+22"},
    {UINT64_C(0x4450BB448EBBC662), "1.23456789e+21", "1.23456789e+21"},
    {UINT64_C(0x3FB999999999999A), "0.1", "0.1"},
    {UINT64_C(0x3F50624DD2F1A9FC), "0.001", "0.001"},
    {UINT64_C(0x3F1A36E2EB1C432D), "0.0001", "0.0001"},
    {UINT64_C(0x3F202E4B6CE5DC68), "0.00012345", "0.00012345"},
    {UINT64_C(0x3EE4F8B588E368F1), "1e-05", "0.00001"},
    {UINT64_C(0x3EB0C6F7A0B5ED8D), "1e-06", "0.000001"},
    {UINT64_C(0x3EB0C2AC1DBBE3D8), "9.99e-07", "9.99e-07"},
    {UINT64_C(0x3E7AD7F29ABCAF48), "1e-07", "1e-07"},
    {UINT64_C(0x0000000000000001), "5e-324", "5e-324"},
    {UINT64_C(0x7FEFFFFFFFFFFFFF), "1.7976931348623157e+308", "1.7976931348623157e+308"},
    {UINT64_C(0xFFEFFFFFFFFFFFFF), "-1.7976931348623157e+308", "-1.7976931348623157e+308"},
    {UINT64_C(0x7FF0000000000000), "+Inf", "+Inf"},
    {UINT64_C(0xFFF0000000000000), "-Inf", "-Inf"},
    {UINT64_C(0x7FF8000000000001), "NaN", "NaN"},
    {UINT64_C(0x3FD5555555555555), "0.3333333333333333", "0.3333333333333333"},
    {UINT64_C(0x40F046AAAAAAAAAB), "66666.66666666667", "66666.66666666667"},
    {UINT64_C(0x430C6BF526340000), "1e+15", "1000000000000000"},
    {UINT64_C(0x4341C37937E08000), "1e+16", "10000000000000000"},
    {UINT64_C(0x4376345785D8A000), "1e+17", "100000000000000000"},
    {UINT64_C(0x40FE240C9FBE76C9), "123456.789", "123456.789"},
    {UINT64_C(0x4340000000000000), "9.007199254740992e+15", "9007199254740992"},
    {UINT64_C(0x4011666666666666), "4.35", "4.35"},
    {UINT64_C(0x3FD3333333333333), "0.3", "0.3"},
    {UINT64_C(0x3F647AE147AE147B), "0.0025", "0.0025"},
    {UINT64_C(0xDC2864602BE7FB85), "-8.864558683540502e+135", "-8.864558683540502e+135"},
    {UINT64_C(0xD38967F931A50490), "-2.6497655665930736e+94", "-2.6497655665930736e+94"},
    {UINT64_C(0x789229E09E31F58D), "6.141262020492268e+272", "6.141262020492268e+272"},
    {UINT64_C(0x625250FA2140D8FD), "4.2190607244187004e+165", "4.2190607244187004e+165"},
    {UINT64_C(0xF25F4B21EEF64B43), "-8.346616794364178e+242", "-8.346616794364178e+242"},
    {UINT64_C(0x9C0A8A2BFC0914DF), "-1.3413097162916222e-173", "-1.3413097162916222e-173"},
    {UINT64_C(0xC19140E6CC80281D), "-7.236651512515302e+07", "-72366515.12515302"},
    {UINT64_C(0xC065DD2F2DDD43E2), "-174.9120091744981", "-174.9120091744981"},
    {UINT64_C(0xC10245DF63444027), "-149691.92347002143", "-149691.92347002143"},
    {UINT64_C(0x4148301AE8C17E45), "3.170357818404945e+06", "3170357.818404945"},
    {UINT64_C(0x40E67A809CAA5BE6), "46036.01912420224", "46036.01912420224"},
    {UINT64_C(0xBFAC47AE568C7B80), "-0.055234382691415895", "-0.055234382691415895"},
};

START_TEST(formats_agree_with_go)
{
    for (size_t i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++) {
        double v = bits_to_double(goldens[i].bits);
        ck_assert_str_eq(text_of(number_format_general, v), goldens[i].general);
        ck_assert_str_eq(text_of(number_format_json, v), goldens[i].json);
    }
}
END_TEST

START_TEST(plain_never_has_an_exponent)
{
    ck_assert_str_eq(text_of(number_format_plain, 1e-7), "0.0000001");
    ck_assert_str_eq(text_of(number_format_plain, -1e22), "-10000000000000000000000");
    ck_assert_str_eq(text_of(number_format_plain, 1.5), "1.5");
    ck_assert_str_eq(text_of(number_format_plain, -0.0), "-0");
    ck_assert_str_eq(text_of(number_format_plain, NAN), "NaN");
    ck_assert_str_eq(text_of(number_format_plain, -INFINITY), "-Inf");
    ck_assert_uint_eq(strlen(text_of(number_format_plain, -1.7976931348623157e308)), 310);
    ck_assert_uint_eq(strlen(text_of(number_format_plain, -2.2250738585072014e-308)), 327);
    ck_assert_uint_eq(strlen(text_of(number_format_plain, -5e-324)), 327);
}
END_TEST

static const char *seconds(int64_t t_ms)
{
    static char out[NUMBER_TEXT_BYTES + 1];
    out[number_format_seconds(out, t_ms)] = '\0';
    return out;
}

START_TEST(timestamps_have_no_or_three_decimals)
{
    ck_assert_str_eq(seconds(0), "0");
    ck_assert_str_eq(seconds(1435781451781), "1435781451.781");
    ck_assert_str_eq(seconds(1435781451000), "1435781451");
    ck_assert_str_eq(seconds(1500), "1.500");
    ck_assert_str_eq(seconds(1005), "1.005");
    ck_assert_str_eq(seconds(-1), "-0.001");
    ck_assert_str_eq(seconds(-1500), "-1.500");
    ck_assert_str_eq(seconds(INT64_MIN), "-9223372036854775.808");
    ck_assert_str_eq(seconds(INT64_MAX), "9223372036854775.807");
}
END_TEST

static double parsed(const char *text)
{
    double v = 42;
    ck_assert_msg(number_parse(str_from(text), &v), "%s", text);
    return v;
}

START_TEST(what_go_reads_is_read)
{
    ck_assert_double_eq(parsed("0"), 0);
    ck_assert_double_eq(parsed("08"), 8);
    ck_assert_double_eq(parsed("+1.5"), 1.5);
    ck_assert_double_eq(parsed("-.5"), -0.5);
    ck_assert_double_eq(parsed("5."), 5);
    ck_assert_double_eq(parsed("1E+3"), 1000);
    ck_assert_double_eq(parsed("0x1Fp0"), 31);
    ck_assert_double_eq(parsed("1_000.2_5e1_0"), 1000.25e10);
    ck_assert_double_eq(parsed("-0x_1_Fp1_0"), -31 * 1024);
    ck_assert_double_eq(parsed("-0X1.8p1"), -3);
    ck_assert_double_eq(parsed("0x.8p0"), 0.5);
    ck_assert(isinf(parsed("Inf")));
    ck_assert(parsed("-infinity") < 0);
    ck_assert(isnan(parsed("nAn")));
    ck_assert(isnan(parsed("-NaN")));
    ck_assert(signbit(parsed("-0")));
    ck_assert_double_eq(parsed("1e-400"), 0);
    ck_assert_double_eq(parsed("179769313486231570000000000000000000000e270"),
                        1.7976931348623157e308);
    ck_assert_double_eq(parsed("9007199254740993"), 9007199254740992);
}
END_TEST

START_TEST(everything_else_is_refused)
{
    static const char *const texts[] = {
        "",      "+",      "-",        ".",    "e5",    "1e",   "1e+",  "1 ",        " 1",
        "_1",    "1_",     "1__0",     "1_.5", "1._5",  "1_e5", "1e_5", "0_x1p0",    "0x1_p0",
        "0x1F",  "0x",     "0x.",      "0x1p", "1.2.3", "--1",  "in",   "infi",      "nanx",
        "1e400", "-1e309", "0x1p1024", "0xp1", "1f",    "1,5",  "i",    "\xC4\xB1nf"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        double v = 42;
        ck_assert_msg(!number_parse(str_from(texts[i]), &v), "%s", texts[i]);
        ck_assert_double_eq(v, 42);
    }
}
END_TEST

START_TEST(hexadecimal_rounds_half_to_even)
{
    ck_assert_double_eq(parsed("0x1.00000000000008p0"), 1);
    ck_assert_double_eq(parsed("0x1.000000000000080000000000000000000001p0"), 0x1.0000000000001p0);
    ck_assert_double_eq(parsed("0x1.00000000000018p0"), 0x1.0000000000002p0);
    ck_assert_double_eq(parsed("0x1p-1074"), 5e-324);
    ck_assert_double_eq(parsed("0x1p-1075"), 0);
    ck_assert_double_eq(parsed("0x1.8p-1075"), 5e-324);
    ck_assert_double_eq(parsed("0x1p-99999999999999"), 0);
    ck_assert_double_eq(parsed("0x0p99999999999999"), 0);
    ck_assert_double_eq(parsed("0xfffffffffffff7p0"), 0xfffffffffffff8p0);
    ck_assert_double_eq(parsed("0x100000000000000000000p-80"), 1);
}
END_TEST

/* m / 10^decimals, as text without a needless zero. */
static void decimal_text(char *out, size_t room, uint64_t m, int decimals, bool negative)
{
    uint64_t power = decimals == 3 ? 1000 : decimals == 2 ? 100 : decimals == 1 ? 10 : 1;
    int size = snprintf(out, room, "%s%llu", negative ? "-" : "", (unsigned long long)(m / power));
    if (m % power == 0) return;
    size += snprintf(out + size, room - (size_t)size, ".%0*llu", decimals,
                     (unsigned long long)(m % power));
    while (out[size - 1] == '0')
        out[--size] = '\0';
}

START_TEST(few_decimals_are_written_as_they_are)
{
    static const uint64_t edges[] = {1, 5, 9, 10, 99, 100, 101, 999, 1000, 1001, 99999, 100000};
    char expected[64];
    for (uint64_t i = 0; i < 200000; i++) {
        uint64_t m =
            i < ARRAY_COUNT(edges) ? edges[i] : (uint64_t)random() * (uint64_t)random() >> i % 60;
        int decimals = (int)(i % 4);
        bool negative = i % 5 == 0;
        m %= UINT64_C(1000000000000000);
        if (m == 0) continue;
        double v = (double)m / (decimals == 3 ? 1e3 : decimals == 2 ? 1e2 : decimals == 1 ? 10 : 1);
        decimal_text(expected, sizeof(expected), m, decimals, negative);
        const char *text = text_of(number_format_json, negative ? -v : v);
        if (strcmp(text, expected) != 0) ck_abort_msg("%s, not %s", text, expected);
    }
}
END_TEST

START_TEST(every_double_reads_back_from_its_text)
{
    size_t (*const formats[])(char *, double) = {number_format_plain, number_format_json,
                                                 number_format_general};
    uint64_t seed = 11;
    for (int i = 0; i < 30000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        double v = bits_to_double(seed ^ seed >> 29);
        if (isnan(v)) continue;
        for (size_t f = 0; f < 3; f++) {
            double back = parsed(text_of(formats[f], v));
            ck_assert_uint_eq(bits_from_double(back), bits_from_double(v));
        }
    }
}
END_TEST

SUITE(number, formats_agree_with_go, plain_never_has_an_exponent,
      timestamps_have_no_or_three_decimals, what_go_reads_is_read, everything_else_is_refused,
      hexadecimal_rounds_half_to_even, every_double_reads_back_from_its_text,
      few_decimals_are_written_as_they_are)
