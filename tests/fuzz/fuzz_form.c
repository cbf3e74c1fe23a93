/* links: wire */
/*
 * Query strings and form bodies; what decodes is encoded again in the plainest way and must decode
 * to the same parameters.
 */
#include <stddef.h>
#include <stdint.h>

#include "alloc/buf.h"
#include "base/assert.h"
#include "wire/api_time.h"
#include "wire/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 8 << 20 };

static void escape(struct buf *out, struct str text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = (uint8_t)text.data[i];
        buf_append_byte(out, '%');
        buf_append_byte(out, (uint8_t)digits[c >> 4]);
        buf_append_byte(out, (uint8_t)digits[c & 0xF]);
    }
}

static void check_round_trip(const struct form *form, struct arena *a)
{
    struct buf text;
    struct form again = {0};
    buf_init(&text, HEAP_HTTP, ARENA_BYTES);
    for (size_t i = 0; i < form->count; i++) {
        escape(&text, form->items[i].name);
        buf_append_byte(&text, '=');
        escape(&text, form->items[i].value);
        buf_append_byte(&text, '&');
    }
    struct str view = {.data = (const char *)text.data, .size = text.size};
    if (buf_status(&text, NULL) == OK && form_parse(&again, view, a, NULL) == OK) {
        ASSERT(again.count == form->count);
        for (size_t i = 0; i < form->count; i++) {
            ASSERT(str_equal(again.items[i].name, form->items[i].name));
            ASSERT(str_equal(again.items[i].value, form->items[i].value));
        }
    }
    buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = {.data = (const char *)data, .size = size};
    struct form form = {0};
    struct arena a;
    struct error err;
    arena_init(&a, HEAP_HTTP, ARENA_BYTES);
    if (form_parse(&form, input, &a, &err) == OK) {
        for (size_t i = 0; i < form.count; i++) {
            int64_t ms;
            ASSERT(form_has(&form, form.items[i].name));
            if (api_time_parse(form.items[i].value, &ms, &err) == OK)
                ASSERT(ms >= API_TIME_MIN_MS && ms <= API_TIME_MAX_MS);
            if (api_duration_parse(form.items[i].value, &ms, &err) != OK)
                ASSERT(err.text[0] != '\0');
        }
        check_round_trip(&form, &a);
    } else {
        ASSERT(err.text[0] != '\0');
    }
    arena_release(&a);
    return 0;
}
