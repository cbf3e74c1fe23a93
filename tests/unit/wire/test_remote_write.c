/*
 * remote_write: a body of known content (golden.bin, encoded by Google's protobuf for Python), a
 * body Debian's Prometheus sent (prometheus.bin), and hostile ones built here byte by byte.
 */
#include "wire/remote_write.h"

#include <math.h>
#include <stdio.h>

#include "base/bits.h"
#include "base/varint.h"
#include "tests/unit/suite.h"
#include "wire/frame.h"

static struct arena arena;

static void begin(uint64_t ceiling_bytes)
{
    arena_init(&arena, HEAP_HTTP, ceiling_bytes);
}

static struct str body_from_file(const char *path)
{
    static char bytes[65536];
    struct str body;
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    ck_assert_int_eq(frame_decode((struct str){bytes, size}, 1 << 20, &arena, &body, NULL), OK);
    return body;
}

static void is_text(struct str text, const char *expected)
{
    ck_assert_msg(str_equal(text, str_from(expected)), "%.*s, not %s", STR_ARG(text), expected);
}

static void prints(struct labels set, const char *expected)
{
    char text[256];
    ck_assert_str_eq(labels_print_short(set, text, sizeof(text)), expected);
}

/* A message under construction. */
struct message {
    uint8_t data[200000];
    size_t size;
};

static void put_varint(struct message *m, uint64_t v)
{
    m->size += varint_encode(m->data + m->size, v);
}

static void put_bytes(struct message *m, unsigned field, const void *data, size_t size)
{
    put_varint(m, field << 3 | 2);
    put_varint(m, size);
    memcpy(m->data + m->size, data, size);
    m->size += size;
}

static void put_message(struct message *m, unsigned field, const struct message *inner)
{
    put_bytes(m, field, inner->data, inner->size);
}

static void put_label(struct message *series, struct str name, struct str value)
{
    static struct message label;
    label.size = 0;
    put_bytes(&label, 1, name.data, name.size);
    put_bytes(&label, 2, value.data, value.size);
    put_message(series, 1, &label);
}

static void put_sample(struct message *series, double v, int64_t t_ms)
{
    static struct message sample;
    sample.size = 0;
    uint64_t bits = bits_from_double(v);
    put_varint(&sample, 1 << 3 | 1);
    memcpy(sample.data + sample.size, &bits, sizeof(bits));
    sample.size += sizeof(bits);
    put_varint(&sample, 2 << 3 | 0);
    put_varint(&sample, (uint64_t)t_ms);
    put_message(series, 2, &sample);
}

static struct str view(const struct message *m)
{
    return (struct str){.data = (const char *)m->data, .size = m->size};
}

/* Read everything: afterwards the counts are complete and the reader is at the start again. */
static enum status decode_body(struct remote_write *rw, struct str body, struct error *err)
{
    struct remote_series series;
    bool more;
    enum status st;
    remote_write_open(rw, body, &arena);
    while ((st = remote_write_next(rw, &series, &more, err)) == OK && more) {
        st = remote_write_read(rw, &series, 0, err);
        if (st) return st;
    }
    struct remote_write_counts counts = rw->counts;
    remote_write_open(rw, body, &arena);
    rw->counts = counts;
    return st;
}

static enum status decode(struct remote_write *rw, const void *data, size_t size, struct error *err)
{
    return decode_body(rw, (struct str){data, size}, err);
}

/* The next series of a body that decodes; s->error.status tells of its labels. */
static bool next(struct remote_write *rw, struct remote_series *s)
{
    bool more;
    ck_assert_int_eq(remote_write_next(rw, s, &more, NULL), OK);
    if (!more) return false;
    ck_assert_int_eq(remote_write_read(rw, s, 0, NULL), OK);
    ck_assert(!s->skipped);
    s->error.status = OK;
    ck_assert_int_eq(remote_write_check(rw, s), s->error.status);
    return true;
}

START_TEST(the_golden_body_reads_as_it_was_written)
{
    begin(1 << 20);
    struct remote_write rw;
    struct remote_series s;
    ck_assert_int_eq(decode_body(&rw, body_from_file(BODIES "golden.bin"), NULL), OK);
    ck_assert_uint_eq(rw.counts.series, 7);
    ck_assert_uint_eq(rw.counts.samples, 10);
    ck_assert_uint_eq(rw.counts.exemplars, 1);
    ck_assert_uint_eq(rw.counts.histograms, 1);
    ck_assert_uint_eq(rw.counts.metadata, 1);

    ck_assert(next(&rw, &s));
    ck_assert_int_eq(s.error.status, OK);
    prints(s.labels, "up{instance=\"a:9100\", job=\"node\"}");
    ck_assert_uint_eq(s.sample_count, 2);
    ck_assert_int_eq(s.samples[0].t_ms, 1700000000000);
    ck_assert_double_eq(s.samples[0].v, 1);
    ck_assert_int_eq(s.samples[1].t_ms, 1700000015000);
    ck_assert_double_eq(s.samples[1].v, 0);

    ck_assert(next(&rw, &s));
    ck_assert_int_eq(s.error.status, OK);
    prints(s.labels, "{\"http.requests\", job=\"caf\xC3\xA9\", nul=\"a\\x00b\"}");
    ck_assert_uint_eq(s.sample_count, 3);
    ck_assert_uint_eq(bits_from_double(s.samples[0].v), STALE_NAN_BITS);
    ck_assert_int_eq(s.samples[1].t_ms, -1);
    ck_assert(s.samples[1].v == 0 && signbit(s.samples[1].v));
    ck_assert_int_eq(s.samples[2].t_ms, 0);
    ck_assert(isinf(s.samples[2].v));

    ck_assert(next(&rw, &s));
    ck_assert_int_eq(s.error.status, OK);
    ck_assert_uint_eq(s.exemplar_count, 1);
    ck_assert_double_eq(s.samples[0].v, 7.25);

    ck_assert(next(&rw, &s));
    ck_assert_int_eq(s.error.status, OK);
    ck_assert_uint_eq(s.sample_count, 0);
    ck_assert_uint_eq(s.histogram_count, 1);

    ck_assert(next(&rw, &s));
    ck_assert_int_eq(s.error.status, ERR_INVALID);
    ck_assert_str_eq(s.error.text, "series {job=\"x\"}: no metric name");
    ck_assert_uint_eq(s.sample_count, 1);

    ck_assert(next(&rw, &s));
    ck_assert_int_eq(s.error.status, ERR_INVALID);
    ck_assert_str_eq(s.error.text, "series a{job=\"x\", job=\"y\"}: duplicate label name \"job\"");
    ck_assert_uint_eq(s.sample_count, 2);
    ck_assert_uint_eq(s.labels.count, 0);

    ck_assert(next(&rw, &s));
    ck_assert_int_eq(s.error.status, ERR_INVALID);
    ck_assert_str_eq(s.error.text, "series {}: no labels");
    ck_assert(!next(&rw, &s));
    ck_assert(!next(&rw, &s));
    arena_release(&arena);
}
END_TEST

START_TEST(a_body_of_prometheus_reads_in_full)
{
    begin(1 << 20);
    struct remote_write rw;
    struct remote_series s;
    size_t count = 0;
    ck_assert_int_eq(decode_body(&rw, body_from_file(BODIES "prometheus.bin"), NULL), OK);
    ck_assert_uint_eq(rw.counts.series, 39);
    ck_assert_uint_eq(rw.counts.samples, 39);
    while (next(&rw, &s)) {
        ck_assert_int_eq(s.error.status, OK);
        ck_assert_uint_eq(s.sample_count, 1);
        ck_assert_int_eq(s.samples[0].t_ms, 1795255863801);
        is_text(labels_get(s.labels, STR("job")), "self");
        if (str_equal(labels_get(s.labels, LABEL_METRIC_NAME), STR("go_memstats_sys_bytes")))
            ck_assert_double_eq(s.samples[0].v, 24229128);
        count++;
    }
    ck_assert_uint_eq(count, 39);
    arena_release(&arena);
}
END_TEST

START_TEST(an_empty_body_is_an_empty_request)
{
    begin(1 << 20);
    struct remote_write rw;
    struct remote_series s;
    ck_assert_int_eq(decode(&rw, "", 0, NULL), OK);
    ck_assert_uint_eq(rw.counts.series, 0);
    ck_assert(!next(&rw, &s));
    arena_release(&arena);
}
END_TEST

START_TEST(broken_messages_are_refused_whole)
{
    static const struct {
        const char *what;
        const char *bytes;
        size_t size;
    } cases[] = {
        {"garbage", "\xDE\xAD\xBE\xEF", 4},
        {"length past the end",
         "\x0A\x05"
         "ab",
         4},
        {"cut tag", "\x80", 1},
        {"cut length", "\x0A\x80", 2},
        {"length varint of 11 bytes", "\x0A\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12},
        {"length 2^64-1", "\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11},
        {"wire type 6", "\x0E\x00", 2},
        {"wire type 7", "\x0F\x00", 2},
        {"series as varint", "\x08\x01", 2},
        {"sample value as varint", "\x0A\x04\x12\x02\x08\x01", 6},
        {"sample time as fixed64",
         "\x0A\x0B\x12\x09\x11"
         "12345678",
         13},
        {"label as varint", "\x0A\x02\x08\x01", 4},
        {"field number 0", "\x02\x00", 2},
        {"field number 0 in a series", "\x0A\x02\x02\x00", 4},
        {"open group", "\x1B", 1},
        {"group", "\x53\x54", 2},
        {"stray end of group", "\x54", 1},
        {"cut fixed64", "\x51\x00\x00", 3},
    };
    begin(1 << 20);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct remote_write rw;
        struct error err;
        ck_assert_msg(decode(&rw, cases[i].bytes, cases[i].size, &err) == ERR_INVALID, "%s",
                      cases[i].what);
        ck_assert(strstr(err.text, "not a protobuf WriteRequest") != NULL);
    }
    arena_release(&arena);
}
END_TEST

START_TEST(every_cut_of_a_body_is_refused_or_shorter)
{
    begin(64 << 20);
    struct str body = body_from_file(BODIES "golden.bin");
    for (size_t size = 0; size < body.size; size++) {
        struct remote_write rw;
        struct remote_series s;
        struct arena_mark mark = arena_mark(&arena);
        /* A copy of the exact size, so that the sanitizer sees one byte too many. */
        struct str copy = {.data = arena_copy(&arena, (struct str){body.data, size}).data, size};
        if (decode_body(&rw, copy, NULL) == OK) {
            ck_assert_uint_lt(rw.counts.series + rw.counts.metadata, 8);
            while (next(&rw, &s)) {
            }
        }
        arena_rewind(&arena, mark);
    }
    arena_release(&arena);
}
END_TEST

START_TEST(unknown_fields_are_ignored)
{
    begin(1 << 20);
    static struct message m;
    static struct message series;
    struct remote_write rw;
    struct remote_series s;
    put_label(&series, LABEL_METRIC_NAME, STR("up"));
    put_varint(&series, 99 << 3 | 0);
    put_varint(&series, 7);
    put_sample(&series, 1, 5);
    put_message(&m, 1, &series);
    put_bytes(&m, 2, "reserved", 8);
    put_bytes(&m, 1000, "later", 5);
    ck_assert_int_eq(decode_body(&rw, view(&m), NULL), OK);
    ck_assert(next(&rw, &s));
    ck_assert_int_eq(s.error.status, OK);
    prints(s.labels, "up");
    ck_assert_int_eq(s.samples[0].t_ms, 5);
    arena_release(&arena);
}
END_TEST

START_TEST(bad_labels_refuse_their_series_only)
{
    static struct message m;
    static struct message series;
    static const struct {
        struct str name, value;
        const char *words;
    } cases[] = {
        {{"", 0}, {"x", 1}, "series up{\"\"=\"x\"}: empty label name"},
        {{"a\xFF", 2}, {"x", 1}, "series up{\"a\\xff\"=\"x\"}: label name is not valid UTF-8"},
        {{"a", 1},
         {"\xC0\xAF", 2},
         "series up{a=\"\\xc0\\xaf\"}: value of label \"a\" is not valid UTF-8"},
        {{"a", 1},
         {"\xED\xA0\x80", 3},
         "series up{a=\"\\xed\\xa0\\x80\"}: value of label \"a\" is not valid UTF-8"},
        {{"__name__", 8}, {"down", 4}, "series up: duplicate label name \"__name__\""},
    };
    enum { CASES = sizeof(cases) / sizeof(cases[0]) };
    struct remote_write rw;
    struct remote_series s;
    begin(1 << 20);
    for (size_t i = 0; i < CASES; i++) {
        for (int good = 0; good < 2; good++) {
            series.size = 0;
            put_label(&series, LABEL_METRIC_NAME, STR("up"));
            if (!good) put_label(&series, cases[i].name, cases[i].value);
            put_sample(&series, 1, (int64_t)i);
            put_message(&m, 1, &series);
        }
    }
    ck_assert_int_eq(decode_body(&rw, view(&m), NULL), OK);
    for (size_t i = 0; i < CASES; i++) {
        ck_assert(next(&rw, &s));
        ck_assert_int_eq(s.error.status, ERR_INVALID);
        if (i + 1 < CASES) ck_assert_str_eq(s.error.text, cases[i].words);
        ck_assert(next(&rw, &s));
        ck_assert_int_eq(s.error.status, OK);
        ck_assert_int_eq(s.samples[0].t_ms, (int64_t)i);
    }
    arena_release(&arena);
}
END_TEST

START_TEST(ceilings_refuse_their_series_only)
{
    static char text[REMOTE_LABELS_BYTES_MAX];
    static uint8_t bytes[4 << 20];
    struct remote_write rw;
    struct remote_series s;
    static struct message series;
    size_t size = 0;
    begin(64 << 20);
    memset(text, 'x', sizeof(text));
    for (int i = 0; i < 6; i++) {
        static struct message m;
        m.size = series.size = 0;
        put_label(&series, LABEL_METRIC_NAME, STR("up"));
        if (i == 0) put_label(&series, (struct str){text, REMOTE_NAME_BYTES_MAX + 1}, STR("v"));
        if (i == 2) {
            for (int l = 0; l < REMOTE_LABELS_MAX; l++)
                put_label(&series, (struct str){text, (size_t)l % 9 + 1}, STR("v"));
        }
        if (i == 3) {
            for (int l = 0; l < 3; l++)
                put_label(&series, (struct str){text, (size_t)l + 1}, (struct str){text, 20000});
        }
        if (i == 4) put_label(&series, STR("a"), (struct str){text, REMOTE_VALUE_BYTES_MAX + 1});
        if (i == 5) {
            for (int l = 0; l < 3; l++)
                put_label(&series, (struct str){text, (size_t)l + 1}, (struct str){text, 43690});
        }
        put_message(&m, 1, &series);
        memcpy(bytes + size, m.data, m.size);
        size += m.size;
    }
    ck_assert_int_eq(decode(&rw, bytes, size, NULL), OK);
    ck_assert(next(&rw, &s));
    ck_assert_int_eq(s.error.status, ERR_TOO_LARGE);
    ck_assert(strstr(s.error.text, "label name of 4097 bytes, at most 4096 are allowed") != NULL);
    ck_assert(next(&rw, &s));
    ck_assert_int_eq(s.error.status, OK);
    ck_assert(next(&rw, &s));
    ck_assert_int_eq(s.error.status, ERR_TOO_LARGE);
    ck_assert_str_eq(s.error.text, "series with 513 labels, at most 512 are allowed");
    ck_assert(next(&rw, &s));
    ck_assert_int_eq(s.error.status, OK);
    ck_assert_uint_eq(s.labels.count, 4);
    ck_assert(next(&rw, &s));
    ck_assert_int_eq(s.error.status, ERR_TOO_LARGE);
    ck_assert(strstr(s.error.text, "label value of 65537 bytes, at most 65536 are allowed") !=
              NULL);
    ck_assert(next(&rw, &s));
    ck_assert_int_eq(s.error.status, ERR_TOO_LARGE);
    ck_assert(strstr(s.error.text, "labels of 131086 bytes, at most 131072 are allowed") != NULL);
    arena_release(&arena);
}
END_TEST

/* A field of two bytes of a WriteRequest, or of its one series, 400,000 times. */
static enum status bomb(bool in_series, uint8_t tag, uint64_t *held_bytes)
{
    enum { COUNT = 400000 };
    static uint8_t bytes[2 * COUNT + 16];
    struct remote_write rw;
    struct error err;
    size_t size = 0;
    begin(16 << 20);
    if (in_series) {
        bytes[size++] = 0x0A;
        size += varint_encode(bytes + size, (uint64_t)2 * COUNT);
    }
    for (int i = 0; i < COUNT; i++) {
        bytes[size++] = tag;
        bytes[size++] = 0;
    }
    enum status st = decode(&rw, bytes, size, &err);
    *held_bytes = arena.held_bytes;
    arena_release(&arena);
    return st;
}

START_TEST(bombs_take_little_memory)
{
    uint64_t held_bytes;
    ck_assert_int_eq(bomb(false, 0x0A, &held_bytes), OK); /* series */
    ck_assert_uint_eq(held_bytes, 0);
    ck_assert_int_eq(bomb(true, 0x0A, &held_bytes), OK); /* labels */
    ck_assert_uint_le(held_bytes, 64 << 10);
    ck_assert_int_eq(bomb(true, 0x12, &held_bytes), ERR_TOO_LARGE); /* samples */
    ck_assert_uint_le(held_bytes, 16 << 20);
    ck_assert_int_eq(bomb(false, 0x52, &held_bytes), OK); /* unknown fields */
    ck_assert_uint_eq(held_bytes, 0);
}
END_TEST

START_TEST(known_labels_are_skipped)
{
    static struct message series;
    static struct message m;
    struct remote_write rw;
    struct remote_series s;
    bool more;
    begin(1 << 20);
    series.size = m.size = 0;
    put_label(&series, LABEL_METRIC_NAME, STR("up"));
    size_t one = series.size;
    put_label(&series, STR("job"), STR("node"));
    size_t both = series.size;
    put_sample(&series, 1.5, 15000);
    put_message(&m, 1, &series);
    remote_write_open(&rw, view(&m), &arena);
    ck_assert_int_eq(remote_write_next(&rw, &s, &more, NULL), OK);
    ck_assert_uint_eq(s.message.size, series.size);

    ck_assert_int_eq(remote_write_read(&rw, &s, both, NULL), OK);
    ck_assert(s.skipped && s.sent.count == 0);
    ck_assert_uint_eq(s.sample_count, 1);
    ck_assert(s.samples[0].t_ms == 15000 && s.samples[0].v == 1.5);

    /* Not all of them: everything is read after all. */
    ck_assert_int_eq(remote_write_read(&rw, &s, one, NULL), OK);
    ck_assert(!s.skipped && s.sent.count == 2);
    ck_assert_uint_eq(s.sample_count, 1);
    ck_assert_int_eq(remote_write_check(&rw, &s), OK);
    prints(s.labels, "up{job=\"node\"}");
    arena_release(&arena);
}
END_TEST

START_TEST(fields_come_in_any_order_and_the_last_one_counts)
{
    static const uint8_t sample[] = "\x10\x01"                                     /* time 1 */
                                    "\x09\0\0\0\0\0\0\0\x40"                       /* value 2 */
                                    "\x51\x01\x02\x03\x04\x05\x06\x07\x08"         /* unknown */
                                    "\x09\0\0\0\0\0\0\x10\x40"                     /* value 4 */
                                    "\x10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F" /* time -1 */
                                    "\x3D\x01\x02\x03\x04";                        /* unknown */
    static const uint8_t label[] = "\x12\x01x"
                                   "\x0A\x01y"
                                   "\x8A\x80\x00\x88\x80\x00__name__"; /* long tag and length */
    static struct message series;
    static struct message m;
    struct remote_write rw;
    struct remote_series s;
    begin(1 << 20);
    series.size = m.size = 0;
    put_bytes(&series, 2, sample, sizeof(sample) - 1);
    put_bytes(&series, 1, label, sizeof(label) - 1);
    put_label(&series, STR("a"), STR("b"));
    put_bytes(&m, 3, "", 0);
    put_message(&m, 1, &series);
    put_bytes(&m, 3, "", 0);
    ck_assert_int_eq(decode_body(&rw, view(&m), NULL), OK);
    ck_assert_uint_eq(rw.counts.metadata, 2);
    ck_assert(next(&rw, &s));
    ck_assert_int_eq(s.error.status, OK);
    prints(s.labels, "x{a=\"b\"}");
    ck_assert_uint_eq(s.sample_count, 1);
    ck_assert_int_eq(s.samples[0].t_ms, -1);
    ck_assert_double_eq(s.samples[0].v, 4);
    arena_release(&arena);
}
END_TEST

/* Pieces of room end inside of a series, and series have more samples than a piece. */
START_TEST(samples_stay_where_they_were_handed_out)
{
    static struct message m;
    struct remote_write rw;
    struct remote_series s;
    static struct remote_series all[40];
    static struct message series;
    begin(16 << 20);
    m.size = 0;
    for (int i = 0; i < 40; i++) {
        series.size = 0;
        put_label(&series, LABEL_METRIC_NAME, STR("up"));
        for (int j = 0; j < i * 8; j++)
            put_sample(&series, i, j);
        put_message(&m, 1, &series);
    }
    ck_assert_int_eq(decode_body(&rw, view(&m), NULL), OK);
    for (int i = 0; i < 40; i++) {
        ck_assert(next(&rw, &s));
        all[i] = s;
    }
    for (int i = 0; i < 40; i++) {
        prints(all[i].labels, "up");
        ck_assert_uint_eq(all[i].sample_count, (size_t)i * 8);
        for (int j = 0; j < i * 8; j++)
            ck_assert(all[i].samples[j].t_ms == j && all[i].samples[j].v == i);
    }
    arena_release(&arena);
}
END_TEST

SUITE(remote_write, the_golden_body_reads_as_it_was_written, a_body_of_prometheus_reads_in_full,
      an_empty_body_is_an_empty_request, broken_messages_are_refused_whole,
      every_cut_of_a_body_is_refused_or_shorter, unknown_fields_are_ignored,
      bad_labels_refuse_their_series_only, ceilings_refuse_their_series_only,
      bombs_take_little_memory, known_labels_are_skipped,
      fields_come_in_any_order_and_the_last_one_counts, samples_stay_where_they_were_handed_out)
