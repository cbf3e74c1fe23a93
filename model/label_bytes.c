/* label_bytes - sizes from the inside to the outside, then bytes from the front. */
#include "model/label_bytes.h"

#include "base/varint.h"

enum { FIELD_1 = 0x0A, FIELD_2 = 0x12 }; /* of bytes */

static size_t varint_size(uint64_t v)
{
    size_t size = 1;
    while (v >>= 7)
        size++;
    return size;
}

/* Of the Label message. */
static size_t inner_size(struct label label)
{
    return 1 + varint_size(label.name.size) + label.name.size + 1 + varint_size(label.value.size) +
           label.value.size;
}

size_t label_bytes_head(struct label label)
{
    size_t inner = inner_size(label);
    return 1 + varint_size(inner) + inner - label.value.size;
}

static uint8_t *put_text(uint8_t *at, uint8_t field, struct str text)
{
    *at++ = field;
    at += varint_encode(at, text.size);
    if (text.size) memcpy(at, text.data, text.size);
    return at + text.size;
}

void label_bytes_put(struct label label, uint8_t *out)
{
    *out++ = FIELD_1;
    out += varint_encode(out, inner_size(label));
    out = put_text(out, FIELD_1, label.name);
    put_text(out, FIELD_2, label.value);
}

struct str label_bytes_of(struct labels set, struct arena *a)
{
    size_t size = 0;
    for (size_t i = 0; i < set.count; i++)
        size += label_bytes_head(set.items[i]) + set.items[i].value.size;
    uint8_t *at = arena_alloc(a, LABEL_BYTES_FRONT + size);
    if (!at) return (struct str){0};
    memset(at, 0, LABEL_BYTES_FRONT);
    at += LABEL_BYTES_FRONT;
    struct str message = {(const char *)at, size};
    for (size_t i = 0; i < set.count; i++) {
        label_bytes_put(set.items[i], at);
        at += label_bytes_head(set.items[i]) + set.items[i].value.size;
    }
    return message;
}
