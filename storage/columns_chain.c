/* columns_chain - links first, then values and times, each when it is due. */
#include "storage/columns_chain.h"

#include <string.h>

#include "encoding/values.h"
#include "storage/times_cache.h"

bool columns_may_chain(const struct columns *c)
{
    return c->links && c->chain.count == c->count && c->chain.links < COLUMNS_LINKS_MAX &&
           c->times->chains < TIMES_CACHE_CHAINS_MAX;
}

enum status columns_add_link(struct columns *c, const struct sealed_parts *parts,
                             const int64_t range_ms[2])
{
    struct times_link link;
    enum status st =
        times_cache_link(c->times, c->chain.id, parts->times, parts->times_size, range_ms, &link);
    if (st || link.from == link.end) return st;
    size_t count = link.end - link.from;
    if (!columns_reserve(c, count)) return c->arena->refused;
    c->links[c->chain.links] = (struct columns_link){.times = parts->times,
                                                     .values = parts->values,
                                                     .times_size = parts->times_size,
                                                     .values_size = parts->values_size,
                                                     .count = link.count,
                                                     .from = link.from,
                                                     .end = link.end};
    c->t_ms[c->count] = link.first_ms;
    c->t_ms[c->count + count - 1] = link.last_ms;
    c->count += count;
    c->chain = (struct columns_chain){link.chain, c->count, c->chain.links + 1};
    c->times_laid = false;
    return OK;
}

/* A column of which the range has a part is decoded apart: other samples are behind it. */
enum status columns_lay_values(struct columns *c, size_t *failed)
{
    double *v = c->v;
    bool rises = true;
    for (uint32_t i = 0; i < c->chain.links; i++) {
        const struct columns_link *link = &c->links[i];
        size_t count = link->end - link->from;
        double *to = count == link->count ? v : times_cache_values(c->times, link->count);
        if (!to) return c->times->arena->refused;
        *failed = (size_t)(v - c->v);
        bool ascends;
        if (values_decode(link->values, link->values_size, to, link->count, &ascends))
            return ERR_CORRUPT;
        if (to != v) memcpy(v, to + link->from, count * sizeof(*v));
        rises = rises && ascends && (i == 0 || v[0] >= v[-1]);
        v += count;
        if (rises) c->rising = (size_t)(v - c->v);
    }
    return OK;
}

/* All of a usual column: a decoder is done with the first lines before the CPU has seen where it
 * goes. */
static void fetch_column(const struct columns_link *link)
{
    enum { BYTES_MAX = 1024 };
    for (size_t at = 0; at < link->values_size && at < BYTES_MAX; at += CACHE_LINE_BYTES)
        __builtin_prefetch(link->values + at);
}

void columns_fetch_values(const struct columns *c)
{
    for (uint32_t i = 0; i < c->chain.links; i++)
        fetch_column(&c->links[i]);
}

static enum status lay_times(struct columns *c)
{
    int64_t *to = c->t_ms;
    for (uint32_t i = 0; i < c->chain.links; i++) {
        const struct columns_link *link = &c->links[i];
        size_t count = link->end - link->from;
        const int64_t *t_ms;
        enum status st =
            times_cache_get(c->times, link->times, link->times_size, link->count, &t_ms);
        if (st) return st;
        memcpy(to, t_ms + link->from, count * sizeof(*to));
        to += count;
    }
    c->times_laid = true;
    return OK;
}

enum status columns_lay_times(struct columns *c, struct error *err)
{
    if (c->times_laid || c->chain.links == 0) return OK;
    enum status st = lay_times(c);
    if (st == ERR_NO_MEMORY || st == ERR_TOO_LARGE) return arena_error(c->times->arena, err);
    return st ? error_set(err, st, "a sealed chunk does not decode") : OK;
}
