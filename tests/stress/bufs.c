/* bufs - bytes that grow piece by piece, up to a ceiling. */
#include "alloc/buf.h"

#include "tests/stress/pattern.h"
#include "tests/stress/walk.h"

enum { CEILING_BYTES = 256 << 10, PIECES_MAX = 60 };

void bufs_init(struct walker *w)
{
    for (int i = 0; i < WALK_BUFS; i++)
        buf_init(&w->bufs[i].buf, walk_tag(w), random_size(&w->random, CEILING_BYTES));
}

static void check(const struct named_buf *b)
{
    ASSERT(b->buf.size <= b->buf.capacity && b->buf.size <= b->buf.ceiling_bytes);
    pattern_check(b->buf.data, b->buf.size, b->buf.size, b->name);
}

/* Nothing has changed but the sticky status. */
static void check_refusal(struct walker *w, struct named_buf *b, size_t piece, uint64_t ticket)
{
    struct error err;
    enum status status = buf_status(&b->buf, &err);
    if (status == ERR_TOO_LARGE) {
        ASSERT(b->buf.size + piece > b->buf.ceiling_bytes);
    } else {
        ASSERT(status == ERR_NO_MEMORY);
        weather_refused(w, ticket);
    }
    check(b);
}

static bool append_piece(struct walker *w, struct named_buf *b)
{
    uint8_t piece[PATTERN_PIECE];
    size_t before = b->buf.size;
    size_t size = random_size(&w->random, sizeof(piece));
    uint64_t ticket = weather_ticket();
    if (random_below(&w->random, 2)) {
        pattern_fill(piece, before, size, b->name);
        buf_append(&b->buf, piece, size);
    } else {
        uint8_t *at = buf_reserve(&b->buf, size);
        if (at) pattern_fill(at, before, size, b->name);
        if (at) b->buf.size += size;
    }
    if (b->buf.size == before + size) return true;
    ASSERT(b->buf.size == before);
    check_refusal(w, b, size, ticket);
    return false;
}

void bufs_step(struct walker *w)
{
    struct named_buf *b = &w->bufs[random_below(&w->random, WALK_BUFS)];
    switch (random_below(&w->random, 12)) {
    case 0:
        check(b);
        buf_release(&b->buf);
        return;
    case 1:
        check(b);
        buf_reset(&b->buf);
        return;
    default: break;
    }
    if (b->buf.size == 0) {
        buf_reset(&b->buf);
        b->name = walk_name(w);
    }
    for (uint64_t pieces = random_size(&w->random, PIECES_MAX); pieces; pieces--)
        if (b->buf.refused || !append_piece(w, b)) return;
}

void bufs_drop(struct walker *w)
{
    for (int i = 0; i < WALK_BUFS; i++) {
        check(&w->bufs[i]);
        buf_release(&w->bufs[i].buf);
    }
}

void bufs_count(const struct walker *w, struct census *census)
{
    for (int i = 0; i < WALK_BUFS; i++) {
        const struct buf *b = &w->bufs[i].buf;
        /* A buffer asks for what the heap would give anyway. */
        if (b->data) census_add(census, b->tag, b->capacity, b->capacity);
    }
}
