/*
 * number - the shim over double-conversion: it finds the shortest digits and reads decimal text;
 * the layout of Go's strconv is done here.
 */
#include "model/number.h"

#include <cmath>
#include <cstring>

#include <double-conversion/double-conversion.h>

#include "model/sample.h"

using double_conversion::DoubleToStringConverter;
using double_conversion::StringToDoubleConverter;

namespace
{

constexpr int digits_max = DoubleToStringConverter::kBase10MaximalLength + 1; /* and NUL */

/* 0.d1d2d3... * 10^point */
struct digits {
    char text[digits_max];
    int count;
    int point;
    bool negative;
};

/* The digits of m as text ending at `end`, two at a time; returns where it begins. */
char *put_digits(char *end, uint64_t m)
{
    static const char pairs[] = "0001020304050607080910111213141516171819"
                                "2021222324252627282930313233343536373839"
                                "4041424344454647484950515253545556575859"
                                "6061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    for (; m >= 100; m /= 100) {
        end -= 2;
        memcpy(end, pairs + m % 100 * 2, 2);
    }
    if (m < 10) {
        *--end = static_cast<char>('0' + m);
        return end;
    }
    end -= 2;
    memcpy(end, pairs + m * 2, 2);
    return end;
}

/* Most samples are integers or have a few decimals. Decimals of up to 15 digits are different
 * doubles, so when one of them reads back as v there is no shorter one. */
bool few_digits(double v, digits *d)
{
    constexpr double mantissa_end = 1e15;
    constexpr int decimals_max = 3;
    constexpr double power = 1000; /* 10^decimals_max: the quotient is rounded as reading rounds */
    double magnitude = std::fabs(v);
    int decimals = 0;
    if (!(magnitude > 0 && magnitude < mantissa_end / power)) return false;
    uint64_t m = static_cast<uint64_t>(magnitude);
    if (static_cast<double>(m) != magnitude) {
        m = static_cast<uint64_t>(magnitude * power + 0.5);
        decimals = decimals_max;
        if (static_cast<double>(m) / power != magnitude) return false;
    }
    char text[24];
    char *end = text + sizeof(text);
    const char *begin = put_digits(end, m);
    d->negative = v < 0;
    d->point = static_cast<int>(end - begin) - decimals;
    while (end[-1] == '0')
        end--;
    d->count = static_cast<int>(end - begin);
    memcpy(d->text, begin, static_cast<size_t>(d->count));
    return true;
}

digits shortest_digits(double v)
{
    digits d;
    if (few_digits(v, &d)) return d;
    DoubleToStringConverter::DoubleToAscii(v, DoubleToStringConverter::SHORTEST, 0, d.text,
                                           sizeof(d.text), &d.negative, &d.count, &d.point);
    if (v == 0) d.point = 1;
    return d;
}

/* Appends to a text whose room the caller has made sure of. */
struct writer {
    char *start;
    char *at;

    void put(char c)
    {
        *at++ = c;
    }
    void put(const char *text, size_t size)
    {
        memcpy(at, text, size);
        at += size;
    }
    void zeros(int count)
    {
        for (int i = 0; i < count; i++)
            put('0');
    }
    size_t size() const
    {
        return static_cast<size_t>(at - start);
    }
};

bool put_special(writer &w, double v)
{
    if (std::isnan(v)) {
        w.put("NaN", 3);
        return true;
    }
    if (std::isinf(v)) {
        w.put(v > 0 ? "+Inf" : "-Inf", 4);
        return true;
    }
    return false;
}

void put_plain(writer &w, const digits &d)
{
    if (d.negative) w.put('-');
    if (d.point <= 0) {
        w.put("0.", 2);
        w.zeros(-d.point);
        w.put(d.text, static_cast<size_t>(d.count));
        return;
    }
    int whole = d.count < d.point ? d.count : d.point;
    w.put(d.text, static_cast<size_t>(whole));
    w.zeros(d.point - whole);
    if (d.count == whole) return;
    w.put('.');
    w.put(d.text + whole, static_cast<size_t>(d.count - whole));
}

void put_exponent(writer &w, const digits &d)
{
    if (d.negative) w.put('-');
    w.put(d.text[0]);
    if (d.count > 1) {
        w.put('.');
        w.put(d.text + 1, static_cast<size_t>(d.count - 1));
    }
    int exponent = d.point - 1;
    w.put('e');
    w.put(exponent < 0 ? '-' : '+');
    if (exponent < 0) exponent = -exponent;
    if (exponent >= 100) w.put(static_cast<char>('0' + exponent / 100));
    w.put(static_cast<char>('0' + exponent / 10 % 10));
    w.put(static_cast<char>('0' + exponent % 10));
}

bool equal_without_case(struct str text, const char *word)
{
    size_t size = strlen(word);
    if (text.size != size) return false;
    for (size_t i = 0; i < size; i++) {
        if ((text.data[i] | 0x20) != word[i]) return false;
    }
    return true;
}

bool parse_special(struct str text, double *out)
{
    if (equal_without_case(text, "nan")) {
        *out = bits_to_double(NORMAL_NAN_BITS);
        return true;
    }
    if (!equal_without_case(text, "inf") && !equal_without_case(text, "infinity")) return false;
    *out = HUGE_VAL;
    return true;
}

bool is_digit(char c, bool hex)
{
    if (c >= '0' && c <= '9') return true;
    char lower = static_cast<char>(c | 0x20);
    return hex && lower >= 'a' && lower <= 'f';
}

/* digits with at most one dot, then an optional exponent; the library is laxer than Go is. */
bool is_number(struct str text, bool hex)
{
    size_t i = 0;
    size_t digit_count = 0;
    bool dotted = false;
    for (; i < text.size; i++) {
        if (text.data[i] == '.' && !dotted)
            dotted = true;
        else if (is_digit(text.data[i], hex))
            digit_count++;
        else
            break;
    }
    if (digit_count == 0) return false;
    if (i == text.size) return !hex;
    if ((text.data[i] | 0x20) != (hex ? 'p' : 'e')) return false;
    i++;
    if (i < text.size && (text.data[i] == '+' || text.data[i] == '-')) i++;
    if (i == text.size) return false;
    for (; i < text.size; i++) {
        if (!is_digit(text.data[i], false)) return false;
    }
    return true;
}

/* Digits and exponent of a hexadecimal number into mantissa * 2^exponent, what does not fit the
 * mantissa kept as one sticky bit, so that ldexp rounds once and rightly. */
double parse_hex(struct str text)
{
    constexpr int exponent_bound = 100000;
    uint64_t mantissa = 0;
    int64_t exponent = 0;
    bool sticky = false;
    bool dotted = false;
    size_t i = 0;
    for (; i < text.size && (text.data[i] | 0x20) != 'p'; i++) {
        char c = text.data[i];
        if (c == '.') {
            dotted = true;
            continue;
        }
        unsigned digit = static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        if (mantissa >> 58) {
            sticky = sticky || digit != 0;
            exponent += dotted ? 0 : 4;
        } else {
            mantissa = mantissa << 4 | digit;
            exponent -= dotted ? 4 : 0;
        }
    }
    int64_t given = 0;
    bool negative = i + 1 < text.size && text.data[i + 1] == '-';
    for (i++; i < text.size; i++) {
        if (is_digit(text.data[i], false) && given < exponent_bound)
            given = given * 10 + (text.data[i] - '0');
    }
    exponent += negative ? -given : given;
    if (exponent > exponent_bound) exponent = exponent_bound;
    if (exponent < -exponent_bound) exponent = -exponent_bound;
    if (mantissa == 0) return 0;
    /* Round to 53 bits, fewer for a subnormal, half to even; then every step is exact. */
    int bits = 64 - __builtin_clzll(mantissa);
    int64_t top = exponent + bits;
    int keep = 53;
    if (top < -1074) return 0; /* below half of the smallest double */
    if (top < -1021) keep = static_cast<int>(top + 1074);
    int drop = bits - keep;
    if (drop <= 0) return std::ldexp(static_cast<double>(mantissa), static_cast<int>(exponent));
    uint64_t rest = mantissa & ((UINT64_C(1) << drop) - 1);
    uint64_t half = UINT64_C(1) << (drop - 1);
    mantissa >>= drop;
    if (rest > half || (rest == half && (sticky || (mantissa & 1)))) mantissa++;
    return std::ldexp(static_cast<double>(mantissa), static_cast<int>(exponent) + drop);
}

bool parse_unsigned(struct str text, double *out)
{
    constexpr size_t text_bytes_max = 1 << 30; /* the library counts in int */
    if (text.size == 0 || text.size > text_bytes_max) return false;
    if (text.size > 2 && text.data[0] == '0' && (text.data[1] | 0x20) == 'x') {
        struct str hex = {text.data + 2, text.size - 2};
        if (!is_number(hex, true)) return false;
        *out = parse_hex(hex);
    } else {
        static const StringToDoubleConverter converter(StringToDoubleConverter::NO_FLAGS, 0, 0,
                                                       nullptr, nullptr);
        if (!is_number(text, false)) return false;
        int taken = 0;
        *out = converter.StringToDouble(text.data, static_cast<int>(text.size), &taken);
        if (static_cast<size_t>(taken) != text.size) return false;
    }
    return std::isfinite(*out);
}

/* Take the underscores out, into `out`; false when one is not between two digits, or digits and
 * the 0x before them. */
bool drop_underscores(struct str *text, char *out)
{
    bool hex = text->size > 2 && text->data[0] == '0' && (text->data[1] | 0x20) == 'x';
    size_t size = 0;
    if (text->size > NUMBER_TEXT_BYTES) return false;
    for (size_t i = 0; i < text->size; i++) {
        if (text->data[i] != '_') {
            out[size++] = text->data[i];
            continue;
        }
        bool follows = i > 0 && (is_digit(text->data[i - 1], hex) || (hex && i == 2));
        if (!follows || i + 1 == text->size || !is_digit(text->data[i + 1], hex)) return false;
    }
    *text = {out, size};
    return true;
}

} // namespace

size_t number_format_plain(char *out, double v)
{
    writer w = {out, out};
    if (!put_special(w, v)) put_plain(w, shortest_digits(v));
    return w.size();
}

size_t number_format_json(char *out, double v)
{
    writer w = {out, out};
    if (put_special(w, v)) return w.size();
    double magnitude = std::fabs(v);
    digits d = shortest_digits(v);
    if (v != 0 && (magnitude < 1e-6 || magnitude >= 1e21))
        put_exponent(w, d);
    else
        put_plain(w, d);
    return w.size();
}

size_t number_format_general(char *out, double v)
{
    constexpr int exponent_least = -4;
    constexpr int exponent_end = 6;
    writer w = {out, out};
    if (put_special(w, v)) return w.size();
    digits d = shortest_digits(v);
    int exponent = d.point - 1;
    if (exponent < exponent_least || exponent >= exponent_end)
        put_exponent(w, d);
    else
        put_plain(w, d);
    return w.size();
}

size_t number_format_seconds(char *out, int64_t t_ms)
{
    writer w = {out, out};
    uint64_t rest = t_ms < 0 ? -static_cast<uint64_t>(t_ms) : static_cast<uint64_t>(t_ms);
    unsigned fraction = static_cast<unsigned>(rest % 1000);
    char text[24];
    const char *seconds = put_digits(text + sizeof(text), rest / 1000);
    if (t_ms < 0) w.put('-');
    w.put(seconds, static_cast<size_t>(text + sizeof(text) - seconds));
    if (fraction > 0) {
        w.put('.');
        w.put(static_cast<char>('0' + fraction / 100));
        w.put(static_cast<char>('0' + fraction / 10 % 10));
        w.put(static_cast<char>('0' + fraction % 10));
    }
    return w.size();
}

bool number_parse(struct str text, double *out)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    if (negative || (text.size > 0 && text.data[0] == '+')) {
        text.data++;
        text.size--;
    }
    double v = 0;
    char digits[NUMBER_TEXT_BYTES];
    if (text.size > 0 && memchr(text.data, '_', text.size) && !drop_underscores(&text, digits))
        return false;
    if (!parse_special(text, &v) && !parse_unsigned(text, &v)) return false;
    *out = negative && !std::isnan(v) ? -v : v;
    return true;
}
