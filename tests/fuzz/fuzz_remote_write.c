/* links: reference wire */
/*
 * A remote write body, two ways: the input as a snappy block, and the input as the protobuf inside
 * of one (a fuzzer seldom guesses a valid block). It is read where it lies and by protobuf-c, and
 * both must find the same or refuse it with the same words; what is handed out must keep its
 * promises.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/bits.h"
#include "model/names.h"
#include "tests/reference/remote_reference.h"
#include "wire/frame.h"
#include "wire/remote_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 64 << 20 };

/* Touch every byte, so that the sanitizer sees a view that leaves its text. */
static void check_normal(struct labels set)
{
    ASSERT(labels_has(set, LABEL_METRIC_NAME));
    ASSERT(set.count <= REMOTE_LABELS_MAX);
    for (size_t i = 0; i < set.count; i++) {
        ASSERT(set.items[i].name.size > 0 && set.items[i].value.size > 0);
        ASSERT(name_is_utf8(set.items[i].name) && name_is_utf8(set.items[i].value));
        if (i > 0) ASSERT(str_compare(set.items[i - 1].name, set.items[i].name) < 0);
    }
}

static void check_same(const struct remote_series *ours, const struct remote_series *theirs)
{
    ASSERT(ours->label_count == theirs->label_count);
    ASSERT(ours->exemplar_count == theirs->exemplar_count);
    ASSERT(ours->histogram_count == theirs->histogram_count);
    ASSERT(ours->sample_count == theirs->sample_count);
    for (size_t i = 0; i < ours->sample_count; i++) {
        ASSERT(ours->samples[i].t_ms == theirs->samples[i].t_ms);
        ASSERT(bits_from_double(ours->samples[i].v) == bits_from_double(theirs->samples[i].v));
    }
}

/* Bytes of the message up to the end of its first `count` labels, if nothing stands between. */
static size_t leading_labels(struct str message, size_t count)
{
    struct proto_reader r = proto_reader_of(message);
    struct proto_field field;
    for (size_t i = 0; i < count; i++)
        if (proto_next(&r, &field) != PROTO_FIELD || field.number != 1) return 0;
    return (size_t)(r.at - (const uint8_t *)message.data);
}

/* The labels are known up to some place: the samples must be the same, skipped or not. */
static void skip_labels(struct remote_write *rw, struct remote_series *series,
                        const struct remote_series *reference)
{
    for (size_t count = reference->label_count; count > 0; count /= 2) {
        size_t bytes = leading_labels(series->message, count);
        if (bytes == 0) continue;
        ASSERT(remote_write_read(rw, series, bytes, NULL) == OK);
        ASSERT(series->skipped == (count == reference->label_count));
        if (!series->skipped) check_same(series, reference);
        ASSERT(series->sample_count == reference->sample_count);
    }
}

static enum status read_all(struct str body, struct remote_reference *reference, struct arena *a,
                            struct error *err)
{
    struct remote_write rw;
    struct remote_series series;
    struct remote_series expected;
    struct remote_write_counts counts = {0};
    bool more = true;
    enum status st;
    remote_write_open(&rw, body, a);
    while ((st = remote_write_next(&rw, &series, &more, err)) == OK && more) {
        if ((st = remote_write_read(&rw, &series, 0, err)) != OK) break;
        counts = rw.counts;
        if (reference) {
            ASSERT(remote_reference_next(reference, &expected));
            check_same(&series, &expected);
            ASSERT(labels_equal(series.sent, expected.sent));
            skip_labels(&rw, &series, &expected);
            rw.counts = counts;
            ASSERT(remote_write_read(&rw, &series, 0, err) == OK);
            rw.counts = counts;
        }
        if (remote_write_check(&rw, &series) == OK)
            check_normal(series.labels);
        else
            ASSERT(series.error.text[0] != '\0' && series.labels.count == 0);
    }
    if (st == OK && reference) {
        ASSERT(!remote_reference_next(reference, &expected));
        ASSERT(memcmp(&rw.counts, &reference->counts, sizeof(rw.counts)) == 0);
    }
    return st;
}

static void compare(struct str body, struct arena *a)
{
    struct remote_reference reference;
    struct error ours;
    struct error theirs;
    enum status expected = remote_reference_decode(&reference, body, a, &theirs);
    if (expected != OK && expected != ERR_INVALID) return; /* it swelled beyond the arena */
    enum status st = read_all(body, expected ? NULL : &reference, a, &ours);
    if (st == ERR_TOO_LARGE) return; /* the arena, together with the tree */
    ASSERT(st == expected);
    if (st) ASSERT(strcmp(ours.text, theirs.text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = {.data = (const char *)data, .size = size};
    struct str decoded;
    struct arena a;
    arena_init(&a, HEAP_HTTP, ARENA_BYTES);
    if (frame_decode(input, 1 << 20, &a, &decoded, NULL) == OK) compare(decoded, &a);
    arena_reset(&a);
    compare(input, &a);
    arena_release(&a);
    return 0;
}
