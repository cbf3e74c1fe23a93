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

/* Of nothing there may be no address. */
static bool same_bytes(const void *a, const void *b, size_t size)
{
    return size == 0 || memcmp(a, b, size) == 0;
}

static void check_same(const struct wal_batch *a, const struct wal_batch *b)
{
    ASSERT(a->entry_count == b->entry_count && a->sample_count == b->sample_count);
    ASSERT(same_bytes(wal_batch_entries(a), wal_batch_entries(b),
                      a->entry_count * sizeof(struct wal_entry)));
    ASSERT(same_bytes(wal_batch_samples(a), wal_batch_samples(b),
                      a->sample_count * sizeof(struct sample)));
    /* Encoded again, every entry has labels. */
    for (size_t i = 0, k = 0; i < b->definitions.count; i++) {
        bool given = k < a->definitions.count && a->definitions.items[k].entry == i;
        ASSERT(b->definitions.items[i].entry == i);
        if (given)
            ASSERT(labels_equal(a->definitions.items[k++].labels, b->definitions.items[i].labels));
        else
            ASSERT(b->definitions.items[i].labels.count == 0);
    }
}

static void check_runs(const struct wal_batch *batch)
{
    size_t seen = 0;
    for (uint32_t part = 0; part < WAL_PARTS; part++) {
        uint32_t at = batch->first_run[part];
        for (; at != WAL_RUN_NONE; at = batch->runs.items[at].next) {
            const struct wal_run *run = &batch->runs.items[at];
            for (uint32_t i = 0; i < run->count; i++)
                ASSERT(wal_batch_entries(batch)[run->first + i].id % WAL_PARTS == part);
            seen += run->count;
        }
    }
    ASSERT(seen == batch->entry_count);
}

static void check_round_trip(const struct wal_batch *batch, struct arena *a)
{
    static _Atomic uint32_t never_defined;
    struct journal_series *series = arena_alloc_array(a, batch->entry_count, sizeof(series[0]));
    if (!series) return;
    const struct sample *samples = wal_batch_samples(batch);
    size_t definition = 0;
    for (size_t i = 0; i < batch->entry_count; i++) {
        const struct wal_entry *entry = &wal_batch_entries(batch)[i];
        series[i] = (struct journal_series){.id = entry->id,
                                            .defined_in = &never_defined,
                                            .samples = samples,
                                            .sample_count = entry->sample_count};
        samples += entry->sample_count;
        if (definition < batch->definitions.count &&
            batch->definitions.items[definition].entry == i)
            series[i].labels = batch->definitions.items[definition++].labels;
    }
    const struct journal_batch journal = {
        .series = series, .series_count = batch->entry_count, .sample_count = batch->sample_count};
    const struct wal_place place = {.ordinal = 1};
    struct wal_batch again;
    struct buf b;
    size_t labeled;
    buf_init(&b, HEAP_SNAPSHOT, ARENA_BYTES);
    wal_batch_init(&again);
    if (wal_batch_encode(&journal, place, &b, &labeled, NULL) == OK &&
        wal_batch_decode(b.data + RECORD_HEADER_BYTES, get_le32(b.data + 8), a, &again, NULL) == OK)
        check_same(batch, &again);
    wal_batch_release(&again);
    buf_release(&b);
}

static void read_batch(const uint8_t *payload, size_t size)
{
    struct wal_batch batch;
    struct error err;
    struct arena a;
    arena_init(&a, HEAP_SNAPSHOT, ARENA_BYTES);
    wal_batch_init(&batch);
    enum status st = wal_batch_decode(payload, size, &a, &batch, &err);
    ASSERT(st == OK || err.text[0] != '\0');
    if (st == OK) check_runs(&batch);
    if (st == OK && batch.entry_count <= SERIES_MAX) check_round_trip(&batch, &a);
    wal_batch_release(&batch);
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
