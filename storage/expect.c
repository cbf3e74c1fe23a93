/* expect - a ring of places that are on their way from memory. */
#include "storage/expect.h"

#include "storage/series_match.h"

enum { LOOK_BYTES = 2 * CACHE_LINE_BYTES };

static struct directory_place *place_of(const struct storage *db, uint32_t id)
{
    return directory_place(&db->shards[id & (db->shard_count - 1)].directory,
                           id >> db->common.shard_bits);
}

static const struct directory_place *place_at(const struct expect *e, uint32_t i)
{
    return e->places[(e->first + i) % EXPECT_PLACES];
}

/* One link further. */
static bool follow(struct expect *e, const struct storage *db)
{
    uint32_t id = atomic_load_explicit(&e->last->follower, memory_order_relaxed);
    const struct directory_place *place = place_of(db, id);
    if (!place) return false;
    /* Series that come one after the other were mostly made in that order, so places of this shard
     * will be asked for next, two lines further on at the latest. */
    __builtin_prefetch((const char *)place + LOOK_BYTES);
    e->places[(e->first + e->count++) % EXPECT_PLACES] = place;
    e->last = place;
    return true;
}

/* Follow the links until the ring is full, or they end; the series that come near are fetched. */
static void fill(struct expect *e, const struct storage *db, uint32_t fetched)
{
    while (e->count < EXPECT_PLACES && follow(e, db))
        continue;
    for (; fetched < EXPECT_SERIES && fetched < e->count; fetched++) {
        const struct series *s = directory_series(place_at(e, fetched));
        if (s) series_prefetch(s);
    }
}

void expect_after(struct expect *e, const struct storage *db, const struct series *s)
{
    e->count = 0;
    e->last = place_of(db, s->id);
    fill(e, db, 0);
}

struct series *expect_match(struct expect *e, const struct storage *db, struct str message,
                            size_t *label_bytes)
{
    for (uint32_t i = 0; i < EXPECT_TRIES && i < e->count; i++) {
        struct series *s = directory_series(place_at(e, i));
        if (!s || (*label_bytes = series_match(s, message)) == 0) continue;
        e->skipped |= i > 0;
        e->first += i + 1;
        e->count -= i + 1;
        fill(e, db, e->count < EXPECT_SERIES - i - 1 ? e->count : EXPECT_SERIES - i - 1);
        return s;
    }
    return NULL;
}

void expect_learn(const struct storage *db, const struct series *s, const struct series *next)
{
    struct directory_place *place = place_of(db, s->id);
    if (atomic_load_explicit(&place->follower, memory_order_relaxed) != next->id)
        atomic_store_explicit(&place->follower, next->id, memory_order_relaxed);
}
