/*
 * import - putting chunks back, alone or merged with what is there: groups are decoded and checked,
 * then placed shard by shard.
 *
 * A chunk that was exported had been acknowledged, so the limit on the number of series does not
 * apply; the limit of memory does.
 */
#include <string.h>

#include "storage/dictionary.h"
#include "storage/expiry.h"
#include "storage/export.h"
#include "storage/image.h"
#include "storage/import_former.h"
#include "storage/seal.h"
#include "storage/state.h"

static const uint64_t merge_bytes_max = UINT64_C(1) << 30;
static const uint64_t texts_bytes_max = UINT64_C(64) << 30;

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

/* An image and what is made of it. */
struct incoming {
    const struct chunk_image *image;
    struct resolved set;       /* its labels */
    bool refers;               /* to their symbols, through the dictionary */
    struct sealed_parts parts; /* of a closed window, */
    uint64_t word;             /* and where they are; 0: nowhere, or in the series */
    struct chunk *fresh;       /* of an open one */
};

struct importer {
    struct storage *db;
    struct arena arena; /* of the dictionary */
    struct dictionary dictionary;
    struct storage_bounds bounds;
    struct view_audience audience;
    int64_t open_from;    /* the oldest window that has not closed */
    struct sealer sealer; /* its arena has all that is made of images */
    struct image_times times;
    struct columns scratch;
    struct resolver resolver; /* of a group, as is the stay in the epoch */
};

/* The window has closed: nothing will be appended, as far as the clock knows. */
static bool is_closed(const struct importer *im, int64_t window)
{
    return window < im->open_from;
}

static enum status check_window(const struct importer *im, int64_t window, struct error *err)
{
    if (window >= im->bounds.oldest_window &&
        window <= window_of(&im->db->grid, im->bounds.newest_ms))
        return OK;
    return error_set(err, ERR_OUT_OF_RANGE, "window %lld is not retained", (long long)window);
}

static enum status read_image(struct importer *im, const struct chunk_image *image,
                              struct columns *columns, struct error *err)
{
    *columns = (struct columns){.arena = &im->sealer.arena};
    return image_read(image, window_start_ms(&im->db->grid, image->window),
                      window_end_ms(&im->db->grid, image->window), columns, err);
}

static enum status make_open(struct importer *im, struct incoming *in, struct error *err)
{
    const struct chunk_image *image = in->image;
    if (image->encoding == CHUNK_OPEN)
        return chunk_import(image, window_start_ms(&im->db->grid, image->window),
                            window_end_ms(&im->db->grid, image->window), &in->fresh, err);
    const struct columns none = {0};
    struct columns columns;
    struct arena_mark mark = arena_mark(&im->sealer.arena);
    enum status st = read_image(im, image, &columns, err);
    if (!st) {
        in->fresh = merge_columns(image->window, &none, &columns);
        if (!in->fresh) st = error_set(err, ERR_NO_MEMORY, "no memory for a chunk");
    }
    arena_rewind(&im->sealer.arena, mark);
    return st;
}

/* The sealer's parts last until it seals the next one. */
static enum status keep_parts(struct importer *im, struct sealed_parts *parts, struct error *err)
{
    struct arena *a = &im->sealer.arena;
    uint8_t *bytes = arena_alloc(a, (size_t)parts->times_size + parts->values_size);
    if (!bytes) return arena_error(a, err);
    memcpy(bytes, parts->times, parts->times_size);
    memcpy(bytes + parts->times_size, parts->values, parts->values_size);
    parts->times = bytes;
    parts->values = bytes + parts->times_size;
    return OK;
}

static enum status make_sealed(struct importer *im, struct incoming *in, struct error *err)
{
    const struct chunk_image *image = in->image;
    struct columns columns;
    if (image->encoding == CHUNK_SEALED) {
        in->parts = image_parts(image);
        return image_check(image, window_start_ms(&im->db->grid, image->window),
                           window_end_ms(&im->db->grid, image->window), &im->times, &im->scratch,
                           err);
    }
    struct arena_mark mark = arena_mark(&im->sealer.arena);
    enum status st = read_image(im, image, &columns, err);
    if (!st) {
        st = seal_encode(&im->sealer, &columns, &in->parts);
        if (st) error_set(err, st, "no memory to seal a chunk");
    }
    arena_rewind(&im->sealer.arena, mark);
    return st ? st : keep_parts(im, &in->parts, err);
}

/* A chunk of a former version's encoding as an open one. */
static enum status convert(struct importer *im, struct incoming *in, struct error *err)
{
    struct chunk_image *open = arena_alloc(&im->sealer.arena, sizeof(*open));
    if (!open) return arena_error(&im->sealer.arena, err);
    enum status st = import_former(in->image, &im->sealer.arena, open, err);
    if (!st) in->image = open;
    return st;
}

static enum status resolve_numbers(struct importer *im, struct incoming *in, struct error *err)
{
    size_t count = in->image->labels.count;
    in->set = (struct resolved){.labels = {.count = count}, .complete = true};
    if (count > SERIES_LABELS_MAX)
        return error_set(err, ERR_CORRUPT, "series with %zu labels, at most %d are allowed", count,
                         SERIES_LABELS_MAX);
    in->set.symbols = arena_alloc_array(&im->sealer.arena, count, sizeof(*in->set.symbols));
    if (!in->set.symbols) return arena_error(&im->sealer.arena, err);
    enum status st = dictionary_take(&im->dictionary, in->image->numbers, count, in->set.symbols,
                                     &in->set.hash, err);
    in->refers = !st;
    return st;
}

static enum status resolve_labels(struct importer *im, struct incoming *in, struct error *err)
{
    if (in->image->numbers) return resolve_numbers(im, in, err);
    enum status st = check_labels(in->image->labels, err);
    if (st) return st;
    if (!resolve(&im->resolver, in->image->labels, &in->set) ||
        !resolved_keep(&in->set, &im->sealer.arena))
        return arena_error(&im->sealer.arena, err);
    return OK;
}

/* Whatever it becomes, it is checked before a lock is held. */
static enum status make_ready(struct importer *im, struct incoming *in, struct error *err)
{
    enum status st = check_window(im, in->image->window, err);
    if (!st) st = resolve_labels(im, in, err);
    if (!st && import_is_former(in->image->encoding)) st = convert(im, in, err);
    if (st) return st;
    return is_closed(im, in->image->window) ? make_sealed(im, in, err) : make_open(im, in, err);
}

/* An open chunk of the samples, merged with what is there. */
static enum status place_open(struct importer *im, struct incoming *in, struct shard *sh,
                              struct series *s, const struct held *there, struct error *err)
{
    enum status st = in->fresh ? OK : make_open(im, in, err);
    if (!st && held_any(there)) {
        struct chunk *merged;
        st = merge_chunks(there, in->fresh, &merged, err);
        if (st) return st;
        chunk_destroy(in->fresh);
        in->fresh = merged;
    }
    if (st) return st;
    shard_put(sh, s, window_slot(&im->db->grid, in->image->window), ring_word(in->fresh));
    in->fresh = NULL;
    return OK;
}

/* A sweep that empties the region into another one may have passed here since the chunk was put
 * into it: again, until it stays. */
static bool place_sealed(struct importer *im, struct incoming *in, struct shard *sh,
                         struct series *s, uint32_t slot)
{
    struct regions *regions = &im->db->regions;
    for (;;) {
        uint64_t word = in->word;
        if (!word) word = regions_put(regions, in->image->window, &in->parts);
        if (!word) return false;
        in->word = 0;
        shard_put(sh, s, slot, word);
        if (series_word(s, slot) == word && !regions_is_leaving(regions, slot, word)) return true;
    }
}

/* Its newest sample, if the series has no later one; of a chunk that is not open it is not known
 * whether it is a stale marker. */
static void see_newest(struct shard *sh, const struct series *s, const struct chunk_image *image,
                       bool merged)
{
    struct held held = shard_hold(sh, s, window_slot(sh->common->grid, image->window));
    struct sample last;
    bool knows = held.open && chunk_last(held.open, &last);
    uint32_t newest = knows ? newest_of(&last) : newest_word(image->t_last_ms, true);
    if (merged)
        directory_see(shard_place(sh, s), newest);
    else
        shard_saw_first(sh, s, image->window, newest);
}

/* Put the chunk into its series: sealed where nothing is expected any more, as ingestion would have
 * left it, else open. */
static enum status place_chunk(struct importer *im, struct incoming *in, struct shard *sh,
                               struct series *s, struct error *err)
{
    const struct chunk_image *image = in->image;
    uint32_t slot = window_slot(&im->db->grid, image->window);
    uint64_t samples = image->sample_count;
    enum status st = OK;
    if (!shard_enter_window(sh, image->window))
        return error_set(err, ERR_OUT_OF_RANGE, "window %lld has been overtaken",
                         (long long)image->window);
    view_tell(&im->audience, &im->db->views, sh, s, slot);
    struct held there = shard_hold(sh, s, slot);
    if (there.window != image->window) there = (struct held){0};
    if (!held_any(&there) && !in->fresh) {
        if (!place_sealed(im, in, sh, s, slot))
            st = error_set(err, ERR_NO_MEMORY, "no memory for a chunk");
    } else {
        uint64_t before = held_any(&there) ? held_sample_count(&there) : 0;
        st = place_open(im, in, sh, s, &there, err);
        struct held now = shard_hold(sh, s, slot);
        if (!st) samples = held_sample_count(&now) - before;
    }
    if (st) return st;
    see_newest(sh, s, image, held_any(&there));
    counter_add(&sh->counters.samples_appended, samples);
    shard_touch_window(sh, slot, image->t_first_ms, image->t_last_ms);
    return OK;
}

/* NULL at the memory limit. */
static struct series *create(struct importer *im, struct incoming *in, struct shard *sh)
{
    struct symbols *symbols = &im->db->symbols;
    bool refers = in->refers;
    if (!refers && !symbols_acquire(symbols, in->set.labels, in->set.symbols)) return NULL;
    struct series *s = shard_create_series(sh, &in->set);
    if (s)
        in->refers = false; /* they are the series' now */
    else if (!refers)
        symbols_drop(symbols, in->set.symbols, in->set.labels.count);
    return s;
}

/* *created counts the series that had to be made. */
static enum status place(struct importer *im, struct incoming *in, struct shard *sh,
                         uint64_t *created, struct error *err)
{
    const struct chunk_image *image = in->image;
    enum status st = check_window(im, image->window, err); /* as it is now: a sweep may have been */
    if (st) return st;
    struct series *s = shard_find(sh, &in->set);
    if (!s) {
        s = create(im, in, sh);
        if (!s) return error_set(err, ERR_NO_MEMORY, "no memory for a series");
        ++*created;
    }
    st = place_chunk(im, in, sh, s, err);
    if (st && series_is_empty(s)) {
        shard_forget_series(sh, s);
        --*created;
    }
    return st;
}

/* Those from the first on that are of one shard; *placed counts up. */
static enum status place_run(struct importer *im, struct incoming *in, size_t count, size_t *placed,
                             struct error *err)
{
    struct shard *sh = storage_shard(im->db, in[0].set.hash);
    enum status st = OK;
    size_t run = 1;
    uint64_t created = 0;
    while (run < count && storage_shard(im->db, in[run].set.hash) == sh)
        run++;
    rwlock_write_lock(&sh->lock);
    im->bounds = storage_bounds(im->db);
    for (size_t i = 0; i < run; i++)
        shard_prefetch(sh, in[i].set.hash);
    for (size_t i = 0; !st && i < run; i++) {
        st = place(im, &in[i], sh, &created, err);
        if (!st) (*placed)++;
    }
    atomic_fetch_add_explicit(&im->db->series_live, created, memory_order_relaxed);
    rwlock_write_unlock(&sh->lock);
    return st;
}

/* So many at most, that no lock is held for long. */
enum { GROUP = 32 };

/* Those of closed windows into their regions: all at once, since threads wait for each other there,
 * and before the shard's lock. What has no room is tried again in its turn. */
static void put_sealed(struct importer *im, struct incoming *in, size_t count)
{
    struct regions *regions = &im->db->regions;
    struct region_put puts[GROUP];
    for (size_t first = 0, end; first < count; first = end) {
        int64_t window = in[first].image->window;
        for (end = first; end < count && in[end].image->window == window; end++)
            puts[end - first] = (struct region_put){.parts = &in[end].parts};
        if (!is_closed(im, window)) continue;
        regions_enter(regions, window);
        regions_put_all(regions, window, puts, end - first);
        for (size_t i = first; i < end; i++)
            in[i].word = puts[i - first].word;
    }
}

static void drop(struct importer *im, struct incoming *in)
{
    uint32_t slot = window_slot(&im->db->grid, in->image->window);
    if (in->refers)
        dictionary_give_back(&im->dictionary, in->image->numbers, in->set.labels.count,
                             in->set.symbols);
    if (in->word) regions_delete(&im->db->regions, slot, in->word);
    chunk_destroy(in->fresh);
}

static enum status import_group(struct importer *im, const struct chunk_image *images, size_t count,
                                size_t *placed, struct error *err)
{
    struct incoming in[GROUP];
    struct error why;
    size_t ready = 0;
    enum status unready = OK;
    struct arena_mark mark = arena_mark(&im->sealer.arena);
    im->bounds = storage_bounds(im->db);
    im->open_from = expiry_bounds(im->db).current_window;
    im->scratch = (struct columns){.arena = &im->sealer.arena};
    resolver_init(&im->resolver, &im->db->symbols, &im->sealer.arena);
    struct epoch_pin pin = epoch_enter(&im->db->epoch);
    for (; !unready && ready < count; ready += !unready) {
        in[ready] = (struct incoming){.image = &images[ready]};
        unready = make_ready(im, &in[ready], &why);
    }
    put_sealed(im, in, ready);
    enum status st = OK;
    *placed = 0;
    views_begin_commit(im->db, &im->sealer.arena, &im->audience);
    while (!st && *placed < ready)
        st = place_run(im, in + *placed, ready - *placed, placed, err);
    views_end_commit(im->db, &im->audience);
    for (size_t i = 0; i < ready + (unready != OK); i++)
        drop(im, &in[i]);
    epoch_leave(&pin);
    arena_rewind(&im->sealer.arena, mark);
    if (!st && unready) st = error_set(err, unready, "%s", why.text);
    return st;
}

enum status importer_open(struct storage *db, struct importer **out, struct error *err)
{
    struct importer *im = heap_calloc(1, sizeof(*im), HEAP_SNAPSHOT);
    if (!im) return error_set(err, ERR_NO_MEMORY, "no memory to import chunks");
    im->db = db;
    arena_init(&im->arena, HEAP_SNAPSHOT, texts_bytes_max);
    sealer_init(&im->sealer);
    *out = im;
    return OK;
}

void importer_close(struct importer *im)
{
    if (!im) return;
    dictionary_close(&im->dictionary);
    sealer_release(&im->sealer);
    arena_release(&im->arena);
    heap_free(im, sizeof(*im), HEAP_SNAPSHOT);
}

enum status importer_texts(struct importer *im, const struct str *texts, size_t count,
                           struct error *err)
{
    dictionary_close(&im->dictionary);
    arena_reset(&im->arena);
    if (!dictionary_open(&im->dictionary, &im->db->symbols, texts, count, &im->arena))
        return arena_error(&im->arena, err);
    return OK;
}

enum status importer_put(struct importer *im, const struct chunk_image *images, size_t count,
                         size_t *done, struct error *err)
{
    enum status st = OK;
    im->times = (struct image_times){0};
    for (*done = 0; !st && *done < count;) {
        size_t left = count - *done;
        size_t placed;
        st = import_group(im, images + *done, left < GROUP ? left : GROUP, &placed, err);
        *done += placed;
    }
    return st;
}

enum status import_chunks(struct storage *db, const struct chunk_image *images, size_t count,
                          size_t *done, struct error *err)
{
    struct importer *im = NULL;
    *done = 0;
    enum status st = importer_open(db, &im, err);
    if (!im) return st;
    st = importer_put(im, images, count, done, err);
    importer_close(im);
    return st;
}

static void finish_slot(struct storage *db, uint32_t slot)
{
    if (atomic_load(&db->regions.slots[slot].window) < expiry_bounds(db).current_window)
        regions_settle(&db->regions, slot, false);
}

void import_finish_window(struct storage *db, int64_t window)
{
    finish_slot(db, window_slot(&db->grid, window));
}

void import_finish(struct storage *db)
{
    for (uint32_t slot = 0; slot < db->grid.slots; slot++)
        finish_slot(db, slot);
}
