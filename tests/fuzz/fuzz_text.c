/* links: wire */
/*
 * The small texts: numbers, durations, U__ names, UTF-8, JSON strings. What is read and printed
 * must read back the same.
 */
#include <stddef.h>
#include <stdint.h>

#include "alloc/buf.h"
#include "base/assert.h"
#include "base/bits.h"
#include "model/duration.h"
#include "model/labels.h"
#include "model/names.h"
#include "model/number.h"
#include "wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NAME_BYTES_MAX = 4096 };

static void check_number(struct str text)
{
    size_t (*const formats[])(char *, double) = {number_format_plain, number_format_json,
                                                 number_format_general};
    char printed[NUMBER_TEXT_BYTES];
    double v;
    double back;
    if (!number_parse(text, &v)) return;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        size_t size = formats[i](printed, v);
        ASSERT(size <= NUMBER_TEXT_BYTES);
        ASSERT(number_parse((struct str){printed, size}, &back));
        ASSERT(bits_from_double(back) == bits_from_double(v));
    }
}

static void check_duration(struct str text)
{
    char printed[DURATION_TEXT_BYTES];
    int64_t ms;
    int64_t back;
    if (duration_parse(text, &ms, NULL) != OK) return;
    size_t size = duration_format(printed, ms);
    ASSERT(size <= DURATION_TEXT_BYTES);
    ASSERT(duration_parse((struct str){printed, size}, &back, NULL) == OK && back == ms);
}

static void check_name(struct str text)
{
    static char out[NAME_BYTES_MAX];
    if (text.size > sizeof(out)) return;
    size_t size = name_unescape(text, out);
    ASSERT(size <= text.size);
    if (name_is_utf8(text)) ASSERT(name_is_utf8((struct str){out, size}));
}

/* Whatever goes in, a JSON string is printable, valid UTF-8 and closed. */
static void check_json(struct str text)
{
    struct buf out;
    struct json j;
    buf_init(&out, HEAP_HTTP, 1 << 20);
    json_init(&j, &out);
    json_string(&j, text);
    ASSERT(json_is_complete(&j));
    if (buf_status(&out, NULL) == OK) {
        ASSERT(out.data[0] == '"' && out.data[out.size - 1] == '"');
        ASSERT(name_is_utf8((struct str){(const char *)out.data, out.size}));
        for (size_t i = 1; i + 1 < out.size; i++) {
            ASSERT(out.data[i] >= 0x20 && out.data[i] != '"' && out.data[i] != '<');
            if (out.data[i] == '\\') i++;
        }
    }
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {.data = (const char *)data, .size = size};
    struct label l = {.name = text, .value = text};
    char printed[128];
    check_number(text);
    check_duration(text);
    check_name(text);
    check_json(text);
    labels_print_short((struct labels){&l, 1}, printed, sizeof(printed));
    ASSERT(name_is_utf8(str_from(printed)));
    return 0;
}
