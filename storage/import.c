/*
 * import - putting a chunk back, alone or merged with what is there.
 *
 * A chunk that was exported had been acknowledged, so the limit on the number of series does not
 * apply; the limit of memory does.
 */
#include "base/assert.h"
#include "storage/expiry.h"
#include "storage/export.h"
#include "storage/image.h"
#include "storage/import_xor.h"
#include "storage/seal.h"
#include "storage/state.h"

static const uint64_t merge_bytes_max = UINT64_C(1) << 30;

static enum status check_labels(struct labels labels, struct error *err)
{
    if (labels.count > SERIES_LABELS_MAX)
        return error_set(err, ERR_CORRUPT, "series with %zu labels, at most %d are allowed",
                         labels.count, SERIES_LABELS_MAX);
    for (size_t i = 0; i < labels.count; i++) {
        const struct label *label = &labels.items[i];
        if (label->name.size == 0 || label->value.size == 0)
            return error_set(err, ERR_CORRUPT, "label %zu has no name or no value", i);
        if (i > 0 && str_compare(labels.items[i - 1].name, label->name) >= 0)
            return error_set(err, ERR_CORRUPT, "label names are not in order at \"%.*s\"",
                             STR_ARG(label->name));
    }
    return OK;
}

static enum status check_window(const struct storage *db, int64_t window, struct error *err)
{
    struct storage_bounds bounds = storage_bounds(db);
    if (window >= bounds.oldest_window && window <= window_of(&db->grid, bounds.newest_ms))
        return OK;
    return error_set(err, ERR_OUT_OF_RANGE, "window %lld is not retained", (long long)window);
}

/* Both columns into one new chunk; where times are equal, what is there wins. NULL at the limit. */
static struct chunk *merge_columns(int64_t window, const struct columns *there,
                                   const struct columns *more)
{
    struct chunk *merged = chunk_create(window);
    size_t i = 0;
    size_t j = 0;
    while (merged && (i < there->count || j < more->count)) {
        bool take_there = j == more->count || (i < there->count && there->t_ms[i] <= more->t_ms[j]);
        const struct columns *from = take_there ? there : more;
        size_t at = take_there ? i : j;
        if (take_there && j < more->count && there->t_ms[i] == more->t_ms[j]) j++;
        if (take_there)
            i++;
        else
            j++;
        if (chunk_add(merged, from->t_ms[at], from->v[at]) != CHUNK_APPENDED) {
            chunk_destroy(merged);
            merged = NULL;
        }
    }
    return merged;
}

/* One chunk of the samples of both. */
static enum status merge_chunks(const struct held *there, const struct chunk *more,
                                struct chunk **out, struct error *err)
{
    struct arena scratch;
    arena_init(&scratch, HEAP_CHUNKS, merge_bytes_max);
    struct columns a = {.arena = &scratch};
    struct columns b = {.arena = &scratch};
    enum status st = held_read(there, INT64_MIN, INT64_MAX, &a, err);
    if (!st) st = chunk_read(more, INT64_MIN, INT64_MAX, &b, err);
    if (!st) {
        *out = merge_columns(there->window, &a, &b);
        if (!*out) st = error_set(err, ERR_NO_MEMORY, "no memory for a chunk");
    }
    arena_release(&scratch);
    return st;
}

/* The window has closed: nothing will be appended, as far as the clock knows. */
static bool is_closed(const struct storage *db, int64_t window)
{
    return window < expiry_bounds(db).current_window;
}

/* The window's bounds, the samples of an image, and what is made of them. */
struct incoming {
    const struct chunk_image *image;
    struct sealer sealer;      /* scratch; its arena has the columns */
    struct columns columns;    /* all samples */
    struct sealed_parts parts; /* of a closed window */
    struct chunk *fresh;       /* of an open one */
};

static enum status incoming_open(struct incoming *in, const struct storage *db, struct error *err)
{
    const struct chunk_image *image = in->image;
    if (image->encoding == CHUNK_OPEN)
        return chunk_import(image, window_start_ms(&db->grid, image->window),
                            window_end_ms(&db->grid, image->window), &in->fresh, err);
    const struct columns none = {0};
    in->fresh = merge_columns(image->window, &none, &in->columns);
    return in->fresh ? OK : error_set(err, ERR_NO_MEMORY, "no memory for a chunk");
}

/* Whatever it becomes, it is decoded before a lock is held. */
static enum status incoming_read(struct incoming *in, const struct storage *db, struct error *err)
{
    const struct chunk_image *image = in->image;
    enum status st = image_read(image, window_start_ms(&db->grid, image->window),
                                window_end_ms(&db->grid, image->window), &in->columns, err);
    if (st) return st;
    if (!is_closed(db, image->window)) return incoming_open(in, db, err);
    if (image->encoding == CHUNK_SEALED) {
        in->parts = image_parts(image);
        return OK;
    }
    st = seal_encode(&in->sealer, &in->columns, &in->parts);
    return st ? error_set(err, st, "no memory to seal a chunk") : OK;
}

/* An open chunk of the samples, merged with what is there. */
static enum status place_open(struct incoming *in, const struct storage *db, struct shard *sh,
                              struct series *s, const struct held *there, struct error *err)
{
    enum status st = in->fresh ? OK : incoming_open(in, db, err);
    if (!st && held_any(there)) {
        struct chunk *merged;
        st = merge_chunks(there, in->fresh, &merged, err);
        if (st) return st;
        chunk_destroy(in->fresh);
        in->fresh = merged;
    }
    if (st) return st;
    shard_put(sh, s, window_slot(&db->grid, in->image->window), ring_word(in->fresh));
    in->fresh = NULL;
    return OK;
}

/* Put the chunk into its series: sealed where nothing is expected any more, as ingestion would have
 * left it, else open. */
static enum status place_chunk(struct incoming *in, const struct storage *db, struct shard *sh,
                               struct series *s, struct error *err)
{
    const struct chunk_image *image = in->image;
    uint32_t slot = window_slot(&db->grid, image->window);
    uint64_t samples = image->sample_count;
    enum status st = OK;
    if (!shard_enter_window(sh, image->window))
        return error_set(err, ERR_OUT_OF_RANGE, "window %lld has been overtaken",
                         (long long)image->window);
    struct held there = shard_hold(sh, s, slot);
    if (there.window != image->window) there = (struct held){0};
    if (!held_any(&there) && !in->fresh) {
        if (!seal_parts(sh, s, image->window, &in->parts))
            st = error_set(err, ERR_NO_MEMORY, "no memory for a chunk");
    } else {
        uint64_t before = held_any(&there) ? held_sample_count(&there) : 0;
        st = place_open(in, db, sh, s, &there, err);
        struct held now = shard_hold(sh, s, slot);
        if (!st) samples = held_sample_count(&now) - before;
    }
    if (st) return st;
    counter_add(&sh->counters.samples_appended, samples);
    shard_touch_window(sh, slot, image->t_first_ms, image->t_last_ms);
    return OK;
}

static enum status import_locked(struct storage *db, struct shard *sh, uint64_t hash,
                                 struct incoming *in, struct error *err)
{
    const struct chunk_image *image = in->image;
    struct series *s = shard_find(sh, hash, image->labels);
    if (!s) {
        s = shard_create_series(sh, hash, image->labels);
        if (!s) return error_set(err, ERR_NO_MEMORY, "no memory for a series");
        atomic_fetch_add_explicit(&db->series_live, 1, memory_order_relaxed);
    }
    enum status st = place_chunk(in, db, sh, s, err);
    if (st && series_is_empty(s)) {
        shard_forget_series(sh, s);
        atomic_fetch_sub_explicit(&db->series_live, 1, memory_order_relaxed);
    }
    return st;
}

/* An image of this version's encodings. */
static enum status import_image(struct storage *db, const struct chunk_image *image,
                                struct error *err)
{
    struct incoming in = {.image = image};
    sealer_init(&in.sealer);
    in.columns.arena = &in.sealer.arena;
    enum status st = incoming_read(&in, db, err);
    if (!st) {
        uint64_t hash = labels_hash(image->labels);
        struct shard *sh = storage_shard(db, hash);
        rwlock_write_lock(&sh->lock);
        st = check_window(db, image->window, err); /* the clock went on; a sweep may have been */
        if (!st) st = import_locked(db, sh, hash, &in, err);
        rwlock_write_unlock(&sh->lock);
    }
    chunk_destroy(in.fresh);
    sealer_release(&in.sealer);
    return st;
}

enum status import_chunk(struct storage *db, const struct chunk_image *image, struct error *err)
{
    enum status st = check_window(db, image->window, err);
    if (!st) st = check_labels(image->labels, err);
    if (st) return st;
    if (image->encoding != CHUNK_XOR) return import_image(db, image, err);

    struct arena scratch;
    struct chunk_image open;
    arena_init(&scratch, HEAP_CHUNKS, merge_bytes_max);
    st = import_xor(image, &scratch, &open, err);
    if (!st) st = import_image(db, &open, err);
    arena_release(&scratch);
    return st;
}

void import_finish(struct storage *db)
{
    int64_t current = expiry_bounds(db).current_window;
    for (uint32_t slot = 0; slot < db->grid.slots; slot++)
        if (atomic_load(&db->regions.slots[slot].window) < current)
            regions_settle(&db->regions, slot, false);
}
