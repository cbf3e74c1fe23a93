/*
 * wal_batch - see wal_batch.h.
 */
#include "snapshot/wal_batch.h"

#include <string.h>

#include "base/bits.h"
#include "base/endian.h"
#include "base/varint.h"
#include "snapshot/record.h"

enum { LABEL_SAME = 0, LABEL_VALUE = 1, LABEL_NEW = 2 };
enum { ENTRY_MANY_SAMPLES = 1, ENTRY_LABELS = 2, ENTRY_FLAG_BITS = 2 };
enum { SAMPLE_TIME = 0x10, SAMPLE_BYTES_MASK = 0x0F };
enum { SAMPLE_BYTES_MAX = 1 + VARINT_BYTES_MAX + 8 };
enum { ENTRY_BYTES_MAX = 2 * VARINT_BYTES_MAX }; /* without labels and samples */

/* What defined_in says. */
enum { NOTE_COPIES_SHIFT = 11, NOTE_ORDINAL_SHIFT = 13, NOTE_COPIES_MASK = 3 };
enum copies { COPIES_NONE, COPIES_ONE, COPIES_NEAR, COPIES_ENOUGH };
enum { UNITS_APART = 2 }; /* more than one page, wherever in their units the copies start */

struct note {
    uint32_t ordinal;
    enum copies copies;
    uint32_t unit; /* of the last copy */
};

static struct note read_note(const struct journal_series *series)
{
    uint32_t v = atomic_load_explicit(series->defined_in, memory_order_relaxed);
    return (struct note){.ordinal = v >> NOTE_ORDINAL_SHIFT,
                         .copies = (enum copies)(v >> NOTE_COPIES_SHIFT & NOTE_COPIES_MASK),
                         .unit = v & WAL_UNIT_MAX};
}

static bool needs_labels(const struct note *note, struct wal_place place)
{
    if (place.ordinal > WAL_ORDINAL_MAX || note->ordinal != place.ordinal) return true;
    if (note->copies == COPIES_NEAR) return place.unit >= note->unit + UNITS_APART;
    return note->copies != COPIES_ENOUGH;
}

void wal_batch_note(const struct journal_batch *batch, struct wal_place place, uint32_t unit)
{
    if (place.ordinal > WAL_ORDINAL_MAX) return;
    for (size_t i = 0; i < batch->series_count; i++) {
        const struct journal_series *series = &batch->series[i];
        struct note note = read_note(series);
        if (!needs_labels(&note, place)) continue;
        enum copies copies = COPIES_ONE;
        if (note.ordinal == place.ordinal)
            copies = unit >= note.unit + UNITS_APART ? COPIES_ENOUGH : COPIES_NEAR;
        uint32_t next =
            place.ordinal << NOTE_ORDINAL_SHIFT | (uint32_t)copies << NOTE_COPIES_SHIFT | unit;
        atomic_store_explicit(series->defined_in, next, memory_order_relaxed);
    }
}

static ALWAYS_INLINE uint8_t *put_text(uint8_t *at, struct str text)
{
    at += varint_encode(at, text.size);
    if (text.size) memcpy(at, text.data, text.size);
    return at + text.size;
}

/* Texts of one symbol lie in one place. */
static ALWAYS_INLINE bool same_text(struct str a, struct str b)
{
    return a.size == b.size && (a.data == b.data || memcmp(a.data, b.data, a.size) == 0);
}

static uint8_t *put_label(uint8_t *at, const struct label *previous, struct label label)
{
    if (!previous || !same_text(previous->name, label.name)) {
        *at++ = LABEL_NEW;
        return put_text(put_text(at, label.name), label.value);
    }
    if (same_text(previous->value, label.value)) {
        *at++ = LABEL_SAME;
        return at;
    }
    *at++ = LABEL_VALUE;
    return put_text(at, label.value);
}

static size_t labels_bytes_max(struct labels labels)
{
    size_t size = VARINT_BYTES_MAX;
    for (size_t i = 0; i < labels.count; i++)
        size += 1 + 2 * (size_t)VARINT_BYTES_MAX + labels.items[i].name.size +
                labels.items[i].value.size;
    return size;
}

/* varint_encode, without branches for what takes three bytes at most. */
static ALWAYS_INLINE size_t put_short(uint8_t *at, uint64_t v)
{
    if (UNLIKELY(v >= UINT32_C(1) << 21)) return varint_encode(at, v);
    uint32_t small = (uint32_t)v;
    uint32_t more = (small > 0x7F) + (small > 0x3FFF);
    uint32_t bytes = (small & 0x7F) | (small << 1 & 0x7F00) | (small << 2 & 0x7F0000);
    put_le32(at, bytes | (0x8080 & ((1u << 8 * more) - 1)));
    return 1 + more;
}

/* The bytes of a value up to its last one that is not zero. No branch: nobody can foretell it. */
static ALWAYS_INLINE size_t kept_bytes(uint64_t bits)
{
    return 8u - (unsigned)__builtin_ctzll(bits | UINT64_C(1) << 63) / 8 - (bits == 0);
}

/* at has room for SAMPLE_BYTES_MAX; returns the bytes written. */
static ALWAYS_INLINE size_t put_sample(uint8_t *at, const struct sample *sample,
                                       int64_t previous_ms)
{
    uint64_t bits = bits_from_double(sample->v);
    size_t kept = kept_bytes(bits);
    size_t n = 1;
    at[0] = (uint8_t)kept;
    if (UNLIKELY(sample->t_ms != previous_ms)) {
        at[0] = (uint8_t)(at[0] | SAMPLE_TIME);
        uint64_t delta = (uint64_t)sample->t_ms - (uint64_t)previous_ms;
        n += varint_encode(at + n, bits_zigzag((int64_t)delta));
    }
    bits = htobe64(bits);
    memcpy(at + n, &bits, sizeof(bits)); /* of which `kept` bytes stay */
    return n + kept;
}

/* What the entries written so far make shorter in the next one. */
struct previous {
    struct labels labels;
    uint32_t id;
    int64_t t_ms;
    struct journal_room rooms[2]; /* for the labels, and the next ones */
};

/* The head of a series with its labels. */
static NO_INLINE enum status put_labeled_head(struct buf *out, const struct journal_batch *batch,
                                              const struct journal_series *series, uint64_t head,
                                              struct previous *previous, struct error *err)
{
    struct labels labels;
    struct journal_room room = previous->rooms[1];
    enum status st = journal_labels(batch, series, &room, &labels, err);
    if (st) return st;
    uint8_t *at = buf_reserve(out, VARINT_BYTES_MAX + labels_bytes_max(labels));
    if (!at) return buf_status(out, err);
    at += varint_encode(at, head | ENTRY_LABELS);
    at += varint_encode(at, labels.count);
    for (size_t i = 0; i < labels.count; i++)
        at = put_label(at, i < previous->labels.count ? &previous->labels.items[i] : NULL,
                       labels.items[i]);
    out->size = (size_t)(at - out->data);
    previous->labels = labels;
    previous->rooms[1] = previous->rooms[0];
    previous->rooms[0] = room;
    return OK;
}

static ALWAYS_INLINE uint64_t entry_head(const struct journal_series *series,
                                         const struct previous *previous)
{
    return bits_zigzag((int64_t)series->id - previous->id) << ENTRY_FLAG_BITS;
}

/* The series' head, its labels when `labeled`, its samples. */
static NO_INLINE enum status put_entry(struct buf *out, const struct journal_batch *batch,
                                       const struct journal_series *series, bool labeled,
                                       struct previous *previous, struct error *err)
{
    size_t count = series->sample_count;
    bool many = count != 1;
    uint64_t head = entry_head(series, previous) | (many ? ENTRY_MANY_SAMPLES : 0);
    previous->id = series->id;
    if (labeled) {
        enum status st = put_labeled_head(out, batch, series, head, previous, err);
        if (st) return st;
    }
    uint8_t *at = buf_reserve(out, ENTRY_BYTES_MAX + count * SAMPLE_BYTES_MAX);
    if (!at) return buf_status(out, err);
    const uint8_t *start = at;
    if (!labeled) at += varint_encode(at, head);
    if (many) at += varint_encode(at, count);
    for (size_t i = 0; i < count; i++) {
        at += put_sample(at, &series->samples[i], previous->t_ms);
        previous->t_ms = series->samples[i].t_ms;
    }
    out->size += (size_t)(at - start);
    return OK;
}

/* put_entry for one sample of a series without labels, which is most of what is ever logged: for
 * the entries from `first` on, up to one that is something else or has no room. Returns where. */
static size_t put_usual(struct buf *out, const struct journal_batch *batch, size_t first,
                        struct wal_place place, struct previous *previous)
{
    enum { AHEAD = 8 };
    const uint32_t no_labels =
        place.ordinal << (NOTE_ORDINAL_SHIFT - NOTE_COPIES_SHIFT) | COPIES_ENOUGH;
    size_t i = first;
    if (out->refused || place.ordinal > WAL_ORDINAL_MAX) return i;
    size_t room;
    uint8_t *at = buf_room(out, &room);
    const uint8_t *end = at + room;
    struct previous last = *previous;
    for (; i < batch->series_count; i++) {
        const struct journal_series *series = &batch->series[i];
        if (i + AHEAD < batch->series_count) __builtin_prefetch(series[AHEAD].defined_in);
        uint32_t note = atomic_load_explicit(series->defined_in, memory_order_relaxed);
        if (note >> NOTE_COPIES_SHIFT != no_labels || series->sample_count != 1) break;
        if (end - at < ENTRY_BYTES_MAX + SAMPLE_BYTES_MAX) break;
        at += put_short(at, entry_head(series, &last));
        at += put_sample(at, series->samples, last.t_ms);
        last.id = series->id;
        last.t_ms = series->samples[0].t_ms;
    }
    out->size = (size_t)(at - out->data);
    *previous = last;
    return i;
}

enum status wal_batch_encode(const struct journal_batch *batch, struct wal_place place,
                             struct buf *out, size_t *labeled, struct error *err)
{
    size_t start = record_begin(out);
    struct previous previous = {0};
    enum status st = buf_status(out, err);
    *labeled = 0;
    for (size_t i = 0; !st; i++) {
        i = put_usual(out, batch, i, place, &previous);
        if (i == batch->series_count) break;
        const struct note note = read_note(&batch->series[i]);
        bool with_labels = needs_labels(&note, place);
        *labeled += with_labels;
        st = put_entry(out, batch, &batch->series[i], with_labels, &previous, err);
    }
    if (st) return st;
    if (out->size - start - RECORD_HEADER_BYTES > RECORD_BATCH_MAX)
        return error_set(err, ERR_TOO_LARGE, "a batch of %zu bytes; at most %d are logged at once",
                         out->size - start, RECORD_BATCH_MAX);
    record_end(out, start, RECORD_BATCH);
    return buf_status(out, err);
}

/* Decoding: a cursor over the payload; broken sticks, so that pieces check once. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool broken;
};

static uint64_t get_varint(struct cursor *c)
{
    uint64_t v = 0;
    size_t n = varint_decode(c->at, c->end, &v);
    if (n == 0) c->broken = true;
    c->at += n;
    return v;
}

static struct str get_text(struct cursor *c)
{
    uint64_t size = get_varint(c);
    if (c->broken || size > (size_t)(c->end - c->at)) {
        c->broken = true;
        return (struct str){0};
    }
    struct str text = {.data = (const char *)c->at, .size = (size_t)size};
    c->at += size;
    return text;
}

static uint8_t get_byte(struct cursor *c)
{
    if (c->broken || c->at == c->end) {
        c->broken = true;
        return 0;
    }
    return *c->at++;
}

static enum status corrupt(const struct cursor *c, const uint8_t *payload, const char *what,
                           struct error *err)
{
    return error_set(err, ERR_CORRUPT, "%s at byte %zu of the batch", what,
                     (size_t)(c->at - payload));
}

static enum status get_labels(struct cursor *c, const uint8_t *payload, struct labels previous,
                              struct arena *a, struct labels *out, struct error *err)
{
    uint64_t count = get_varint(c);
    /* Each label takes at least a byte. */
    if (c->broken || count > (size_t)(c->end - c->at))
        return corrupt(c, payload, "bad count of labels", err);
    struct label *items = arena_alloc_array(a, (size_t)count, sizeof(items[0]));
    if (!items) return arena_error(a, err);
    for (size_t i = 0; i < count; i++) {
        uint8_t kind = get_byte(c);
        bool old = i < previous.count;
        if (kind > LABEL_NEW || (kind != LABEL_NEW && !old)) c->broken = true;
        if (c->broken) return corrupt(c, payload, "bad label", err);
        items[i].name = kind == LABEL_NEW ? get_text(c) : previous.items[i].name;
        items[i].value = kind == LABEL_SAME ? previous.items[i].value : get_text(c);
        if (c->broken) return corrupt(c, payload, "bad label", err);
    }
    struct labels written = {.items = items, .count = (size_t)count};
    struct error why;
    if (labels_normalize(items, written.count, out, &why))
        return error_set(err, ERR_CORRUPT, "%s", why.text);
    if (out->count != written.count) return corrupt(c, payload, "empty label value", err);
    return OK;
}

static bool get_sample(struct cursor *c, int64_t *t_ms, struct sample *out)
{
    uint8_t tag = get_byte(c);
    unsigned kept = tag & SAMPLE_BYTES_MASK;
    if (kept > 8 || (tag & ~(SAMPLE_TIME | SAMPLE_BYTES_MASK))) c->broken = true;
    if (tag & SAMPLE_TIME)
        *t_ms = (int64_t)((uint64_t)*t_ms + (uint64_t)bits_unzigzag(get_varint(c)));
    if (c->broken || kept > (size_t)(c->end - c->at)) {
        c->broken = true;
        return false;
    }
    uint64_t bits = 0;
    for (unsigned i = 0; i < kept; i++)
        bits |= (uint64_t)*c->at++ << (56 - 8 * i);
    *out = (struct sample){.t_ms = *t_ms, .v = bits_to_double(bits)};
    return true;
}

/* What entries are told relative to, and where they go. */
struct decoding {
    struct cursor c;
    const uint8_t *payload;
    struct arena *arena;
    struct wal_batch *out;
    struct labels labels;
    uint32_t id;
    int64_t t_ms;
};

/* Entries that are in the batch become runs. */
static bool find_runs(struct decoding *d)
{
    struct wal_batch *out = d->out;
    const struct wal_entry *entries = wal_batch_entries(out);
    uint32_t tails[WAL_PARTS]; /* the last run of each part */
    uint32_t part = WAL_PARTS; /* of the last entry */
    uint32_t first_sample = 0;
    for (unsigned i = 0; i < WAL_PARTS; i++)
        tails[i] = out->first_run[i] = WAL_RUN_NONE;
    for (uint32_t i = 0; i < out->entry_count; i++) {
        if (UNLIKELY(entries[i].id % WAL_PARTS != part)) {
            struct wal_run *run = VEC_PUSH(&out->runs, d->arena);
            if (!run) return false;
            uint32_t number = (uint32_t)(out->runs.count - 1);
            *run = (struct wal_run){.first = i, .first_sample = first_sample, .next = WAL_RUN_NONE};
            part = entries[i].id % WAL_PARTS;
            if (tails[part] == WAL_RUN_NONE)
                out->first_run[part] = number;
            else
                out->runs.items[tails[part]].next = number;
            tails[part] = number;
        }
        out->runs.items[out->runs.count - 1].count++;
        first_sample += entries[i].sample_count;
    }
    return true;
}

static enum status get_samples(struct decoding *d, uint64_t count, struct error *err)
{
    struct cursor *c = &d->c;
    struct buf *samples = &d->out->samples;
    /* Each sample takes at least a byte. */
    if (c->broken || count > (size_t)(c->end - c->at))
        return corrupt(c, d->payload, "bad count of samples", err);
    struct sample *at = (struct sample *)(void *)buf_reserve(samples, (size_t)count * sizeof(*at));
    if (!at && count > 0) return buf_status(samples, err);
    for (size_t i = 0; i < count; i++)
        if (!get_sample(c, &d->t_ms, &at[i])) return corrupt(c, d->payload, "bad sample", err);
    samples->size += (size_t)count * sizeof(*at);
    d->out->sample_count += (size_t)count;
    return OK;
}

static enum status get_definition(struct decoding *d, struct error *err)
{
    struct wal_definition *definition = VEC_PUSH(&d->out->definitions, d->arena);
    if (!definition) return arena_error(d->arena, err);
    definition->entry = (uint32_t)d->out->entry_count;
    enum status st = get_labels(&d->c, d->payload, d->labels, d->arena, &definition->labels, err);
    d->labels = definition->labels;
    return st;
}

static enum status get_entry(struct decoding *d, struct error *err)
{
    struct cursor *c = &d->c;
    uint64_t head = get_varint(c);
    int64_t id;
    if (__builtin_add_overflow(bits_unzigzag(head >> ENTRY_FLAG_BITS), (int64_t)d->id, &id) ||
        id < 0 || id > UINT32_MAX)
        return corrupt(c, d->payload, "bad series id", err);
    struct wal_entry *entry =
        (struct wal_entry *)(void *)buf_reserve(&d->out->entries, sizeof(*entry));
    if (!entry) return buf_status(&d->out->entries, err);
    enum status st = head & ENTRY_LABELS ? get_definition(d, err) : OK;
    if (st) return st;
    uint64_t count = head & ENTRY_MANY_SAMPLES ? get_varint(c) : 1;
    st = get_samples(d, count, err);
    if (st) return st;
    *entry = (struct wal_entry){.id = (uint32_t)id, .sample_count = (uint32_t)count};
    d->id = entry->id;
    d->out->entries.size += sizeof(*entry);
    d->out->entry_count++;
    return OK;
}

/* A varint of three bytes at most out of four that are readable; its size, 0 when it is longer. */
static ALWAYS_INLINE size_t get_short(const uint8_t *at, uint32_t *out)
{
    uint32_t bytes = get_le32(at);
    uint32_t ends = ~bytes & 0x808080;
    if (UNLIKELY(ends == 0)) return 0;
    unsigned bits = (unsigned)__builtin_ctz(ends) + 1;
    bytes &= (UINT32_C(2) << (bits - 1)) - 1;
    *out = (bytes & 0x7F) | (bytes >> 1 & 0x3F80) | (bytes >> 2 & 0x1FC000);
    return bits / 8;
}

/* get_entry for what put_usual writes: one sample of a series, without labels. As many as there
 * are, up to one that is something else or near the end of the payload. */
static enum status get_usual(struct decoding *d, struct error *err)
{
    enum { AT_ONCE = 1024, READ_BYTES_MAX = 4 + 1 + VARINT_BYTES_MAX + 8 };
    struct wal_batch *out = d->out;
    size_t fit = (size_t)(d->c.end - d->c.at) / READ_BYTES_MAX;
    size_t room = fit < AT_ONCE ? fit : AT_ONCE;
    if (!buf_reserve(&out->entries, (room + 1) * sizeof(struct wal_entry)) ||
        !buf_reserve(&out->samples, (room + 1) * sizeof(struct sample)))
        return buf_status(out->entries.refused ? &out->entries : &out->samples, err);
    struct wal_entry *entries = (struct wal_entry *)(void *)(out->entries.data + out->entries.size);
    struct sample *samples = (struct sample *)(void *)(out->samples.data + out->samples.size);
    const uint8_t *at = d->c.at;
    int64_t t_ms = d->t_ms;
    int64_t id = d->id;
    size_t n = 0;
    for (; n < room && d->c.end - at >= READ_BYTES_MAX; n++) {
        uint32_t head = 0;
        const uint8_t *p = at + get_short(at, &head);
        int64_t next = id + bits_unzigzag(head >> ENTRY_FLAG_BITS);
        uint8_t tag = *p;
        unsigned kept = tag & SAMPLE_BYTES_MASK;
        uint64_t delta = 0;
        if (p == at || head & (ENTRY_MANY_SAMPLES | ENTRY_LABELS) || (uint64_t)next > UINT32_MAX ||
            kept > 8 || tag > (SAMPLE_TIME | 8))
            break;
        p++;
        if (tag & SAMPLE_TIME) {
            size_t size = varint_decode(p, d->c.end, &delta);
            if (size == 0) break;
            p += size;
        }
        uint64_t bits;
        memcpy(&bits, p, sizeof(bits));
        bits = kept ? be64toh(bits) >> (64 - 8 * kept) << (64 - 8 * kept) : 0;
        id = next;
        t_ms = (int64_t)((uint64_t)t_ms + (uint64_t)bits_unzigzag(delta));
        entries[n] = (struct wal_entry){.id = (uint32_t)id, .sample_count = 1};
        samples[n] = (struct sample){.t_ms = t_ms, .v = bits_to_double(bits)};
        at = p + kept;
    }
    d->c.at = at;
    d->t_ms = t_ms;
    d->id = (uint32_t)id;
    out->entries.size += n * sizeof(*entries);
    out->samples.size += n * sizeof(*samples);
    out->entry_count += n;
    out->sample_count += n;
    return OK;
}

void wal_batch_init(struct wal_batch *b)
{
    *b = (struct wal_batch){0};
    buf_init(&b->entries, HEAP_SNAPSHOT, (size_t)RECORD_BATCH_MAX * sizeof(struct wal_entry));
    buf_init(&b->samples, HEAP_SNAPSHOT, (size_t)RECORD_BATCH_MAX * sizeof(struct sample));
}

void wal_batch_release(struct wal_batch *b)
{
    buf_release(&b->entries);
    buf_release(&b->samples);
}

enum status wal_batch_decode(const uint8_t *payload, size_t size, struct arena *a,
                             struct wal_batch *out, struct error *err)
{
    struct decoding d = {
        .c = {.at = payload, .end = payload + size}, .payload = payload, .arena = a, .out = out};
    buf_reset(&out->entries);
    buf_reset(&out->samples);
    out->definitions = (struct wal_definitions){0};
    out->runs = (struct wal_runs){0};
    out->entry_count = out->sample_count = 0;
    while (d.c.at < d.c.end) {
        enum status st = get_usual(&d, err);
        if (st == OK && d.c.at < d.c.end) st = get_entry(&d, err);
        if (st) return st;
    }
    return find_runs(&d) ? OK : arena_error(a, err);
}
