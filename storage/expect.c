/* expect - a ring of places that are on their way from memory. */
#include "storage/expect.h"

#include "storage/series_match.h"

enum { LOOK_BYTES = 2 * CACHE_LINE_BYTES };

static struct directory_place *place_of(const struct storage *db, uint32_t id)
{
    return directory_place(&storage_shard_of(db, id)->directory, id >> db->common.shard_bits);
}

/* One link further; NULL when they end. */
static ALWAYS_INLINE const struct directory_place *follow(struct expect *e,
                                                          const struct storage *db)
{
    uint32_t id = atomic_load_explicit(&e->last->follower, memory_order_relaxed);
    const struct directory_place *place = place_of(db, id);
    if (UNLIKELY(!place)) return NULL;
    /* Series that come one after the other were mostly made in that order, so places of this shard
     * will be asked for next, two lines further on at the latest. */
    __builtin_prefetch((const char *)place + LOOK_BYTES);
    e->last = place;
    return place;
}

/* The place has come: look which series is in it, and ask for that. */
static ALWAYS_INLINE void fetch(struct expect *e, uint32_t n)
{
    uint32_t at = (e->first + n) % EXPECT_PLACES;
    struct series *s = directory_series(e->places[at]);
    e->series[at] = s;
    if (LIKELY(s != NULL)) series_prefetch(s);
}

/* Follow the links until the ring is full, or they end; the series that come near are fetched, but
 * for the first ones, which are. */
static NO_INLINE void fill(struct expect *e, const struct storage *db, uint32_t fetched)
{
    const struct directory_place *place;
    while (e->count < EXPECT_PLACES && (place = follow(e, db)))
        e->places[(e->first + e->count++) % EXPECT_PLACES] = place;
    for (; fetched < EXPECT_SERIES && fetched < e->count; fetched++)
        fetch(e, fetched);
}

void expect_after(struct expect *e, const struct storage *db, const struct series *s)
{
    e->count = 0;
    e->last = place_of(db, s->id);
    fill(e, db, 0);
}

/* So many have come, or will not. */
static NO_INLINE void pass(struct expect *e, const struct storage *db, uint32_t n)
{
    uint32_t fetched = e->count < EXPECT_SERIES ? e->count : EXPECT_SERIES;
    e->first += n;
    e->count -= n;
    fill(e, db, fetched - n);
}

/* The first one has come, of a full ring: what pass does then. The one that comes in takes its
 * place, and the count is left alone: the CPU would wait for what was written in two halves and is
 * read as a whole. */
static ALWAYS_INLINE bool pass_one(struct expect *e, const struct storage *db)
{
    if (UNLIKELY(e->count < EXPECT_PLACES)) return false;
    uint32_t at = e->first++ % EXPECT_PLACES;
    fetch(e, EXPECT_SERIES - 1);
    const struct directory_place *place = follow(e, db);
    if (LIKELY(place != NULL))
        e->places[at] = place;
    else
        e->count--;
    return true;
}

static NO_INLINE struct series *match_later(struct expect *e, const struct storage *db,
                                            struct str message, size_t *label_bytes)
{
    for (uint32_t i = 1; i < EXPECT_TRIES && i < e->count; i++) {
        struct series *s = e->series[(e->first + i) % EXPECT_PLACES];
        if (!s || (*label_bytes = series_match(s, message)) == 0) continue;
        e->skipped = true;
        pass(e, db, i + 1);
        return s;
    }
    return NULL;
}

struct series *expect_match(struct expect *e, const struct storage *db, struct str message,
                            size_t *label_bytes)
{
    struct series *s = e->count ? e->series[e->first % EXPECT_PLACES] : NULL;
    if (UNLIKELY(!s || (*label_bytes = series_match(s, message)) == 0))
        return match_later(e, db, message, label_bytes);
    if (UNLIKELY(!pass_one(e, db))) pass(e, db, 1);
    return s;
}

void expect_learn(const struct storage *db, const struct series *s, const struct series *next)
{
    struct directory_place *place = place_of(db, s->id);
    if (atomic_load_explicit(&place->follower, memory_order_relaxed) != next->id)
        atomic_store_explicit(&place->follower, next->id, memory_order_relaxed);
}
