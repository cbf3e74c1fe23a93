/* manifest: round trip, and no damage passes. */
#include "snapshot/manifest.h"

#include "tests/unit/suite.h"

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

SUITE(manifest, a_manifest_comes_back_and_no_damage_passes)
