/* record: round trips, every bit flipped, resynchronising. */
#include "snapshot/record.h"

#include <unistd.h>

#include "tests/unit/suite.h"

enum { RECORDS = 5, SEED = 12345 };

/* Payloads of 0, 7, 14, ... bytes, all i. */
static void make(struct buf *b)
{
    for (unsigned i = 0; i < RECORDS; i++) {
        size_t start = record_begin(b);
        for (unsigned n = 0; n < 7 * i; n++)
            buf_append_byte(b, (uint8_t)i);
        record_end(b, start, RECORD_BATCH);
        record_seal(b->data + start, SEED, 100 + i);
    }
    ck_assert_int_eq(buf_status(b, NULL), OK);
}

static size_t count_intact(const uint8_t *bytes, size_t size, uint64_t *damaged)
{
    struct record_scan scan;
    struct record record;
    bool more = true;
    size_t count = 0;
    *damaged = 0;
    record_scan_memory(&scan, bytes, size, 0, SEED);
    for (;;) {
        ck_assert_int_eq(record_next(&scan, &record, &more, NULL), OK);
        *damaged += record.damaged_bytes;
        if (!more) return count;
        uint64_t i = record.sequence - 100;
        ck_assert_uint_lt(i, RECORDS);
        ck_assert_uint_eq(record.size, 7 * i);
        for (size_t n = 0; n < record.size; n++)
            ck_assert_uint_eq(record.payload[n], i);
        count++;
    }
}

START_TEST(records_come_back_in_order)
{
    struct buf b;
    uint64_t damaged;
    buf_init(&b, HEAP_SNAPSHOT, 1 << 20);
    make(&b);
    ck_assert_uint_eq(b.size % RECORD_ALIGNMENT, 0);
    ck_assert_uint_eq(count_intact(b.data, b.size, &damaged), RECORDS);
    ck_assert_uint_eq(damaged, 0);
    buf_release(&b);
}
END_TEST

START_TEST(a_flipped_bit_takes_one_record_at_most)
{
    struct buf b;
    uint64_t damaged;
    buf_init(&b, HEAP_SNAPSHOT, 1 << 20);
    make(&b);
    for (size_t bit = 0; bit < 8 * b.size; bit++) {
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_uint_ge(count_intact(b.data, b.size, &damaged), RECORDS - 1);
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    buf_release(&b);
}
END_TEST

START_TEST(inserted_bytes_do_not_hide_what_follows)
{
    struct buf b;
    uint64_t damaged;
    buf_init(&b, HEAP_SNAPSHOT, 1 << 20);
    make(&b);
    uint8_t *longer = heap_alloc(b.size + 3, HEAP_SNAPSHOT);
    for (size_t at = 0; at <= b.size; at++) {
        memcpy(longer, b.data, at);
        memset(longer + at, 'H', 3);
        memcpy(longer + at + 3, b.data + at, b.size - at);
        ck_assert_uint_ge(count_intact(longer, b.size + 3, &damaged), RECORDS - 1);
    }
    heap_free(longer, b.size + 3, HEAP_SNAPSHOT);
    buf_release(&b);
}
END_TEST

START_TEST(records_of_another_file_are_damage)
{
    struct buf b;
    struct record_scan scan;
    struct record record;
    bool more;
    buf_init(&b, HEAP_SNAPSHOT, 1 << 20);
    make(&b);
    record_scan_memory(&scan, b.data, b.size, 0, SEED + 1);
    ck_assert_int_eq(record_next(&scan, &record, &more, NULL), OK);
    ck_assert(!more);
    ck_assert_uint_eq(record.damaged_bytes, b.size);
    buf_release(&b);
}
END_TEST

START_TEST(sizes_beyond_the_file_or_the_ceiling_are_not_believed)
{
    uint8_t bytes[64] = {0};
    static const uint32_t sizes[] = {33, 64, RECORD_BATCH_MAX + 1, RECORD_PAYLOAD_MAX, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        uint64_t damaged;
        record_header(bytes, RECORD_BATCH, sizes[i], 0);
        record_seal(bytes, SEED, 100);
        ck_assert_uint_eq(count_intact(bytes, sizeof(bytes), &damaged), 0);
        ck_assert_uint_eq(damaged, sizeof(bytes));
    }
}
END_TEST

static void file_of(struct file *f, const uint8_t *bytes, size_t size)
{
    char path[] = "/tmp/hearth-record-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    struct file_piece piece = {.data = bytes, .size = size};
    ck_assert_int_eq(file_open(f, path, FILE_CHANGE, NULL), OK);
    unlink(path);
    ck_assert_int_eq(file_write(f, 0, &piece, 1, NULL), OK);
}

/* Records of all claims; they lie one behind the other, and cover the file. */
static size_t count_claimed(const uint8_t *bytes, size_t size, size_t *claims)
{
    struct file f;
    struct buf search;
    struct buf buffer;
    struct record_scan scan;
    uint64_t start;
    uint64_t end = 0;
    size_t count = 0;
    file_of(&f, bytes, size);
    buf_init(&search, HEAP_SNAPSHOT, 1 << 20);
    buf_init(&buffer, HEAP_SNAPSHOT, 1 << 20);
    record_scan_open(&scan, &f, size, 0, SEED, &search);
    for (*claims = 0;; ++*claims) {
        struct record_scan part;
        struct record record;
        bool more = true;
        uint64_t before = end;
        ck_assert_int_eq(record_claim(&scan, &start, &end, NULL), OK);
        ck_assert_uint_eq(start, before);
        if (start == end) break;
        record_scan_claim(&part, &f, start, end, SEED, &buffer);
        while (more) {
            ck_assert_int_eq(record_next(&part, &record, &more, NULL), OK);
            count += more && record.size == 7 * (record.sequence - 100);
        }
    }
    ck_assert_uint_eq(end, size);
    buf_release(&search);
    buf_release(&buffer);
    file_close(&f);
    return count;
}

START_TEST(claims_cover_a_file_and_lose_no_more_than_what_is_damaged)
{
    struct buf b;
    size_t claims;
    buf_init(&b, HEAP_SNAPSHOT, 1 << 20);
    make(&b);
    ck_assert_uint_eq(count_claimed(b.data, b.size, &claims), RECORDS);
    ck_assert_uint_eq(claims, RECORDS);
    for (size_t i = 0; i < b.size; i++) {
        b.data[i] ^= 0x10;
        ck_assert_uint_ge(count_claimed(b.data, b.size, &claims), RECORDS - 1);
        ck_assert_uint_ge(claims, RECORDS - 1);
        b.data[i] ^= 0x10;
    }
    for (size_t cut = 0; cut < b.size; cut++) {
        uint64_t damaged;
        size_t expected = count_intact(b.data, cut, &damaged);
        ck_assert_uint_eq(count_claimed(b.data, cut, &claims), expected);
    }
    buf_release(&b);
}
END_TEST

SUITE(record, claims_cover_a_file_and_lose_no_more_than_what_is_damaged, records_come_back_in_order,
      a_flipped_bit_takes_one_record_at_most, inserted_bytes_do_not_hide_what_follows,
      records_of_another_file_are_damage, sizes_beyond_the_file_or_the_ceiling_are_not_believed)
