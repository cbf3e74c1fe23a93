/*
 * export - chunks out and in, as bytes, for whoever keeps them (snapshot/).
 *
 * Out: one window at a time, shard by shard, in bounded steps, while writers go on. A chunk image
 * is what is sealed, as it is, or the open bit stream up to the sample count published when it was
 * read, with the late run merged in. In: through the same allocation as ingestion, from any thread,
 * in any order; importing a chunk that overlaps samples already there merges them (same bits no-op,
 * other bits: what is there stays).
 *
 * The encoding is tagged: bytes of an unknown tag are refused, never guessed.
 */
#ifndef HEARTH_STORAGE_EXPORT_H
#define HEARTH_STORAGE_EXPORT_H

#include "alloc/arena.h"
#include "encoding/open_codec.h"
#include "model/labels.h"
#include "storage/storage.h"

enum chunk_encoding {
    CHUNK_XOR = 1,         /* Gorilla's, storage/xor_codec.h: only read, of former versions */
    CHUNK_OPEN_FORMER = 2, /* encoding/open_former.h: likewise */
    CHUNK_SEALED = 3,      /* encoding/times.h and encoding/values.h */
    CHUNK_OPEN = 4         /* encoding/open_codec.h, with what its encoder knows at the end */
};

struct chunk_image {
    struct labels labels; /* with numbers: their count alone */
    const uint32_t
        *numbers; /* NULL, or labels as numbers of the importer's texts: name, value, ... */
    int64_t window;
    uint8_t encoding; /* enum chunk_encoding */
    bool verified;    /* a checksum says that bytes and state are what was exported */
    uint32_t sample_count;
    uint32_t size; /* bytes */
    const uint8_t *bytes;
    const uint8_t *times; /* CHUNK_SEALED: the column of times, bytes has the values; else NULL */
    uint32_t times_size;
    int64_t t_first_ms;
    int64_t t_last_ms;
    struct open_state state; /* CHUNK_OPEN: behind the last sample */
};

struct window_info {
    int64_t window;
    uint64_t version; /* grows with every change of any chunk of the window, in this process: as
                       * long as it is the same nothing has changed */
    uint64_t chunks;
};
/* Retained windows that hold anything, oldest first; returns how many. Also those later than the
 * clock, which may have gone back, and be wrong. */
size_t export_windows(struct storage *db, struct window_info out[STORAGE_WINDOWS_MAX]);

/* The chunks of one window, one after the other. Everything that was applied before export_open is
 * among them. The exporter is on the arena, which it rewinds at each step. ERR_NO_MEMORY,
 * ERR_TOO_LARGE: the arena. */
struct exporter;
MUST_USE enum status export_open(struct storage *db, int64_t window, struct arena *a,
                                 struct exporter **out, struct error *err);
/* The next chunk; *image views memory that is valid until the next call. *more is false at the end.
 * Does not hold a shard lock between calls, nor while the caller writes. ERR_CORRUPT: broken
 * memory; other statuses as export_open. */
MUST_USE enum status export_next(struct exporter *e, struct chunk_image *image, bool *more,
                                 struct error *err);
void export_close(struct exporter *e);

/* Until each request that has changed anything by now has its answer from the journal. What was
 * exported before may hold it in part; with its record it is whole again. One caller at a time. */
void export_settle(struct storage *db);

/* Decode it and compare with what it says of itself; all of it lies in [t_min_ms, t_max_ms].
 * Nothing is stored. ERR_CORRUPT, ERR_UNSUPPORTED, ERR_NO_MEMORY, ERR_TOO_LARGE. */
MUST_USE enum status chunk_image_check(const struct chunk_image *image, int64_t t_min_ms,
                                       int64_t t_max_ms, struct arena *scratch, struct error *err);

/* Chunks on their way back. An importer is one thread's; any number of them at once.
 * ERR_NO_MEMORY: the limit. */
struct importer;
MUST_USE enum status importer_open(struct storage *db, struct importer **out, struct error *err);
void importer_close(struct importer *im);

/* Images that follow may name their labels by the numbers of these texts, from 0 on, which stay
 * where they are until the next call. ERR_NO_MEMORY, ERR_TOO_LARGE. */
MUST_USE enum status importer_texts(struct importer *im, const struct str *texts, size_t count,
                                    struct error *err);

/* Put chunks back, one after the other, up to the first that does not go in; *done is how many are
 * in. Each is decoded and checked before anything of it is stored; what is verified and of
 * CHUNK_OPEN is not decoded. Hand over many at once: those of one shard that follow each other, as
 * an exporter's do, share a hold of its lock.
 *
 * OK                 all of them
 * Otherwise nothing is stored of images[*done], because
 * ERR_OUT_OF_RANGE   its window is not retained any more (or not yet)
 * ERR_CORRUPT        labels, bytes, count, times or window do not agree
 * ERR_UNSUPPORTED    unknown encoding
 * ERR_NO_MEMORY, ERR_TOO_LARGE   the limit, or scratch for one chunk */
MUST_USE enum status importer_put(struct importer *im, const struct chunk_image *images,
                                  size_t count, size_t *done, struct error *err);

/* The same with an importer of its own. */
MUST_USE enum status import_chunks(struct storage *db, const struct chunk_image *images,
                                   size_t count, size_t *done, struct error *err);

/* For now no more chunks come, of this window or of any: what was taken ahead for it, if it has
 * closed, is given back, and what equal chunks are found by. */
void import_finish_window(struct storage *db, int64_t window);
void import_finish(struct storage *db);

#endif
