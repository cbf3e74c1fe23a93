/*
 * ledger - see ledger.h.
 */
#include "tests/sim/ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "model/sample.h"
#include "storage/querier.h"
#include "tests/unit/labels_of.h"

double ledger_value(unsigned series, int64_t t_s, unsigned variant)
{
    uint64_t mixed = ((uint64_t)t_s * 16 + series) * 4 + variant;
    switch (series % 4) {
    case 0: return (double)mixed;      /* a counter */
    case 1: return variant ? -1.5 : 7; /* constant but for conflicts */
    case 2: return bits_to_double(mixed * UINT64_C(0x9E3779B97F4A7C15)); /* any double */
    default:
        return t_s % 5 ? (double)(mixed % 1000) / 100 : bits_to_double(STALE_NAN_BITS + variant);
    }
}

struct ledger_entry *ledger_at(struct ledger *l, unsigned series, int64_t t_s)
{
    struct ledger_entry *e = &l->entries[series][(uint64_t)t_s % LEDGER_SECONDS];
    if (e->t_s != t_s) *e = (struct ledger_entry){.t_s = t_s};
    return e;
}

void ledger_try(struct ledger_entry *e, unsigned variant, uint32_t batch)
{
    e->batch = e->tried ? 0 : batch;
    e->tried |= (uint8_t)(1U << variant);
    if (e->state == LEDGER_NOTHING) e->state = LEDGER_TRIED;
}

void ledger_promise(struct ledger_entry *e, unsigned variant, uint32_t batch, bool synced_mode,
                    bool stable)
{
    e->promised_in = batch;
    e->promised = (uint8_t)variant;
    e->synced_mode |= synced_mode;
    if (e->state != LEDGER_STABLE) e->state = stable ? LEDGER_STABLE : LEDGER_PROMISED;
}

static struct ledger_entry *entry_number(struct ledger *l, size_t i)
{
    return &l->entries[i / LEDGER_SECONDS][i % LEDGER_SECONDS];
}

enum { ENTRIES = LEDGER_SERIES * LEDGER_SECONDS };

void ledger_settle(struct ledger *l, bool by_snapshot, uint32_t first_batch)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        struct ledger_entry *e = entry_number(l, i);
        if (e->state == LEDGER_PROMISED &&
            (by_snapshot || (e->synced_mode && e->promised_in >= first_batch)))
            e->state = LEDGER_STABLE;
    }
}

void ledger_power_cut(struct ledger *l)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        struct ledger_entry *e = entry_number(l, i);
        if (e->state == LEDGER_STABLE) continue;
        if (e->state == LEDGER_PROMISED) e->state = LEDGER_TRIED;
        e->batch = 0; /* labels are written once for several batches */
    }
}

void ledger_forgive(struct ledger *l)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        struct ledger_entry *e = entry_number(l, i);
        if (e->state == LEDGER_NOTHING) continue;
        e->state = LEDGER_TRIED;
        e->batch = 0;
    }
}

/* ---- the check ---- */

struct verdict {
    char *fault;
    size_t size;
    bool good;
};

#define FAULT(v, ...)                                                                              \
    do {                                                                                           \
        if ((v)->good) snprintf((v)->fault, (v)->size, __VA_ARGS__);                               \
        (v)->good = false;                                                                         \
    } while (0)

static bool present[LEDGER_SERIES][LEDGER_SECONDS];

static void check_sample(struct ledger *l, unsigned series, int64_t t_ms, double value,
                         struct verdict *v)
{
    int64_t t_s = t_ms / 1000;
    size_t at = (uint64_t)t_s % LEDGER_SECONDS;
    const struct ledger_entry *e = &l->entries[series][at];
    if (t_ms % 1000 == 0 && e->t_s > t_s) return; /* a later one has its place: nobody knows */
    if (t_ms % 1000 || e->t_s != t_s || e->state == LEDGER_NOTHING) {
        FAULT(v, "series %u has a sample at %" PRId64 " ms that nobody wrote", series, t_ms);
        return;
    }
    if (present[series][at]) FAULT(v, "series %u has two samples at %" PRId64 " s", series, t_s);
    present[series][at] = true;
    unsigned variant = 0;
    while (variant < LEDGER_VARIANTS &&
           bits_from_double(value) != bits_from_double(ledger_value(series, t_s, variant)))
        variant++;
    if (variant == LEDGER_VARIANTS || !(e->tried >> variant & 1))
        FAULT(v, "series %u has a wrong value at %" PRId64 " s", series, t_s);
    else if (e->state >= LEDGER_PROMISED && e->promised != variant)
        FAULT(v, "series %u at %" PRId64 " s: another value than the promised one", series, t_s);
}

static void read_everything(struct ledger *l, struct storage *db, struct verdict *v)
{
    struct arena arena;
    struct querier *q;
    struct selection selection;
    struct error err = {0};
    arena_init(&arena, HEAP_QUERY, 64 << 20);
    struct columns columns = {.arena = &arena};
    const struct select_request all = {.t_min_ms = INT64_MIN, .t_max_ms = INT64_MAX};
    ASSERT(querier_open(db, &arena, &q, &err) == OK);
    ASSERT(querier_select(q, &all, &selection, &err) == OK);
    for (size_t i = 0; i < selection.count && v->good; i++) {
        struct str name = labels_get(labels_of(selection.series[i]), STR("series"));
        unsigned series = name.size == 1 ? (unsigned)(name.data[0] - 'a') : LEDGER_SERIES;
        if (series >= LEDGER_SERIES || labels_of(selection.series[i]).count != 3) {
            FAULT(v, "a series that nobody wrote");
            break;
        }
        if (series_read(q, selection.series[i], INT64_MIN, INT64_MAX, &columns, &err))
            FAULT(v, "series %u: %.200s", series, err.text);
        for (size_t s = 0; s < columns.count && v->good; s++)
            check_sample(l, series, columns.t_ms[s], columns.v[s], v);
    }
    querier_close(q);
    arena_release(&arena);
}

/* Batches are numbered; of each that is not promised, whether some of it is there, and missing. */
enum { BATCHES = 4096, SOME_THERE = 1, SOME_MISSING = 2 };

bool ledger_check(struct ledger *l, struct storage *db, int64_t oldest_ms, char *fault, size_t size)
{
    static uint8_t batches[BATCHES];
    struct verdict v = {.fault = fault, .size = size, .good = true};
    memset(present, 0, sizeof(present));
    memset(batches, 0, sizeof(batches));
    read_everything(l, db, &v);
    for (size_t i = 0; i < ENTRIES && v.good; i++) {
        const struct ledger_entry *e = entry_number(l, i);
        bool there = present[i / LEDGER_SECONDS][i % LEDGER_SECONDS];
        if (e->state == LEDGER_NOTHING || e->t_s * 1000 < oldest_ms) continue;
        if (e->state >= LEDGER_PROMISED && !there)
            FAULT(&v, "series %zu has lost its sample at %" PRId64 " s (%s)", i / LEDGER_SECONDS,
                  e->t_s, e->state == LEDGER_STABLE ? "stable" : "promised");
        if (e->state == LEDGER_TRIED && e->batch) {
            uint8_t *seen = &batches[e->batch % BATCHES];
            *seen |= there ? SOME_THERE : SOME_MISSING;
            if (*seen == (SOME_THERE | SOME_MISSING))
                FAULT(&v, "batch %u is there in part", e->batch);
        }
    }
    return v.good;
}
