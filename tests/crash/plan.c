/*
 * plan - see plan.h.
 */
#include "tests/crash/plan.h"

#include <math.h>
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum { NEW_SERIES = 3, LATE_PERCENT = 12, SAMPLE_BYTES = 20 };

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

/* From 1 to late_max, most of them short. */
static uint32_t lateness(const struct plan *p, uint32_t r)
{
    return 1 + r +
           (uint32_t)((uint64_t)(p->late_max - PLAN_LATE) * r * r /
                      ((uint64_t)PLAN_LATE * PLAN_LATE));
}

struct batch plan_batch(const struct plan *p, uint32_t number)
{
    uint64_t dice = mix(p->seed ^ number);
    uint32_t own = number / p->groups; /* of the group */
    struct batch b = {.number = number,
                      .group = number % p->groups,
                      .first_series = p->churn ? own / p->churn * NEW_SERIES : 0,
                      .series = p->series,
                      .samples = 1,
                      .t_ms = p->start_ms + (int64_t)number * PLAN_STEP_MS};
    uint32_t r = (uint32_t)(dice >> 40) % PLAN_LATE;
    uint32_t distance = lateness(p, r);
    if (dice % 100 < LATE_PERCENT && distance <= number)
        b.t_ms += PLAN_STEP_MS / 2 + r - (int64_t)distance * PLAN_STEP_MS;
    else if (dice % 100 > 90)
        b.samples = 1 + (uint32_t)(dice >> 20) % PLAN_SAMPLES_MAX;
    return b;
}

bool plan_trace(const struct plan *p, int64_t t_ms, struct batch *out, uint32_t *sample)
{
    int64_t since = t_ms - p->start_ms;
    if (since < 0 || since / PLAN_STEP_MS > UINT32_MAX - p->late_max) return false;
    uint32_t slot = (uint32_t)(since / PLAN_STEP_MS);
    uint32_t offset = (uint32_t)(since % PLAN_STEP_MS);
    bool late = offset >= PLAN_STEP_MS / 2;
    *out = plan_batch(p, late ? slot + lateness(p, offset - PLAN_STEP_MS / 2) : slot);
    *sample = late ? 0 : offset;
    return out->t_ms + *sample == t_ms && *sample < out->samples;
}

double plan_value(const struct batch *b, uint32_t series, uint32_t sample, uint32_t variant)
{
    uint64_t dice = mix((uint64_t)b->number << 32 ^ (uint64_t)series << 8 ^ sample);
    uint64_t bits = dice + variant;
    double any;
    switch (series % 6) {
    case 0: return (double)((uint64_t)b->number * PLAN_SAMPLES_MAX + sample) + variant;
    case 1: return variant ? 7 : -0.0;
    case 2:
        bits = (bits & ~(UINT64_C(0x7FF) << 52)) | (1 + (bits >> 52) % 2046) << 52;
        memcpy(&any, &bits, sizeof(any));
        return any;
    case 3: return (double)(int64_t)(dice % 1000000) / 100 + variant;
    case 4: return (double)b->number + variant; /* one value in the whole request */
    default: break;
    }
    switch ((dice + variant) % 4) {
    case 0: return INFINITY;
    case 1: return -INFINITY;
    case 2: return (double)NAN;
    default: return 5e-324; /* the least there is */
    }
}

/* ---- prompb.WriteRequest ---- */

static size_t put_varint(uint8_t *out, uint64_t v)
{
    size_t size = 0;
    for (; v > 0x7F; v >>= 7)
        out[size++] = (uint8_t)(v | 0x80);
    out[size++] = (uint8_t)v;
    return size;
}

/* A field of less than 128 bytes. */
static uint8_t *put_text(uint8_t *at, unsigned field, struct str text)
{
    *at++ = (uint8_t)(field << 3 | 2);
    *at++ = (uint8_t)text.size;
    memcpy(at, text.data, text.size);
    return at + text.size;
}

static size_t put_label(uint8_t *out, struct str name, const char *value)
{
    struct str text = str_from(value);
    out[0] = 1 << 3 | 2;
    out[1] = (uint8_t)(name.size + text.size + 4);
    return (size_t)(put_text(put_text(out + 2, 1, name), 2, text) - out);
}

size_t plan_labels(uint8_t out[PLAN_LABELS_BYTES_MAX], uint32_t group, uint32_t series)
{
    char text[64];
    size_t size = put_label(out, STR("__name__"), "ledger");
    (void)snprintf(text, sizeof(text), "%u", group);
    size += put_label(out + size, STR("g"), text);
    (void)snprintf(text, sizeof(text), "%u", series);
    size += put_label(out + size, STR("i"), text);
    (void)snprintf(text, sizeof(text), "node-%02u.example.internal:9100", series % 40);
    return size + put_label(out + size, STR("instance"), text);
}

static size_t put_sample(uint8_t *out, double v, int64_t t_ms)
{
    uint8_t *at = out;
    *at++ = 2 << 3 | 2;
    uint8_t *size = at++;
    *at++ = 1 << 3 | 1;
    memcpy(at, &v, sizeof(v)); /* little-endian, as this machine */
    at += sizeof(v);
    *at++ = 2 << 3;
    at += put_varint(at, (uint64_t)t_ms);
    *size = (uint8_t)(at - size - 1);
    return (size_t)(at - out);
}

void *plan_body(const struct batch *b, uint32_t variant, size_t *size)
{
    uint8_t one[PLAN_LABELS_BYTES_MAX + PLAN_SAMPLES_MAX * SAMPLE_BYTES];
    uint8_t *message = malloc((size_t)b->series * (sizeof(one) + 8));
    size_t message_size = 0;
    if (!message) abort();
    for (uint32_t i = b->first_series; i < b->first_series + b->series; i++) {
        size_t one_size = plan_labels(one, b->group, i);
        for (uint32_t j = 0; j < b->samples; j++)
            one_size += put_sample(one + one_size, plan_value(b, i, j, variant), b->t_ms + j);
        message[message_size++] = 1 << 3 | 2;
        message_size += put_varint(message + message_size, one_size);
        memcpy(message + message_size, one, one_size);
        message_size += one_size;
    }
    *size = snappy_max_compressed_length(message_size);
    char *body = malloc(*size);
    if (!body || snappy_compress((const char *)message, message_size, body, size) != SNAPPY_OK)
        abort();
    free(message);
    return body;
}
