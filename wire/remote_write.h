/*
 * remote_write - the body of a remote write 1.0 request, series by series, read where it lies.
 *
 *     frame_decode -> remote_write_open -> remote_write_next ... -> appender
 *
 * Senders send the same series again and again, so whoever reads may know the labels already, by
 * their bytes, and have them skipped:
 *
 *     while ((st = remote_write_next(&rw, &series, &more, err)) == OK && more) {
 *         known = appender_expect(app, series.message, &label_bytes);
 *         st = remote_write_read(&rw, &series, label_bytes, err);
 *         ...
 *         st = remote_write_check(&rw, &series);       only labels that nobody knows
 *         if (st) note(series.error.text);
 *     }
 *
 * A body that is no WriteRequest is refused as a whole, when the place is reached: until the end
 * is, nothing may be stored. A series with bad labels has its own error, so that the others are
 * stored and the answer names the bad one.
 *
 * Everything is on the arena or a view of the body: both live until the appender has committed. The
 * arena's ceiling bounds what a small body can swell to: ERR_TOO_LARGE.
 *
 * Exemplars, native histograms and metadata are counted, not read. tests/reference reads the same
 * bodies with protobuf-c, and tests hold the two equal.
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_WIRE_REMOTE_WRITE_H
#define HEARTH_WIRE_REMOTE_WRITE_H

#include "alloc/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "model/labels.h"
#include "model/sample.h"
#include "wire/proto.h"

/* Ceilings of one series; beyond them it is refused, not the request. */
enum {
    REMOTE_LABELS_MAX = 512,
    REMOTE_NAME_BYTES_MAX = 4096,
    REMOTE_VALUE_BYTES_MAX = 64 << 10,
    REMOTE_LABELS_BYTES_MAX = 128 << 10 /* names and values of one series together */
};

/* Of what has been read so far, bad series included. */
struct remote_write_counts {
    uint64_t series;
    uint64_t samples;
    uint64_t exemplars;
    uint64_t histograms; /* native ones */
    uint64_t metadata;
};

struct remote_write {
    struct remote_write_counts counts;
    struct proto_reader reader; /* private from here on */
    struct arena *arena;
    /* Room on the arena, what is left of it, and how much was taken at once. */
    struct label *labels;
    size_t label_room;
    size_t label_piece;
    struct sample *samples;
    size_t sample_room;
    size_t sample_piece;
};

struct remote_series {
    struct str message; /* the TimeSeries as on the wire; set by remote_write_next */

    /* Set by remote_write_read. */
    struct labels sent; /* as they came, unchecked; until the next series is read */
    size_t label_count; /* also of those beyond REMOTE_LABELS_MAX, which are not in sent */
    const struct sample *samples; /* as sent, in any order */
    size_t sample_count;
    size_t exemplar_count;
    size_t histogram_count;

    /* Set by remote_write_check. */
    struct labels labels; /* normalized, with a __name__; empty unless OK */
    struct error error;   /* set unless OK; names the series */

    bool skipped; /* by remote_write_read: the labels were those bytes and no more; sent is empty */
};

void remote_write_open(struct remote_write *rw, struct str body, struct arena *a);

/* The next series; *more is false behind the last one.
 * ERR_INVALID: not a WriteRequest. */
MUST_USE enum status remote_write_next(struct remote_write *rw, struct remote_series *series,
                                       bool *more, struct error *err);

/* Read the samples and the labels of the series; the labels not if all of them are the first
 * label_bytes of its message (0: unknown), which then start with a whole number of fields.
 *
 * ERR_INVALID                    not a WriteRequest
 * ERR_TOO_LARGE, ERR_NO_MEMORY   from the arena */
MUST_USE enum status remote_write_read(struct remote_write *rw, struct remote_series *series,
                                       size_t label_bytes, struct error *err);

/* Check and normalize the labels that were read.
 * ERR_INVALID, ERR_TOO_LARGE: do not store the series, see series->error. */
MUST_USE enum status remote_write_check(struct remote_write *rw, struct remote_series *series);

#endif
