/* links: wire */
/*
 * A remote write body, two ways: the input as a snappy block, and the input as the protobuf inside
 * of one (a fuzzer seldom guesses a valid block). Whatever is handed out must keep its promises.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "model/names.h"
#include "wire/frame.h"
#include "wire/remote_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 8 << 20 };

/* Touch every byte, so that the sanitizer sees a view that leaves its text. */
static void read_labels(struct labels set)
{
    ASSERT(labels_has(set, LABEL_METRIC_NAME));
    ASSERT(set.count <= REMOTE_LABELS_MAX);
    for (size_t i = 0; i < set.count; i++) {
        ASSERT(set.items[i].name.size > 0 && set.items[i].value.size > 0);
        ASSERT(name_is_utf8(set.items[i].name) && name_is_utf8(set.items[i].value));
        if (i > 0) ASSERT(str_compare(set.items[i - 1].name, set.items[i].name) < 0);
    }
}

static void read_message(struct str body, struct arena *a)
{
    struct remote_write rw;
    struct remote_series series;
    struct error err;
    uint64_t series_count = 0;
    uint64_t sample_count = 0;
    uint64_t bits = 0;
    if (remote_write_decode(&rw, body, a, &err) != OK) return;
    while (remote_write_next(&rw, &series)) {
        series_count++;
        sample_count += series.sample_count;
        for (size_t i = 0; i < series.sample_count; i++)
            bits ^= bits_from_double(series.samples[i].v) ^ (uint64_t)series.samples[i].t_ms;
        if (series.status == OK)
            read_labels(series.labels);
        else
            ASSERT(series.error.text[0] != '\0');
    }
    ASSERT(series_count == rw.counts.series && sample_count == rw.counts.samples);
    (void)*(volatile uint64_t *)&bits;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = {.data = (const char *)data, .size = size};
    struct str decoded;
    struct arena a;
    arena_init(&a, HEAP_HTTP, ARENA_BYTES);
    if (frame_decode(input, 1 << 20, &a, &decoded, NULL) == OK) read_message(decoded, &a);
    arena_reset(&a);
    read_message(input, &a);
    arena_release(&a);
    return 0;
}
