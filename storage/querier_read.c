/*
 * querier_read - samples of one series, and of many.
 *
 * Of many series, a batch is read at a time, window by window: what is in open chunks is decoded
 * together (storage/chunk_batch.h), everything else series by series, and sealed chunks at the
 * start of a series when it is handed out (storage/columns_chain.h).
 */
#include "storage/querier.h"

#include "storage/chunk_batch.h"
#include "storage/columns_chain.h"
#include "storage/select.h"
#include "storage/times_cache.h"

/* Name series and window in an error. */
static enum status read_failed(const struct series *s, int64_t window, struct arena *a,
                               struct error *err)
{
    struct str text = STR("a series");
    struct label *items = arena_alloc_array(a, s->label_count, sizeof(*items));
    if (items && labels_print(series_labels(s, items), a, &text, NULL)) text = STR("a series");
    return error_wrap(err, "%.*s, window %lld: ", STR_ARG(text), (long long)window);
}

static enum status begin_read(const struct querier *q, struct columns *columns, struct error *err)
{
    if (!columns->times) columns->times = times_cache_create(columns->arena);
    if (!columns->times) return arena_error(columns->arena, err);
    times_cache_begin(columns->times, q->serial);
    columns->links = NULL;
    columns_forget_chain(columns);
    return OK;
}

static struct held hold_window(const struct querier *q, const struct series *s, int64_t window)
{
    struct held held = series_hold(s, &q->db->regions, window_slot(&q->db->grid, window));
    return held_any(&held) && held.window == window ? held : (struct held){0};
}

/* What a note speaks of. A sealed word is of the window that the query may look at in this slot, or
 * its samples are out of the query's range. */
static struct held hold_noted(const struct view_note *note, int64_t window)
{
    struct held held = {.word = note->word, .window = window};
    if (ring_word_is_sealed(note->word))
        held.sealed = regions_at(note->word);
    else
        held.open = ring_word_chunk(note->word);
    if (held.open && held.open->window != window) return (struct held){0};
    return held;
}

/* Most views were told nothing. */
static inline bool find_note(const struct querier *q, const struct series *s, uint32_t slot,
                             struct view_note *note)
{
    return UNLIKELY(view_was_told(q->view)) && view_find(q->view, &q->db->common, s, slot, note);
}

static NO_INLINE bool has_note_of(const struct querier *q, const struct series *s, int64_t t_ms)
{
    const struct window_grid *grid = &q->db->grid;
    struct view_note note;
    return view_find(q->view, &q->db->common, s, window_slot(grid, window_of(grid, t_ms)), &note);
}

/* How much of what the window holds is seen. True: it has changed since the view was opened, and
 * *held and *extent are what there was. All else that is looked at has been looked at before: only
 * then is it known that it is the view's. */
static bool see_window(const struct querier *q, const struct series *s, int64_t window,
                       struct held *held, struct chunk_extent *extent)
{
    struct view_note note;
    *extent = held->open ? chunk_extent_now(held->open) : (struct chunk_extent){0};
    if (!find_note(q, s, window_slot(&q->db->grid, window), &note)) return false;
    *held = hold_noted(&note, window);
    *extent = note.extent;
    return true;
}

/* Add what is held of one window, of an open chunk so much. */
static enum status read_held(const struct series *s, const struct held *held,
                             struct chunk_extent extent, const struct select_range *range,
                             struct columns *columns, struct error *err)
{
    int64_t t_min_ms = range->t_min_ms;
    int64_t t_max_ms = range->t_max_ms;
    struct error why;
    enum status st;
    if (held->open)
        st = chunk_read_until(held->open, extent, t_min_ms, t_max_ms, columns, &why);
    else if (columns->links)
        st = sealed_read_chained(held->sealed, (int64_t[2]){t_min_ms, t_max_ms}, columns, &why);
    else
        st = held_read(held, t_min_ms, t_max_ms, columns, &why);
    if (st == ERR_CORRUPT) (void)read_failed(s, held->window, columns->arena, &why);
    return st ? error_set(err, st, "%s", why.text) : OK;
}

enum status series_read(struct querier *q, const struct series *s, int64_t t_min_ms,
                        int64_t t_max_ms, struct columns *columns, struct error *err)
{
    struct select_range range = select_clamp(q, t_min_ms, t_max_ms);
    columns->count = 0;
    if (range.empty) return OK;
    enum status st = begin_read(q, columns, err);
    for (int64_t window = range.first_window; window <= range.last_window && !st; window++) {
        struct held held = hold_window(q, s, window);
        struct chunk_extent extent;
        see_window(q, s, window, &held, &extent);
        if (held_any(&held)) st = read_held(s, &held, extent, &range, columns, err);
    }
    return st;
}

enum status series_read_newest(struct querier *q, const struct series *s, int64_t t_min_ms,
                               int64_t t_max_ms, struct columns *columns, struct error *err)
{
    struct select_range range = select_clamp(q, t_min_ms, t_max_ms);
    columns->count = 0;
    if (range.empty) return OK;
    enum status st = begin_read(q, columns, err);
    for (int64_t window = range.last_window; window >= range.first_window && !st; window--) {
        struct held held = hold_window(q, s, window);
        struct chunk_extent extent;
        struct sample last = {0};
        bool has_last = held.open && chunk_last(held.open, &last);
        if (see_window(q, s, window, &held, &extent)) has_last = false;
        if (!held_any(&held)) continue;
        if (has_last && last.t_ms <= range.t_max_ms) {
            if (last.t_ms < range.t_min_ms) break;
            if (!columns_reserve(columns, 1)) return arena_error(columns->arena, err);
            columns->t_ms[0] = last.t_ms;
            columns->v[0] = last.v;
            columns->count = 1;
            break;
        }
        st = read_held(s, &held, extent, &range, columns, err);
        if (columns->count > 0) break;
    }
    return st;
}

/* ---- Many series ---- */

enum {
    BATCH_FIRST = 4, /* perhaps there is no need for more */
    BATCH_MIN = 2,   /* one alone has no chains, and says nothing about the next ones */
    BATCH_MAX = CHUNK_BATCH_MAX,
    BATCH_SAMPLES = 1 << 16 /* more would not stay in the caches until they are used */
};

struct series_reader {
    struct querier *q;
    struct series_reader_request request;
    struct select_range range;
    struct arena *arena;
    uint64_t serial;                                 /* as a querier's, for chains of times */
    struct times_cache *times;                       /* NULL before they are needed */
    struct columns_link (*links)[COLUMNS_LINKS_MAX]; /* [BATCH_MAX] */
    size_t at;                                       /* the next series to be handed out */
    size_t first; /* of the batch that was read; it ends before `end` */
    size_t end;
    size_t batch;          /* how many the next one is to have */
    size_t series_fetched; /* have been asked for, those before this one */
    size_t chunks_fetched;
    bool skips_values;
    struct columns columns[BATCH_MAX]; /* of the batch */
};

/* One sample of each series, side by side: columns that are begun each with a page of their own
 * would all want the same few places in the nearest cache. */
static enum status make_room_for_newest(struct series_reader *r, struct error *err)
{
    int64_t *t_ms = arena_alloc_array(r->arena, BATCH_MAX, sizeof(*t_ms));
    double *v = arena_alloc_array(r->arena, BATCH_MAX, sizeof(*v));
    if (!t_ms || !v) return arena_error(r->arena, err);
    for (size_t i = 0; i < BATCH_MAX; i++) {
        r->columns[i].t_ms = t_ms + i;
        r->columns[i].v = v + i;
        r->columns[i].capacity = 1;
    }
    return OK;
}

enum status series_reader_create(struct querier *q, const struct series_reader_request *request,
                                 struct arena *a, struct series_reader **out, struct error *err)
{
    struct series_reader *r = arena_alloc(a, sizeof(*r));
    if (!r) return arena_error(a, err);
    *r = (struct series_reader){.q = q,
                                .request = *request,
                                .range = select_clamp(q, request->t_min_ms, request->t_max_ms),
                                .arena = a,
                                .serial = querier_serial(q->db),
                                .batch = BATCH_FIRST};
    for (size_t i = 0; i < BATCH_MAX; i++)
        r->columns[i].arena = a;
    *out = r;
    return request->newest ? make_room_for_newest(r, err) : OK;
}

void series_reader_skip_values(struct series_reader *r)
{
    r->skips_values = r->request.newest && r->request.newest_words;
}

/* The word beside its address says all that is asked of the series. */
static inline bool is_known(const struct series_reader *r, size_t i, int64_t *t_ms)
{
    return r->skips_values &&
           newest_within(r->request.newest_words[i], r->range.t_min_ms, r->range.t_max_ms, t_ms);
}

/* Series lie anywhere in memory, and so do their chunks and the cells of these. Each is asked for
 * when what leads to it has come: chunks of the newest window a batch ahead, those of others, and
 * cells, when they are read. */

/* So many batches behind this one. */
static size_t ahead_of(const struct series_reader *r, size_t batches)
{
    size_t end = r->end + batches * BATCH_MAX;
    return end < r->request.count ? end : r->request.count;
}

static void fetch_series(struct series_reader *r)
{
    enum { LINES = 3 }; /* head, ring and some labels */
    for (size_t end = ahead_of(r, 2); r->series_fetched < end; r->series_fetched++)
        for (size_t line = 0; line < LINES; line++)
            __builtin_prefetch((const char *)r->request.series[r->series_fetched] +
                               line * CACHE_LINE_BYTES);
}

/* It has gone to a farther cache while the batch was decoded, and who groups by labels is next. */
static void fetch_labels(const struct series_reader *r, const struct series *s)
{
    const char *symbols = (const char *)&s->ring[r->q->db->grid.slots];
    __builtin_prefetch(symbols);
    __builtin_prefetch(symbols + CACHE_LINE_BYTES);
}

static void fetch_chunk(const struct chunk *c, bool newest)
{
    __builtin_prefetch(c);
    if (!newest) __builtin_prefetch(c->words);
}

static void fetch_chunks(struct series_reader *r)
{
    uint32_t slot = window_slot(&r->q->db->grid, r->range.last_window);
    int64_t t_ms;
    for (size_t end = ahead_of(r, 1); r->chunks_fetched < end; r->chunks_fetched++) {
        if (is_known(r, r->chunks_fetched, &t_ms)) continue;
        uint64_t word = series_word(r->request.series[r->chunks_fetched], slot);
        if (word && !ring_word_is_sealed(word))
            fetch_chunk(ring_word_chunk(word), r->request.newest);
    }
}

static enum status read_together(struct series_reader *r, const struct chunk_batch_item *items,
                                 size_t count, struct error *err)
{
    struct error why;
    size_t failed;
    enum status st = chunk_batch_read(items, count, r->range.t_min_ms, r->range.t_max_ms, r->arena,
                                      &failed, &why);
    if (st == ERR_CORRUPT) {
        size_t series = r->first + (size_t)(items[failed].columns - r->columns);
        (void)read_failed(r->request.series[series], items[failed].chunk->window, r->arena, &why);
    }
    return st ? error_set(err, st, "%s", why.text) : OK;
}

/* Add what the series of the batch have in one window. */
static enum status read_window(struct series_reader *r, int64_t window, struct error *err)
{
    const struct series *const *series = r->request.series + r->first;
    size_t count = r->end - r->first;
    struct held held[BATCH_MAX];
    struct chunk_batch_item items[BATCH_MAX];
    size_t together = 0;
    enum status st = OK;
    for (size_t i = 0; i < count; i++) {
        held[i] = hold_window(r->q, series[i], window);
        if (held[i].open) fetch_chunk(held[i].open, false);
        if (held[i].sealed) __builtin_prefetch(held[i].sealed);
    }
    for (size_t i = 0; i < count && !st; i++) {
        struct chunk_extent extent;
        see_window(r->q, series[i], window, &held[i], &extent);
        if (held[i].open && chunk_is_plain(held[i].open))
            items[together++] = (struct chunk_batch_item){held[i].open, extent, &r->columns[i]};
        else if (held_any(&held[i]))
            st = read_held(series[i], &held[i], extent, &r->range, &r->columns[i], err);
    }
    return st ? st : read_together(r, items, together, err);
}

static enum status begin_chains(struct series_reader *r, struct error *err)
{
    if (!r->times) {
        r->links = arena_alloc_array(r->arena, BATCH_MAX, sizeof(r->links[0]));
        r->times = r->links ? times_cache_create(r->arena) : NULL;
        if (!r->times) return arena_error(r->arena, err);
    }
    times_cache_begin(r->times, r->serial);
    for (size_t i = 0; i < BATCH_MAX; i++) {
        r->columns[i].times = r->times;
        columns_begin_chain(&r->columns[i], r->links[i]);
    }
    return OK;
}

static enum status read_batch(struct series_reader *r, struct error *err)
{
    enum status st = begin_chains(r, err);
    size_t samples = 0;
    for (int64_t window = r->range.first_window; window <= r->range.last_window && !st; window++)
        st = read_window(r, window, err);
    for (size_t i = 0; i < r->end - r->first; i++)
        samples += r->columns[i].count;
    if (2 * samples <= BATCH_SAMPLES && 2 * r->batch <= BATCH_MAX) r->batch *= 2;
    if (samples > BATCH_SAMPLES && r->batch > BATCH_MIN) r->batch /= 2;
    return st;
}

/* The last series, or the only one. Its columns leave the chains: nothing comes behind it. */
static enum status read_one(struct series_reader *r, struct error *err)
{
    return series_read(r->q, r->request.series[r->first], r->request.t_min_ms, r->request.t_max_ms,
                       &r->columns[0], err);
}

/* What the encoder of the newest window tells, if it is in the range and the view's. */
static bool find_newest(const struct series_reader *r, const struct series *s, uint32_t slot,
                        struct sample *out)
{
    uint64_t word = series_word(s, slot);
    struct view_note note;
    return word && !ring_word_is_sealed(word) && chunk_last(ring_word_chunk(word), out) &&
           out->t_ms >= r->range.t_min_ms && out->t_ms <= r->range.t_max_ms &&
           !find_note(r->q, s, slot, &note);
}

/* The time alone. The word was looked at before the note is looked for. */
static bool find_newest_time(const struct series_reader *r, size_t i, struct sample *out)
{
    *out = (struct sample){0};
    return is_known(r, i, &out->t_ms) && !(UNLIKELY(view_was_told(r->q->view)) &&
                                           has_note_of(r->q, r->request.series[i], out->t_ms));
}

/* The newest samples of the batch. */
static enum status read_newest(struct series_reader *r, struct error *err)
{
    uint32_t slot = window_slot(&r->q->db->grid, r->range.last_window);
    enum status st = OK;
    for (size_t i = 0; i < r->end - r->first && !st; i++) {
        const struct series *s = r->request.series[r->first + i];
        struct columns *c = &r->columns[i];
        struct sample newest;
        if (!find_newest_time(r, r->first + i, &newest) && !find_newest(r, s, slot, &newest)) {
            st = series_read_newest(r->q, s, r->request.t_min_ms, r->request.t_max_ms, c, err);
            continue;
        }
        c->t_ms[0] = newest.t_ms;
        c->v[0] = newest.v;
        c->count = 1;
    }
    if (2 * r->batch <= BATCH_MAX) r->batch *= 2;
    return st;
}

size_t series_reader_pass_known(struct series_reader *r)
{
    size_t from = r->at;
    int64_t t_ms;
    if (r->at < r->end || view_was_told(r->q->view)) return 0;
    while (r->at < r->request.count && is_known(r, r->at, &t_ms))
        r->at++;
    r->end = r->at;
    if (r->series_fetched < r->at) r->series_fetched = r->at;
    if (r->chunks_fetched < r->at) r->chunks_fetched = r->at;
    return r->at - from;
}

/* What has been put off until the series is handed out. */
static enum status lay_chain(const struct series_reader *r, struct columns *c,
                             const struct series *s, struct error *err)
{
    size_t failed = 0;
    if (c->chain.links == 0) return OK;
    enum status st = columns_lay_values(c, &failed);
    if (st == ERR_CORRUPT) {
        (void)error_set(err, st, "a sealed chunk does not decode");
        return read_failed(s, window_of(&r->q->db->grid, c->t_ms[failed]), r->arena, err);
    }
    if (st) return arena_error(r->arena, err);
    return r->request.times_later ? OK : columns_lay_times(c, err);
}

/* What the next one needs first. */
static void fetch_next(const struct series_reader *r)
{
    if (r->at == r->end) return;
    fetch_labels(r, r->request.series[r->at]);
    columns_fetch_values(&r->columns[r->at - r->first]);
}

enum status series_reader_next(struct series_reader *r, const struct series **series,
                               struct columns **columns, struct error *err)
{
    enum status st = OK;
    *series = NULL;
    if (r->at == r->request.count || r->range.empty) return OK;
    if (r->at == r->end) {
        size_t left = r->request.count - r->at;
        r->first = r->at;
        r->end = r->at + (r->batch < left ? r->batch : left);
        fetch_series(r);
        fetch_chunks(r);
        if (r->request.newest)
            st = read_newest(r, err);
        else
            st = r->end - r->first == 1 ? read_one(r, err) : read_batch(r, err);
    }
    if (st) return st;
    *series = r->request.series[r->at];
    *columns = &r->columns[r->at++ - r->first];
    fetch_next(r);
    return lay_chain(r, *columns, *series, err);
}
