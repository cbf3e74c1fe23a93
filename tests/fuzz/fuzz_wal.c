/* links: snapshot */
/*
 * A segment without its head: the input as records (resynchronising included), and the input as the
 * payload of one batch, which a fuzzer seldom guesses behind two checksums. What decodes is encoded
 * again and must decode to the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "snapshot/record.h"
#include "snapshot/wal_batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 64 << 20, SERIES_MAX = 4096 };

static void check_same(const struct wal_batch *a, const struct wal_batch *b)
{
    ASSERT(a->series_count == b->series_count && a->sample_count == b->sample_count);
    for (size_t i = 0; i < a->series_count; i++) {
        const struct wal_series *x = &a->series[i];
        const struct wal_series *y = &b->series[i];
        ASSERT(x->id == y->id && x->sample_count == y->sample_count);
        ASSERT(labels_equal(x->labels, y->labels));
        ASSERT(x->sample_count == 0 ||
               memcmp(x->samples, y->samples, x->sample_count * sizeof(x->samples[0])) == 0);
    }
}

static void check_round_trip(const struct wal_batch *batch, struct arena *a)
{
    static _Atomic uint32_t never_defined;
    struct journal_series *series = arena_alloc_array(a, batch->series_count, sizeof(series[0]));
    if (!series) return;
    for (size_t i = 0; i < batch->series_count; i++)
        series[i] = (struct journal_series){.id = batch->series[i].id,
                                            .labels = batch->series[i].labels,
                                            .defined_in = &never_defined,
                                            .samples = batch->series[i].samples,
                                            .sample_count = batch->series[i].sample_count};
    const struct journal_batch journal = {
        .series = series, .series_count = batch->series_count, .sample_count = batch->sample_count};
    const struct wal_place place = {.ordinal = 1};
    struct wal_batch again;
    struct buf b;
    size_t labeled;
    buf_init(&b, HEAP_SNAPSHOT, ARENA_BYTES);
    if (wal_batch_encode(&journal, place, &b, &labeled, NULL) == OK &&
        wal_batch_decode(b.data + RECORD_HEADER_BYTES, get_le32(b.data + 8), a, &again, NULL) == OK)
        check_same(batch, &again);
    buf_release(&b);
}

static void read_batch(const uint8_t *payload, size_t size)
{
    struct wal_batch batch;
    struct error err;
    struct arena a;
    arena_init(&a, HEAP_SNAPSHOT, ARENA_BYTES);
    enum status st = wal_batch_decode(payload, size, &a, &batch, &err);
    ASSERT(st == OK || err.text[0] != '\0');
    if (st == OK && batch.series_count <= SERIES_MAX) check_round_trip(&batch, &a);
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record_scan scan;
    struct record record;
    bool more = true;
    uint64_t seen = 0;
    record_scan_memory(&scan, data, size, 0, 0);
    for (;;) {
        ASSERT(record_next(&scan, &record, &more, NULL) == OK);
        seen += record.damaged_bytes;
        if (!more) break;
        seen += RECORD_HEADER_BYTES + record.size;
        read_batch(record.payload, record.size);
    }
    ASSERT(seen <= size);
    read_batch(data, size);
    return 0;
}
