/* querier - life of a querier, and reading one series. */
#include "storage/querier.h"

#include "base/assert.h"
#include "storage/select.h"
#include "storage/times_cache.h"

enum status querier_open(struct storage *db, struct arena *a, struct querier **out,
                         struct error *err)
{
    struct querier *q = arena_alloc(a, sizeof(*q));
    if (!q) return arena_error(a, err);
    *q = (struct querier){.db = db, .arena = a, .pin = epoch_enter(&db->epoch)};
    q->bounds = storage_bounds(db);
    q->serial = atomic_fetch_add_explicit(&db->queriers, 1, memory_order_relaxed) + 1;
    *out = q;
    return OK;
}

void querier_close(struct querier *q)
{
    if (q) epoch_leave(&q->pin);
}

size_t series_label_count(const struct series *s)
{
    return s->label_count;
}

struct labels series_labels(const struct series *s, struct label *items)
{
    struct symbol *const *symbols = series_symbols(s);
    for (size_t i = 0; i < s->label_count; i++)
        items[i] = symbol_label(symbols[i]);
    return (struct labels){.items = items, .count = s->label_count};
}

struct str series_label(const struct series *s, struct str name)
{
    struct symbol *const *symbols = series_symbols(s);
    for (size_t i = 0; i < s->label_count; i++)
        if (str_equal(symbol_text(symbols[i]->name), name)) return symbol_text(symbols[i]);
    return STR("");
}

bool selection_has_label(struct querier *q, const struct selection *selection, struct str name)
{
    const struct symbol *symbol = symbols_find_name(&q->db->symbols, name);
    for (size_t i = 0; symbol && i < selection->count; i++)
        if (series_find_symbol(selection->series[i], symbol)) return true;
    return false;
}

/* Series lie anywhere in memory, and so do their chunks and the cells of these. Each is asked for
 * when what leads to it has come: it was asked for FETCH_AT_ONCE series ago. */
enum { FETCH_AT_ONCE = 16 };

static size_t fetch_end(const struct selection *selection, size_t at)
{
    return selection->count - at < FETCH_AT_ONCE ? selection->count : at + FETCH_AT_ONCE;
}

static void fetch_series(const struct selection *selection, size_t at)
{
    enum { LINES = 3 }; /* head, ring and some labels */
    if (at >= selection->count) return;
    for (size_t end = fetch_end(selection, at); at < end; at++)
        for (size_t line = 0; line < LINES; line++)
            __builtin_prefetch((const char *)selection->series[at] + line * CACHE_LINE_BYTES);
}

/* The open chunk in a slot; NULL: there is none. */
static const struct chunk *open_in(const struct series *s, uint32_t slot)
{
    uint64_t word = series_word(s, slot);
    return ring_word_is_sealed(word) ? NULL : ring_word_chunk(word);
}

static void fetch_chunks(const struct selection *selection, size_t at, uint32_t slot, bool newest)
{
    if (at >= selection->count) return;
    for (size_t end = fetch_end(selection, at); at < end; at++) {
        const struct chunk *c = open_in(selection->series[at], slot);
        if (!c) continue;
        __builtin_prefetch(c);
        if (!newest) __builtin_prefetch(c->words);
    }
}

static void fetch_cells(const struct selection *selection, size_t at, uint32_t slot)
{
    for (size_t end = fetch_end(selection, at); at < end; at++) {
        const struct chunk *c = open_in(selection->series[at], slot);
        uint32_t cell = c ? atomic_load_explicit(&c->next, memory_order_acquire) : CELL_NONE;
        if (cell == CELL_NONE) continue;
        __builtin_prefetch(cells_at(cell));
        __builtin_prefetch((const char *)cells_at(cell) + CACHE_LINE_BYTES);
    }
}

void selection_fetch(const struct querier *q, const struct selection *selection, size_t at,
                     int64_t t_max_ms, bool newest)
{
    if (at % FETCH_AT_ONCE) return;
    struct select_range range = select_clamp(q, t_max_ms, t_max_ms);
    uint32_t slot = window_slot(&q->db->grid, range.last_window);
    if (at == 0) {
        fetch_series(selection, 0);
        fetch_series(selection, FETCH_AT_ONCE);
        fetch_chunks(selection, 0, slot, newest);
    }
    fetch_series(selection, at + 2 * (size_t)FETCH_AT_ONCE);
    fetch_chunks(selection, at + FETCH_AT_ONCE, slot, newest);
    if (!newest) fetch_cells(selection, at, slot);
}

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
    return OK;
}

static struct held hold_window(const struct querier *q, const struct series *s, int64_t window)
{
    struct held held = series_hold(s, &q->db->regions, window_slot(&q->db->grid, window));
    return held_any(&held) && held.window == window ? held : (struct held){0};
}

/* Add what is held of one window. */
static enum status read_held(const struct series *s, const struct held *held,
                             const struct select_range *range, struct columns *columns,
                             struct error *err)
{
    struct error why;
    enum status st = held_read(held, range->t_min_ms, range->t_max_ms, columns, &why);
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
        if (held_any(&held)) st = read_held(s, &held, &range, columns, err);
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
        struct sample last;
        if (!held_any(&held)) continue;
        if (held.open && chunk_last(held.open, &last) && last.t_ms <= range.t_max_ms) {
            if (last.t_ms < range.t_min_ms) break;
            if (!columns_reserve(columns, 1)) return arena_error(columns->arena, err);
            columns->t_ms[0] = last.t_ms;
            columns->v[0] = last.v;
            columns->count = 1;
            break;
        }
        st = read_held(s, &held, &range, columns, err);
        if (columns->count > 0) break;
    }
    return st;
}
