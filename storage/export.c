/*
 * export - walking the chunks of one window without any lock.
 *
 * The walk goes by local id through the directories; between two calls it holds no pointer, so it
 * leaves and enters the epoch again at each, and a slow reader holds nothing back.
 */
#include "storage/export.h"

#include "base/assert.h"
#include "storage/image.h"
#include "storage/querier.h"
#include "storage/state.h"

struct exporter {
    struct storage *db;
    struct arena *arena;
    struct arena_mark mark; /* where the images' memory starts */
    struct epoch_pin pin;
    int64_t window;
    uint32_t shard;
    uint32_t local;
};

/* Add what one shard has of a window to the list, which is in order of window. */
static size_t merge_window(struct window_info *list, size_t count, struct window_info info)
{
    size_t at = count;
    while (at > 0 && list[at - 1].window > info.window)
        at--;
    if (at > 0 && list[at - 1].window == info.window) {
        list[at - 1].version += info.version;
        list[at - 1].chunks += info.chunks;
        return count;
    }
    ASSERT(count < STORAGE_WINDOWS_MAX);
    memmove(&list[at + 1], &list[at], (count - at) * sizeof(*list));
    list[at] = info;
    return count + 1;
}

size_t export_windows(struct storage *db, struct window_info out[STORAGE_WINDOWS_MAX])
{
    int64_t oldest_window = storage_bounds(db).oldest_window;
    size_t count = 0;
    for (uint32_t n = 0; n < db->shard_count; n++) {
        const struct shard *sh = &db->shards[n];
        for (uint32_t slot = 0; slot < db->grid.slots; slot++) {
            const struct shard_window *w = &sh->windows[slot];
            struct window_info info;
            /* First: nothing that is looked at afterwards is older. */
            info.version = atomic_load_explicit(&w->version, memory_order_acquire);
            info.chunks = atomic_load_explicit(&w->chunks, memory_order_relaxed);
            info.window = atomic_load_explicit(&w->window, memory_order_acquire);
            if (info.chunks > 0 && info.window >= oldest_window)
                count = merge_window(out, count, info);
        }
    }
    return count;
}

enum status export_open(struct storage *db, int64_t window, struct arena *a, struct exporter **out,
                        struct error *err)
{
    struct exporter *e = arena_calloc(a, 1, sizeof(*e));
    if (!e) return arena_error(a, err);
    e->db = db;
    e->arena = a;
    e->window = window;
    e->mark = arena_mark(a);
    *out = e;
    return OK;
}

/* The next series that has a chunk of the window; NULL at the end. */
static struct series *next_series(struct exporter *e, struct held *held)
{
    uint32_t slot = window_slot(&e->db->grid, e->window);
    for (; e->shard < e->db->shard_count; e->shard++, e->local = 0) {
        const struct directory *d = &e->db->shards[e->shard].directory;
        while (e->local < directory_high(d)) {
            struct series *s = directory_get(d, e->local++);
            if (!s) continue;
            *held = series_hold(s, &e->db->regions, slot);
            if (held_any(held) && held->window == e->window) return s;
        }
    }
    return NULL;
}

/* What the encoder of an open chunk knows, so that the stream need not be decoded for it. The lock
 * is held for a copy of 40 bytes. */
static bool read_end(const struct exporter *e, const struct held *held, struct chunk_end *end)
{
    struct shard *sh = &e->db->shards[e->shard];
    if (!held->open) return false;
    rwlock_read_lock(&sh->lock);
    bool ends = chunk_read_end(held->open, end);
    rwlock_read_unlock(&sh->lock);
    return ends;
}

enum status export_next(struct exporter *e, struct chunk_image *image, bool *more,
                        struct error *err)
{
    struct held held;
    struct series *s;
    epoch_leave(&e->pin);
    arena_rewind(e->arena, e->mark);
    e->pin = epoch_enter(&e->db->epoch);
    while ((s = next_series(e, &held)) != NULL) {
        struct label *labels = arena_alloc_array(e->arena, s->label_count, sizeof(*labels));
        if (!labels) return arena_error(e->arena, err);
        *image = (struct chunk_image){.labels = series_labels(s, labels)};
        struct chunk_end end;
        bool ends = read_end(e, &held, &end);
        enum status st = held_export(&held, ends ? &end : NULL, e->arena, image, err);
        if (st) return st;
        *more = image->sample_count > 0;
        if (*more) return OK;
    }
    *more = false;
    return OK;
}

void export_close(struct exporter *e)
{
    if (e) epoch_leave(&e->pin);
}

void export_settle(struct storage *db)
{
    in_flight_wait(&db->in_flight);
}

enum status chunk_image_check(const struct chunk_image *image, int64_t t_min_ms, int64_t t_max_ms,
                              struct arena *scratch, struct error *err)
{
    struct columns columns = {.arena = scratch};
    return image_read(image, t_min_ms, t_max_ms, &columns, err);
}
