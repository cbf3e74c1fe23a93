/* querier - life of a querier, and the labels of what it selected. */
#include "storage/querier.h"

#include "storage/select.h"

uint64_t querier_serial(struct storage *db)
{
    return atomic_fetch_add_explicit(&db->queriers, 1, memory_order_relaxed) + 1;
}

enum status querier_open(struct storage *db, struct arena *a, struct querier **out,
                         struct error *err)
{
    struct querier *q = arena_alloc(a, sizeof(*q));
    if (!q) return arena_error(a, err);
    *q = (struct querier){.db = db, .arena = a, .pin = epoch_enter(&db->epoch)};
    enum status st = views_open(db, &q->view, err);
    if (st) {
        epoch_leave(&q->pin);
        return st;
    }
    q->bounds = storage_bounds(db);
    q->serial = querier_serial(db);
    *out = q;
    return OK;
}

void querier_close(struct querier *q)
{
    if (!q) return;
    view_close(q->db, q->view);
    epoch_leave(&q->pin);
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
