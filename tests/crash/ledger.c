/*
 * ledger - see ledger.h.
 */
#include "tests/crash/ledger.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void ledger_init(struct ledger *l, const struct plan *plan)
{
    *l = (struct ledger){.plan = *plan};
    l->entries = mmap(NULL, LEDGER_MAX * sizeof(*l->entries), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (l->entries == MAP_FAILED) abort();
}

void ledger_set(struct ledger *l, uint32_t number, enum ledger_state state)
{
    uint8_t now = atomic_load(&l->entries[number].state);
    while (now < state &&
           !atomic_compare_exchange_weak(&l->entries[number].state, &now, (uint8_t)state)) {
    }
}

#define FAULT(v, count, ...)                                                                       \
    do {                                                                                           \
        if (!(v)->first[0]) snprintf((v)->first, sizeof((v)->first), __VA_ARGS__);                 \
        (v)->count++;                                                                              \
    } while (0)

/* ---- the answer of a query: a matrix as JSON ---- */

static bool skip(const char **at, const char *text)
{
    size_t size = strlen(text);
    if (strncmp(*at, text, size) != 0) return false;
    *at += size;
    return true;
}

/* Seconds with up to three decimals. */
static bool read_time(const char **at, int64_t *t_ms)
{
    char *end;
    int64_t ms = strtoll(*at, &end, 10) * 1000;
    if (end == *at) return false;
    if (*end == '.') {
        int64_t unit = 100;
        for (end++; *end >= '0' && *end <= '9'; end++, unit /= 10)
            ms += (*end - '0') * unit;
    }
    *at = end;
    *t_ms = ms;
    return true;
}

static bool read_value(const char **at, double *v)
{
    char *end;
    *v = strtod(*at, &end);
    if (end == *at) return false;
    *at = end;
    return true;
}

static bool same_bits(double a, double b)
{
    uint64_t a_bits;
    uint64_t b_bits;
    memcpy(&a_bits, &a, sizeof(a));
    memcpy(&b_bits, &b, sizeof(b));
    return isnan(a) ? isnan(b) : a_bits == b_bits; /* a NaN's bits cannot be told in JSON */
}

static void check_sample(struct ledger *l, uint32_t group, uint32_t series, int64_t t_ms, double v,
                         struct ledger_verdict *out)
{
    struct batch b;
    uint32_t sample;
    out->samples++;
    if (!plan_trace(&l->plan, t_ms, &b, &sample) || b.number >= LEDGER_MAX || b.group != group ||
        series - b.first_series >= b.series || ledger_get(l, b.number) == LEDGER_NOTHING) {
        FAULT(out, invented, "series %u of group %u has a sample at %" PRId64 " that nobody sent",
              series, group, t_ms);
        return;
    }
    double sent = plan_value(&b, series, sample, 0);
    if (!same_bits(sent, v))
        FAULT(out, wrong, "request %u, series %u at %" PRId64 ": %.17g was sent, %.17g is there",
              b.number, series, t_ms, sent, v);
    l->entries[b.number].found++;
}

/* [[t,"v"],...] */
static bool check_values(struct ledger *l, uint32_t group, uint32_t series, const char **at,
                         struct ledger_verdict *out)
{
    int64_t before_ms = INT64_MIN;
    do {
        int64_t t_ms;
        double v;
        if (!skip(at, "[") || !read_time(at, &t_ms) || !skip(at, ",\"") || !read_value(at, &v) ||
            !skip(at, "\"]"))
            return false;
        if (t_ms <= before_ms)
            FAULT(out, twice, "series %u of group %u: two samples at %" PRId64, series, group,
                  t_ms);
        else
            check_sample(l, group, series, t_ms, v, out);
        before_ms = t_ms;
    } while (skip(at, ","));
    return skip(at, "]}");
}

static bool check_matrix(struct ledger *l, uint32_t group, const char *at,
                         struct ledger_verdict *out)
{
    static const char name[] = "\"i\":\"";
    if (!skip(&at, "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":["))
        return false;
    if (skip(&at, "]")) return true;
    uint8_t *met = NULL;
    bool good = true;
    size_t met_size = 0;
    do {
        const char *values = strstr(at, "\"values\":[");
        const char *label = strstr(at, name);
        good = values && label && label < values;
        if (!good) break;
        uint32_t series = (uint32_t)strtoul(label + strlen(name), NULL, 10);
        if (series >= met_size) {
            size_t size = 2 * ((size_t)series + 1);
            met = realloc(met, size);
            if (!met) abort();
            memset(met + met_size, 0, size - met_size);
            met_size = size;
        }
        if (met[series]++) FAULT(out, twice, "series %u of group %u is there twice", series, group);
        out->series++;
        at = values + strlen("\"values\":[");
        good = check_values(l, group, series, &at, out);
    } while (good && skip(&at, ","));
    free(met);
    return good && skip(&at, "]");
}

static bool check_group(struct ledger *l, struct client *c, uint32_t group,
                        const struct ledger_question *question, struct ledger_verdict *out)
{
    char form[200];
    int64_t first_ms =
        question->oldest_ms < l->plan.start_ms ? question->oldest_ms : l->plan.start_ms;
    int64_t last_ms = question->now_ms + (int64_t)3600 * 1000; /* nothing may be there */
    int size = snprintf(form, sizeof(form),
                        "query=ledger%%7Bg%%3D%%22%u%%22%%7D%%5B%" PRId64 "ms%%5D&time=%" PRId64
                        ".%03" PRId64,
                        group, last_ms - first_ms + PLAN_STEP_MS, last_ms / 1000, last_ms % 1000);
    int code =
        client_post(c, "/api/v1/query", "Content-Type: application/x-www-form-urlencoded\r\n", form,
                    (size_t)size);
    if (code == 200 && check_matrix(l, group, c->body, out)) return true;
    (void)snprintf(out->first, sizeof(out->first), "query of group %u: %d %.200s", group, code,
                   code ? c->body : "no answer");
    return false;
}

/* ---- requests ---- */

static void leave_part(struct ledger_entry *e)
{
    e->part = e->found;
    atomic_store(&e->state, LEDGER_PARTLY);
}

/* All of it is there, or none; of what a power cut has left in part, that part. */
static void judge(struct ledger *l, uint32_t number, const struct batch *b,
                  const struct ledger_question *question, struct ledger_verdict *out)
{
    struct ledger_entry *e = &l->entries[number];
    uint32_t whole = b->series * b->samples;
    enum ledger_state state = ledger_get(l, number);
    bool promised = state >= LEDGER_SEEN;
    uint32_t least = promised ? whole : state == LEDGER_PARTLY ? e->part : 0;
    if (state == LEDGER_KEPT) out->kept += whole;
    if (e->found == whole) {
        e->answered_ms = 0; /* it has been read from disk */
        ledger_set(l, number, LEDGER_SEEN);
    } else if (promised && question->power_cut && e->answered_ms > question->stable_ms) {
        if (state == LEDGER_KEPT) out->gone += whole - e->found;
        leave_part(e);
    } else if (e->found < least) {
        FAULT(out, lost,
              "request %u (%s) of %u series x %u at %" PRId64 " ms: %u of %u samples are there",
              number, state == LEDGER_KEPT ? "acknowledged" : "shown before", b->series, b->samples,
              b->t_ms, e->found, least);
        out->lost += least - e->found - 1;
    } else if (state == LEDGER_PARTLY || (question->power_cut && e->found)) {
        leave_part(e);
    } else if (e->found) {
        FAULT(out, torn, "request %u, not acknowledged, is there in part: %u of %u samples", number,
              e->found, whole);
    }
}

bool ledger_check(struct ledger *l, struct client *c, const struct ledger_question *question,
                  struct ledger_verdict *out)
{
    *out = (struct ledger_verdict){0};
    uint32_t end = atomic_load(&l->next);
    for (uint32_t n = 0; n < end; n++)
        l->entries[n].found = 0;
    for (uint32_t group = 0; group < l->plan.groups; group++)
        if (!check_group(l, c, group, question, out)) return false;
    for (uint32_t n = 0; n < end; n++) {
        struct batch b = plan_batch(&l->plan, n);
        if (ledger_get(l, n) != LEDGER_NOTHING && b.t_ms >= question->oldest_ms)
            judge(l, n, &b, question, out);
    }
    return true;
}
