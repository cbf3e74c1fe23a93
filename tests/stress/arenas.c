/* arenas - what lives longer than a call and dies together. */
#include "alloc/arena.h"

#include "alloc/vec.h"
#include "tests/stress/pattern.h"
#include "tests/stress/walk.h"

enum { PIECES_MAX = 40, ARENA_CEILING = 1 << 20, ITEMS_MAX = 300 };

struct piece {
    void *p;
    size_t size;
    uint64_t name;
};

static void check_pieces(const struct piece *pieces, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        pattern_check(pieces[i].p, pieces[i].size, pieces[i].size, pieces[i].name);
}

/* NULL within the ceiling is a refusal of the heap, beyond it one of the arena. */
static void check_refusal(struct walker *w, const struct arena *a, uint64_t ticket)
{
    ASSERT(a->refused == ERR_NO_MEMORY || a->refused == ERR_TOO_LARGE);
    if (a->refused == ERR_NO_MEMORY) weather_refused(w, ticket);
}

static bool take_piece(struct walker *w, struct arena *a, struct piece *piece)
{
    uint64_t ticket = weather_ticket();
    piece->size = random_size(&w->random, random_below(&w->random, 8) ? 500 : 100000);
    piece->p = arena_alloc(a, piece->size);
    if (!piece->p) {
        check_refusal(w, a, ticket);
        return false;
    }
    piece->name = walk_name(w);
    pattern_write(piece->p, piece->size, piece->name);
    return true;
}

/* In place when it was the last one. */
static void resize_piece(struct walker *w, struct arena *a, struct piece *piece)
{
    uint64_t ticket = weather_ticket();
    size_t size = random_size(&w->random, 2 * piece->size);
    void *p = arena_resize(a, piece->p, piece->size, size);
    if (!p) {
        check_refusal(w, a, ticket);
        return;
    }
    pattern_check(p, piece->size, piece->size < size ? piece->size : size, piece->name);
    piece->p = p;
    piece->size = size;
    pattern_write(p, size, piece->name);
}

static void fill_vec(struct walker *w, struct arena *a)
{
    struct VEC_OF(uint64_t) items = {0};
    uint64_t name = walk_name(w);
    for (uint64_t wanted = random_below(&w->random, ITEMS_MAX); items.count < wanted;) {
        uint64_t ticket = weather_ticket();
        uint64_t *item = VEC_PUSH(&items, a);
        if (!item) {
            check_refusal(w, a, ticket);
            break;
        }
        *item = pattern_word(name, items.count * sizeof(*item));
    }
    for (size_t i = 0; i < items.count; i++)
        ASSERT(items.items[i] == pattern_word(name, (i + 1) * sizeof(uint64_t)));
}

void arenas_step(struct walker *w)
{
    struct arena a;
    struct piece pieces[PIECES_MAX];
    unsigned count = 0, marked = 0;
    arena_init(&a, walk_tag(w), ARENA_CEILING);
    struct arena_mark mark = arena_mark(&a);
    while (count < PIECES_MAX && random_below(&w->random, PIECES_MAX)) {
        if (!take_piece(w, &a, &pieces[count])) break;
        count++;
        if (random_below(&w->random, 4) == 0) resize_piece(w, &a, &pieces[count - 1]);
        if (random_below(&w->random, 10) == 0) {
            mark = arena_mark(&a);
            marked = count;
        }
        ASSERT(a.held_bytes <= ARENA_CEILING);
    }
    if (random_below(&w->random, 3) == 0) fill_vec(w, &a);
    check_pieces(pieces, count);
    if (random_below(&w->random, 3) == 0) {
        arena_rewind(&a, mark);
        check_pieces(pieces, marked);
    }
    arena_release(&a);
}
