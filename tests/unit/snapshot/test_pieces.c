/* pieces: every hand walks a stretch of its own, nothing is given out twice, nothing is left. */
#include "snapshot/pieces.h"

#include "tests/unit/suite.h"

enum { PIECES = 23, PIECE_BYTES = 1 << 20 };

static void fill(struct pieces *p, uint32_t hands)
{
    pieces_init(p);
    for (uint64_t i = 0; i < PIECES; i++)
        ck_assert(pieces_add(p, i * PIECE_BYTES, (i + 1) * PIECE_BYTES));
    pieces_divide(p, hands);
}

START_TEST(one_hand_takes_all_in_order)
{
    struct pieces p;
    struct piece piece;
    fill(&p, 1);
    for (uint64_t i = 0; i < PIECES; i++) {
        ck_assert(pieces_take(&p, 0, &piece));
        ck_assert_uint_eq(piece.start, i * PIECE_BYTES);
        ck_assert_uint_eq(piece.end, (i + 1) * PIECE_BYTES);
    }
    ck_assert(!pieces_take(&p, 0, &piece));
    pieces_release(&p);
}
END_TEST

START_TEST(hands_begin_apart_and_help_each_other)
{
    for (uint32_t hands = 1; hands <= PIECES + 2; hands++) {
        struct pieces p;
        struct piece piece;
        bool taken[PIECES] = {false};
        fill(&p, hands);
        for (uint32_t h = 0; h < hands && hands <= PIECES; h++) {
            ck_assert(pieces_take(&p, h, &piece));
            ck_assert_uint_eq(piece.start / PIECE_BYTES, (uint64_t)PIECES * h / hands);
            taken[piece.start / PIECE_BYTES] = true;
        }
        while (pieces_take(&p, hands - 1, &piece)) { /* the others have gone */
            ck_assert(!taken[piece.start / PIECE_BYTES]);
            taken[piece.start / PIECE_BYTES] = true;
        }
        for (unsigned i = 0; i < PIECES; i++)
            ck_assert(taken[i]);
        pieces_release(&p);
    }
}
END_TEST

START_TEST(short_ones_are_taken_together)
{
    enum { SHORT = 40, COUNT = 1 << 16 };
    struct pieces p;
    struct piece piece;
    uint64_t at = 64;
    pieces_init(&p);
    for (unsigned i = 0; i < COUNT; i++, at += SHORT)
        ck_assert(pieces_add(&p, at, at + SHORT));
    pieces_divide(&p, 2);
    uint64_t bytes = 0;
    unsigned count = 0;
    for (; pieces_take(&p, 0, &piece); count++)
        bytes += piece.end - piece.start;
    ck_assert_uint_eq(bytes, (uint64_t)SHORT * COUNT);
    ck_assert_uint_lt(count, 8);
    pieces_release(&p);
}
END_TEST

START_TEST(nothing_is_nothing)
{
    struct pieces p;
    struct piece piece;
    pieces_init(&p);
    pieces_divide(&p, 3);
    ck_assert(!pieces_take(&p, 2, &piece));
    pieces_release(&p);
}
END_TEST

SUITE(pieces, one_hand_takes_all_in_order, hands_begin_apart_and_help_each_other,
      short_ones_are_taken_together, nothing_is_nothing)
