/*
 * remote_write - the body of a remote write 1.0 request, series by series.
 *
 *     frame_decode -> remote_write_decode -> remote_write_next ... -> appender
 *
 * A body that is no WriteRequest is refused as a whole. A series with bad labels is handed out with
 * its error among the good ones, so that these are stored and the answer names the bad one:
 *
 *     st = remote_write_decode(&rw, body, arena, &err);
 *     if (st) return st;
 *     while (remote_write_next(&rw, &series)) {
 *         if (series.status) { note(series.error.text); continue; }
 *         st = appender_add(app, series.labels, series.samples, series.sample_count, &err);
 *         ...
 *     }
 *
 * Everything is on the arena or a view of the body: both live until the appender has committed.
 * What a message may swell to when it is unpacked (a series of two bytes becomes a hundred) is
 * bounded by the arena's ceiling: ERR_TOO_LARGE.
 *
 * Exemplars, native histograms and metadata are counted, not read.
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

/* Ceilings of one series; beyond them it is refused, not the request. */
enum {
    REMOTE_LABELS_MAX = 512,
    REMOTE_NAME_BYTES_MAX = 4096,
    REMOTE_VALUE_BYTES_MAX = 64 << 10,
    REMOTE_LABELS_BYTES_MAX = 128 << 10 /* names and values of one series together */
};

struct remote_write_counts {
    uint64_t series;
    uint64_t samples;
    uint64_t exemplars;
    uint64_t histograms; /* native ones */
    uint64_t metadata;
};

struct remote_write_message; /* the unpacked protobuf */

struct remote_write {
    struct remote_write_counts counts;          /* of the whole request, bad series included */
    const struct remote_write_message *message; /* private from here on */
    size_t next;
    struct label *labels_at;   /* room for the labels of the series still to come */
    struct sample *samples_at; /* and for their samples */
};

struct remote_series {
    enum status status;           /* OK; ERR_INVALID, ERR_TOO_LARGE: do not store, see error */
    struct error error;           /* set unless status is OK; names the series */
    struct labels labels;         /* normalized, with a __name__; empty unless OK */
    const struct sample *samples; /* as sent, in any order */
    size_t sample_count;          /* also of a refused series: what was lost with it */
    size_t exemplar_count;
    size_t histogram_count;
};

/* Unpack and count; allocates all that remote_write_next needs.
 *
 * ERR_INVALID                    not a WriteRequest; nothing may be stored of it
 * ERR_TOO_LARGE, ERR_NO_MEMORY   from the arena
 */
MUST_USE enum status remote_write_decode(struct remote_write *rw, struct str body, struct arena *a,
                                         struct error *err);

/* The next series; false behind the last one. */
bool remote_write_next(struct remote_write *rw, struct remote_series *out);

#endif
