/* lifetimes - what lives longer than a call and dies together: arenas, chains of cells. */
#include "alloc/arena.h"
#include "alloc/cells.h"
#include "tests/stress/pattern.h"
#include "tests/stress/walk.h"

enum { PIECES_MAX = 40, CHAIN_MAX = 60, ARENA_CEILING = 1 << 20 };

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
static bool take_piece(struct walker *w, struct arena *a, struct piece *piece)
{
    uint64_t ticket = weather_ticket();
    piece->size = random_size(&w->random, random_below(&w->random, 8) ? 500 : 100000);
    piece->p = arena_alloc(a, piece->size);
    if (!piece->p) {
        ASSERT(a->refused != OK);
        if (a->refused == ERR_NO_MEMORY) weather_refused(w, ticket);
        return false;
    }
    piece->name = random_next(&w->random);
    pattern_write(piece->p, piece->size, piece->name);
    return true;
}

void lifetimes_arena(struct walker *w)
{
    struct arena a;
    struct piece pieces[PIECES_MAX];
    unsigned count = 0, marked = 0;
    arena_init(&a, (enum heap_tag)random_below(&w->random, HEAP_TAG_COUNT), ARENA_CEILING);
    struct arena_mark mark = arena_mark(&a);
    while (count < PIECES_MAX && random_below(&w->random, PIECES_MAX)) {
        if (!take_piece(w, &a, &pieces[count])) break;
        count++;
        if (random_below(&w->random, 10) == 0) {
            mark = arena_mark(&a);
            marked = count;
        }
        ASSERT(a.held_bytes <= ARENA_CEILING);
    }
    check_pieces(pieces, count);
    if (random_below(&w->random, 3) == 0) {
        arena_rewind(&a, mark);
        check_pieces(pieces, marked);
    }
    arena_release(&a);
}

static void write_cell(struct cell *cell, uint64_t name, uint32_t link)
{
    for (size_t i = 0; i < CELL_PAYLOAD_BYTES / 4; i++)
        cell->words[i] = (uint32_t)pattern_word(name, link * CELL_PAYLOAD_BYTES + i * 4);
}

static void check_cell(const struct cell *cell, uint64_t name, uint32_t link)
{
    for (size_t i = 0; i < CELL_PAYLOAD_BYTES / 4; i++)
        ASSERT(cell->words[i] == (uint32_t)pattern_word(name, link * CELL_PAYLOAD_BYTES + i * 4));
}

void lifetimes_chain(struct walker *w)
{
    uint64_t name = random_next(&w->random);
    uint32_t first = CELL_NONE, last = CELL_NONE, length = 0;
    for (uint64_t wanted = random_below(&w->random, CHAIN_MAX); length < wanted; length++) {
        uint64_t ticket = weather_ticket();
        uint32_t cell = cells_alloc();
        if (cell == CELL_NONE) {
            weather_refused(w, ticket);
            break;
        }
        ASSERT(cells_at(cell)->next == CELL_NONE);
        write_cell(cells_at(cell), name, length);
        if (last == CELL_NONE)
            first = cell;
        else
            cells_at(last)->next = cell;
        last = cell;
    }
    uint32_t link = 0;
    for (uint32_t cell = first; cell != CELL_NONE; cell = cells_at(cell)->next)
        check_cell(cells_at(cell), name, link++);
    ASSERT(link == length);
    ASSERT(cells_free_chain(first) == length);
}
