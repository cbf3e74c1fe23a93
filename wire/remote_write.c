/*
 * remote_write - one walk over the bytes; nothing is copied but samples and the views of labels.
 *
 * Room for labels and samples is taken from the arena in growing pieces. What a series has read
 * stays there for the appender: its samples always, its labels once they were checked.
 */
#include "wire/remote_write.h"

#include "base/bits.h"

enum { WRITE_SERIES = 1, WRITE_METADATA = 3 };
enum { SERIES_LABEL = 1, SERIES_SAMPLE = 2, SERIES_EXEMPLAR = 3, SERIES_HISTOGRAM = 4 };
enum { LABEL_NAME = 1, LABEL_VALUE = 2 };
enum { SAMPLE_VALUE = 1, SAMPLE_TIME = 2 };

enum { SAMPLE_ROOM_MIN = 256, SAMPLE_ROOM_MAX = 64 << 10 };
enum { LABEL_ROOM_MIN = 2 * REMOTE_LABELS_MAX, LABEL_ROOM_MAX = 16 * REMOTE_LABELS_MAX };

void remote_write_open(struct remote_write *rw, struct str body, struct arena *a)
{
    *rw = (struct remote_write){.reader = proto_reader_of(body), .arena = a};
}

static enum status broken(struct error *err)
{
    return error_set(err, ERR_INVALID, "body is not a protobuf WriteRequest");
}

/* A series as nearly all are: its length is two bytes long. false: something else, or the end. */
static ALWAYS_INLINE bool next_usual(struct proto_reader *r, struct str *message)
{
    enum { TAG = WRITE_SERIES << 3 | PROTO_BYTES, HEAD_BYTES = 3 };
    const uint8_t *at = r->at;
    size_t room = (size_t)(r->end - at);
    if (room < HEAD_BYTES || at[0] != TAG || at[1] < 0x80 || at[2] >= 0x80) return false;
    size_t size = (size_t)at[2] << 7 | (at[1] & 0x7F);
    if (size > room - HEAD_BYTES) return false;
    *message = (struct str){.data = (const char *)at + HEAD_BYTES, .size = size};
    r->at = at + HEAD_BYTES + size;
    return true;
}

enum status remote_write_next(struct remote_write *rw, struct remote_series *series, bool *more,
                              struct error *err)
{
    struct proto_field field = {0}; /* gcc -O1 does not see that it is set */
    enum proto_step step;
    *more = true;
    if (LIKELY(next_usual(&rw->reader, &series->message))) {
        rw->counts.series++;
        return OK;
    }
    while ((step = proto_next(&rw->reader, &field)) == PROTO_FIELD) {
        if (field.number != WRITE_SERIES && field.number != WRITE_METADATA) continue;
        if (field.type != PROTO_BYTES) return broken(err);
        if (field.number == WRITE_SERIES) {
            rw->counts.series++;
            series->message = field.bytes;
            return OK;
        }
        rw->counts.metadata++;
    }
    *more = false;
    return step == PROTO_END ? OK : broken(err);
}

/* Of a field that is there twice the last one counts; one that is not there is empty. */
static bool read_label(struct str message, struct label *out)
{
    struct proto_reader r = proto_reader_of(message);
    struct proto_field field = {0}; /* gcc -O1 does not see that it is set */
    enum proto_step step;
    *out = (struct label){0};
    while ((step = proto_next(&r, &field)) == PROTO_FIELD) {
        if (field.number != LABEL_NAME && field.number != LABEL_VALUE) continue;
        if (field.type != PROTO_BYTES) return false;
        *(field.number == LABEL_NAME ? &out->name : &out->value) = field.bytes;
    }
    return step == PROTO_END;
}

/* A sample as all senders write it: value, then a time between 2004 and 2109, which takes six
 * bytes.
 *
 *     | 12 | 10 | 09 | value: 8 | 10 | time: 6 |
 */
enum { USUAL_SAMPLE_BYTES = 16, USUAL_FIELD_BYTES = 2 + USUAL_SAMPLE_BYTES };

/* The number in the low 7 bits of each of six bytes, the least significant ones first. */
static ALWAYS_INLINE uint64_t join_sevens(uint64_t bytes)
{
    uint64_t pairs = (bytes & UINT64_C(0x007F007F007F)) | (bytes & UINT64_C(0x7F007F007F00)) >> 1;
    return (pairs & 0x3FFF) | (pairs >> 2 & 0x3FFF << 14) | (pairs >> 4 & UINT64_C(0x3FFF) << 28);
}

/* The field of the sample with its head. false: another one, perhaps. */
static ALWAYS_INLINE bool read_usual_field(const uint8_t at[USUAL_FIELD_BYTES], struct sample *out)
{
    const uint64_t fixed = UINT64_C(0x808080808080FF00); /* of the last eight bytes */
    uint64_t tail = get_le64(at + 10);
    if ((get_le32(at) & 0xFFFFFF) != 0x091012) return false;
    if ((tail & fixed) != UINT64_C(0x0080808080801000)) return false;
    out->t_ms = (int64_t)join_sevens(tail >> 16);
    out->v = bits_to_double(get_le64(at + 3));
    return true;
}

static bool read_sample(struct str message, struct sample *out)
{
    enum { HEAD_BYTES = USUAL_FIELD_BYTES - USUAL_SAMPLE_BYTES }; /* at least, of any field */
    const uint8_t *at = (const uint8_t *)message.data;
    if (message.size == USUAL_SAMPLE_BYTES && read_usual_field(at - HEAD_BYTES, out)) return true;
    struct proto_reader r = proto_reader_of(message);
    struct proto_field field = {0}; /* gcc -O1 does not see that it is set */
    enum proto_step step;
    *out = (struct sample){0};
    while ((step = proto_next(&r, &field)) == PROTO_FIELD) {
        if (field.number == SAMPLE_VALUE) {
            if (field.type != PROTO_FIXED64) return false;
            out->v = bits_to_double(field.value);
        } else if (field.number == SAMPLE_TIME) {
            if (field.type != PROTO_VARINT) return false;
            out->t_ms = (int64_t)field.value;
        }
    }
    return step == PROTO_END;
}

/* The size of the next piece of room: twice the last one, within limits. */
static size_t next_piece(size_t *piece, size_t least, size_t most)
{
    size_t twice = *piece * 2;
    *piece = twice < least ? least : twice > most ? most : twice;
    return *piece;
}

/* Room for `more` samples behind the `count` that this series has already: they move to a larger
 * piece when there is none. */
static bool reserve_samples(struct remote_write *rw, size_t count, size_t more)
{
    if (LIKELY(more <= rw->sample_room && count <= rw->sample_room - more)) return true;
    size_t room = next_piece(&rw->sample_piece, SAMPLE_ROOM_MIN, SAMPLE_ROOM_MAX);
    if (room < 2 * count + more) room = 2 * count + more;
    struct sample *moved = arena_alloc_array(rw->arena, room, sizeof(*moved));
    if (!moved) return false;
    if (count) memcpy(moved, rw->samples, count * sizeof(*moved));
    rw->samples = moved;
    rw->sample_room = room;
    return true;
}

/* Room for as many labels as one series may have. */
static bool reserve_labels(struct remote_write *rw)
{
    if (rw->label_room >= REMOTE_LABELS_MAX) return true;
    size_t room = next_piece(&rw->label_piece, LABEL_ROOM_MIN, LABEL_ROOM_MAX);
    struct label *fresh = arena_alloc_array(rw->arena, room, sizeof(*fresh));
    if (!fresh) return false;
    rw->labels = fresh;
    rw->label_room = room;
    return true;
}

static enum status take_sample(struct remote_write *rw, struct remote_series *series,
                               struct str message, struct error *err)
{
    if (!reserve_samples(rw, series->sample_count, 1)) return arena_error(rw->arena, err);
    if (!read_sample(message, &rw->samples[series->sample_count])) return broken(err);
    series->sample_count++;
    return OK;
}

static enum status take_label(struct remote_write *rw, struct remote_series *series,
                              struct str message, struct error *err)
{
    struct label surplus;
    if (series->label_count == 0 && !reserve_labels(rw)) return arena_error(rw->arena, err);
    bool fits = series->label_count < REMOTE_LABELS_MAX;
    if (!read_label(message, fits ? &rw->labels[series->label_count] : &surplus))
        return broken(err);
    series->label_count++;
    return OK;
}

/* All fields of the series from byte `start` of its message on. */
static enum status read_series(struct remote_write *rw, struct remote_series *series, size_t start,
                               struct error *err)
{
    struct proto_reader r = proto_reader_of(series->message);
    struct proto_field field = {0}; /* gcc -O1 does not see that it is set */
    enum proto_step step;
    enum status st = OK;
    r.at += start;
    while ((step = proto_next(&r, &field)) == PROTO_FIELD) {
        if (field.number < SERIES_LABEL || field.number > SERIES_HISTOGRAM) continue;
        if (field.type != PROTO_BYTES) return broken(err);
        if (field.number == SERIES_SAMPLE)
            st = take_sample(rw, series, field.bytes, err);
        else if (field.number == SERIES_LABEL)
            st = take_label(rw, series, field.bytes, err);
        else if (field.number == SERIES_EXEMPLAR)
            series->exemplar_count++;
        else
            series->histogram_count++;
        if (st) return st;
    }
    return step == PROTO_END ? OK : broken(err);
}

static void clear(struct remote_series *series)
{
    series->label_count = 0;
    series->sample_count = 0;
    series->exemplar_count = 0;
    series->histogram_count = 0;
}

/* When nothing but usual samples follows the labels: one look at the size does for all of them.
 * false: something else, or no room. */
static ALWAYS_INLINE bool read_usual_series(struct remote_write *rw, struct remote_series *series,
                                            size_t label_bytes)
{
    const uint8_t *at = (const uint8_t *)series->message.data + label_bytes;
    size_t left = series->message.size - label_bytes;
    if (left == USUAL_FIELD_BYTES) {
        if (!reserve_samples(rw, 0, 1) || !read_usual_field(at, rw->samples)) return false;
        series->sample_count = 1;
        return true;
    }
    size_t count = left / USUAL_FIELD_BYTES;
    if (count * USUAL_FIELD_BYTES != left || !reserve_samples(rw, 0, count)) return false;
    for (size_t i = 0; i < count; i++, at += USUAL_FIELD_BYTES)
        if (!read_usual_field(at, &rw->samples[i])) return false;
    series->sample_count = count;
    return true;
}

/* The series has been read: its samples stay. */
static ALWAYS_INLINE void keep_series(struct remote_write *rw, struct remote_series *series)
{
    series->samples = rw->samples;
    if (series->sample_count) rw->samples += series->sample_count;
    rw->sample_room -= series->sample_count;
    rw->counts.samples += series->sample_count;
}

enum status remote_write_read(struct remote_write *rw, struct remote_series *series,
                              size_t label_bytes, struct error *err)
{
    clear(series);
    series->skipped = label_bytes > 0;
    if (LIKELY(label_bytes > 0 && read_usual_series(rw, series, label_bytes))) {
        keep_series(rw, series);
        return OK;
    }
    enum status st = read_series(rw, series, label_bytes, err);
    series->skipped = label_bytes > 0 && series->label_count == 0;
    if (!st && label_bytes > 0 && !series->skipped) { /* there are more labels further on */
        clear(series);
        st = read_series(rw, series, 0, err);
    }
    if (st) return st;
    size_t kept = series->label_count < REMOTE_LABELS_MAX ? series->label_count : REMOTE_LABELS_MAX;
    series->sent = (struct labels){.items = rw->labels, .count = kept};
    keep_series(rw, series);
    rw->counts.exemplars += series->exemplar_count;
    rw->counts.histograms += series->histogram_count;
    return OK;
}

static enum status check_sizes(struct labels set, struct error *err)
{
    size_t total = 0;
    for (size_t i = 0; i < set.count; i++) {
        struct label l = set.items[i];
        if (l.name.size > REMOTE_NAME_BYTES_MAX)
            return error_set(err, ERR_TOO_LARGE, "label name of %zu bytes, at most %d are allowed",
                             l.name.size, REMOTE_NAME_BYTES_MAX);
        if (l.value.size > REMOTE_VALUE_BYTES_MAX)
            return error_set(err, ERR_TOO_LARGE, "label value of %zu bytes, at most %d are allowed",
                             l.value.size, REMOTE_VALUE_BYTES_MAX);
        total += l.name.size + l.value.size;
    }
    if (total > REMOTE_LABELS_BYTES_MAX)
        return error_set(err, ERR_TOO_LARGE, "labels of %zu bytes, at most %d are allowed", total,
                         REMOTE_LABELS_BYTES_MAX);
    return OK;
}

static enum status check_labels(struct labels set, struct label *items, struct labels *out,
                                struct error *err)
{
    if (set.count == 0) return error_set(err, ERR_INVALID, "no labels");
    enum status st = check_sizes(set, err);
    if (st == OK) st = labels_normalize(items, set.count, out, err);
    if (st == OK && !labels_has(*out, LABEL_METRIC_NAME))
        st = error_set(err, ERR_INVALID, "no metric name");
    return st;
}

/* Say which series the error is about, in the words it was sent in: normalizing has moved them. */
static void name_series(struct remote_write *rw, const struct remote_series *series,
                        struct error *err)
{
    enum { SERIES_TEXT_BYTES = 160 };
    char text[SERIES_TEXT_BYTES];
    struct remote_series again = {.message = series->message};
    if (read_series(rw, &again, 0, NULL)) return;
    labels_print_short((struct labels){.items = rw->labels, .count = again.label_count}, text,
                       sizeof(text));
    error_wrap(err, "series %s: ", text);
}

enum status remote_write_check(struct remote_write *rw, struct remote_series *series)
{
    struct error *err = &series->error;
    series->labels = (struct labels){.items = NULL, .count = 0};
    if (series->label_count > REMOTE_LABELS_MAX)
        return error_set(err, ERR_TOO_LARGE, "series with %zu labels, at most %d are allowed",
                         series->label_count, REMOTE_LABELS_MAX);
    enum status st = check_labels(series->sent, rw->labels, &series->labels, err);
    if (st) {
        series->labels = (struct labels){.items = NULL, .count = 0};
        name_series(rw, series, err);
        return st;
    }
    rw->labels += series->label_count; /* they stay */
    rw->label_room -= series->label_count;
    return OK;
}
