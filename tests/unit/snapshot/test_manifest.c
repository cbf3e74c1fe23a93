/* manifest: round trip, in memory and as a file; no damage and no lie passes. */
#include "snapshot/manifest.h"

#include "base/endian.h"
#include "snapshot/record.h"
#include "tests/unit/snapshot/world.h"

static const struct identity identity = {{1, 2, 3, 4}};

static void make(struct manifest *m, uint64_t snapshot, uint64_t first_segment)
{
    *m = (struct manifest){.snapshot = snapshot,
                           .chunk_ms = 14400000,
                           .first_segment = first_segment,
                           .written_ms = 1700000000000,
                           .count = 3};
    for (int i = 0; i < 3; i++)
        m->entries[i] = (struct window_entry){.window = i - 1,
                                              .snapshot = snapshot - (uint64_t)(2 - i),
                                              .size = 1000u + (uint64_t)i,
                                              .chunks = 10,
                                              .samples = 100,
                                              .crc = 0xDEADBEEF};
}

START_TEST(a_manifest_comes_back_and_no_damage_passes)
{
    struct manifest *m = heap_alloc(sizeof(*m), HEAP_SNAPSHOT);
    struct manifest *out = heap_alloc(sizeof(*out), HEAP_SNAPSHOT);
    struct buf b;
    buf_init(&b, HEAP_SNAPSHOT, 1 << 20);
    make(m, 12, 34);
    ck_assert_int_eq(manifest_encode(m, &identity, &b, NULL), OK);
    ck_assert_int_eq(manifest_decode(b.data, b.size, &identity, out, NULL), OK);
    ck_assert_uint_eq(out->snapshot, 12);
    ck_assert_uint_eq(out->first_segment, 34);
    ck_assert_int_eq(out->written_ms, m->written_ms);
    ck_assert_int_eq(out->chunk_ms, m->chunk_ms);
    ck_assert_uint_eq(out->count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct window_entry *entry = manifest_find(out, (int64_t)i - 1);
        ck_assert_ptr_nonnull(entry);
        ck_assert_mem_eq(entry, &m->entries[i], offsetof(struct window_entry, crc) + 4);
    }
    ck_assert_ptr_null(manifest_find(out, 5));

    for (size_t cut = 0; cut < b.size; cut++)
        ck_assert_int_eq(manifest_decode(b.data, cut, &identity, out, NULL), ERR_CORRUPT);
    for (size_t bit = 0; bit < 8 * b.size; bit++) {
        if (bit / 8 >= 60 && bit / 8 < 64) continue; /* four bytes of nothing in the head */
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_int_eq(manifest_decode(b.data, b.size, &identity, out, NULL), ERR_CORRUPT);
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    const struct identity other = {{9}};
    ck_assert_int_eq(manifest_decode(b.data, b.size, &other, out, NULL), ERR_CORRUPT);
    buf_release(&b);
    heap_free(m, sizeof(*m), HEAP_SNAPSHOT);
    heap_free(out, sizeof(*out), HEAP_SNAPSHOT);
}
END_TEST

static void expect_lie(struct buf *b, const char *told)
{
    struct manifest out;
    struct error err = {0};
    ck_assert_int_eq(manifest_decode(b->data, b->size, &identity, &out, &err), ERR_CORRUPT);
    ck_assert_str_eq(err.text, told);
    buf_release(b);
}

/* An intact record of a manifest with such a payload. */
static void make_record(struct buf *b, uint64_t entries_told, size_t payload_bytes)
{
    const struct head head = {.kind = HEAD_MANIFEST, .identity = identity, .sequence = 12};
    uint8_t bytes[HEAD_BYTES];
    uint8_t payload[1024] = {0};
    head_encode(&head, bytes);
    put_le64(payload + 16, entries_told);
    buf_init(b, HEAP_SNAPSHOT, 1 << 20);
    buf_append(b, bytes, sizeof(bytes));
    size_t start = record_begin(b);
    buf_append(b, payload, payload_bytes);
    record_end(b, start, RECORD_MANIFEST);
    record_seal(b->data + start, head_seed(&head), 0);
}

START_TEST(a_payload_that_cannot_be_is_refused)
{
    enum { PREFACE = 24, ENTRY = 48 };
    static struct manifest m;
    struct buf b;
    make_record(&b, 0, PREFACE);
    ck_assert_int_eq(manifest_decode(b.data, b.size, &identity, &m, NULL), OK);
    ck_assert_uint_eq(m.count, 0);
    buf_release(&b);
    make_record(&b, 0, PREFACE - 1);
    expect_lie(&b, "a manifest of 23 bytes");
    make_record(&b, 0, 0);
    expect_lie(&b, "a manifest of 0 bytes");
    make_record(&b, 2, PREFACE + ENTRY);
    expect_lie(&b, "2 entries in 72 bytes");
    make_record(&b, 1, PREFACE + ENTRY + 1);
    expect_lie(&b, "1 entries in 73 bytes");
    make_record(&b, MANIFEST_ENTRIES_MAX + 1, PREFACE);
    expect_lie(&b, "257 entries in 24 bytes");
    make_record(&b, UINT64_MAX, PREFACE);
    expect_lie(&b, "18446744073709551615 entries in 24 bytes");
    for (int step = 0; step < 2; step++) {
        make(&m, 12, 34);
        m.entries[1].window = m.entries[2].window + step;
        buf_init(&b, HEAP_SNAPSHOT, 1 << 20);
        ck_assert_int_eq(manifest_encode(&m, &identity, &b, NULL), OK);
        expect_lie(&b, "windows out of order");
    }
}
END_TEST

START_TEST(a_file_is_read_under_its_own_number_alone)
{
    static struct manifest m;
    static struct manifest out;
    struct world w;
    struct data_folder folder;
    struct arena a;
    struct error err = {0};
    struct file_path path;
    struct file_path other;
    world_init(&w);
    arena_init(&a, HEAP_SNAPSHOT, WORLD_ARENA_BYTES);
    ck_assert_int_eq(data_folder_open(&folder, w.path, &a, NULL), OK);
    make(&m, 12, 34);
    ck_assert_int_eq(manifest_write(&folder, &m, NULL), OK);
    ck_assert_int_eq(manifest_read(&folder, 12, &out, NULL), OK);
    ck_assert_uint_eq(out.snapshot, 12);
    ck_assert_uint_eq(out.count, 3);
    ck_assert_int_eq(manifest_read(&folder, 13, &out, NULL), ERR_NOT_FOUND);

    data_folder_path(&folder, DATA_MANIFEST, (struct data_name){.number = 12}, &path);
    data_folder_path(&folder, DATA_MANIFEST, (struct data_name){.number = 13}, &other);
    ck_assert_int_eq(rename(path.text, other.text), 0);
    ck_assert_int_eq(manifest_read(&folder, 13, &out, &err), ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "/manifests/00000013: it is manifest 12 under"));
    data_folder_close(&folder);
    arena_release(&a);
    world_release(&w);
}
END_TEST

SUITE(manifest, a_manifest_comes_back_and_no_damage_passes, a_payload_that_cannot_be_is_refused,
      a_file_is_read_under_its_own_number_alone)
