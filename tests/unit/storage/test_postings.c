/* postings - the table of sets. */
#include "storage/postings.h"

#include "tests/unit/storage/lonely.h"
#include "tests/unit/suite.h"

/* The table looks at addresses only. */
static struct symbol *symbol_at(size_t n)
{
    return (struct symbol *)(uintptr_t)((n + 1) * 48);
}

START_TEST(the_table_finds_what_was_added_and_forgets_what_is_empty)
{
    enum { SYMBOLS = 3000 };
    struct postings p = {0};
    for (uint32_t id = 0; id < SYMBOLS; id++) {
        struct symbol *symbols[] = {symbol_at(id), symbol_at(id / 10 + SYMBOLS)};
        ck_assert(postings_add(&p, symbols, 2, id));
    }
    postings_check(&p);
    ck_assert_uint_eq(p.count, SYMBOLS + SYMBOLS / 10);
    ck_assert_uint_eq(id_set_count(postings_find(&p, symbol_at(SYMBOLS + 5))), 10);
    ck_assert_ptr_null(postings_find(&p, symbol_at(SYMBOLS * 2)));
    for (uint32_t id = 0; id < SYMBOLS; id++) {
        struct symbol *symbols[] = {symbol_at(id), symbol_at(id / 10 + SYMBOLS)};
        postings_remove(&p, symbols, 2, id);
        ck_assert_ptr_null(postings_find(&p, symbol_at(id)));
        if (id % 100 == 0) postings_check(&p);
    }
    ck_assert_uint_eq(p.count, 0);
    ck_assert_ptr_null(p.entries);
}
END_TEST

START_TEST(a_refused_allocation_leaves_the_sets_as_they_were)
{
    struct postings p = {0};
    struct symbol *symbols[] = {symbol_at(1), symbol_at(2), symbol_at(3)};
    for (uint32_t id = 0; id < 40; id++) {
        bool done = false;
        for (uint64_t n = 0; !done; n++) {
            heap_fail_after(n);
            done = postings_add(&p, symbols, 3, id);
            heap_fail_after(UINT64_MAX);
            postings_check(&p);
            for (size_t i = 0; i < 3; i++) {
                const struct id_set *set = postings_find(&p, symbols[i]);
                ck_assert_uint_eq(set ? id_set_count(set) : 0, done ? id + 1 : id);
            }
        }
    }
    postings_release(&p);
}
END_TEST

START_TEST(a_table_alone_in_its_span_moves)
{
    struct postings p = {0};
    struct lonely l = {.size = 32 * sizeof(*p.entries)};
    struct symbol *symbols[] = {symbol_at(1), symbol_at(2), symbol_at(3)};
    postings_move(&p); /* there is none */
    lonely_surround(&l);
    ck_assert(postings_add(&p, symbols, 3, 7));
    ck_assert_uint_eq(p.capacity * sizeof(*p.entries), l.size);
    lonely_surround(&l);
    lonely_leave(&l, p.entries);
    postings_move(&p);
    ck_assert(!heap_is_emptying(p.entries));
    ck_assert(postings_add(&p, symbols, 3, 8));
    ck_assert_uint_eq(id_set_count(postings_find(&p, symbols[2])), 2);
    postings_check(&p);
    postings_release(&p);
    lonely_end(&l);
}
END_TEST

SUITE(postings, the_table_finds_what_was_added_and_forgets_what_is_empty,
      a_table_alone_in_its_span_moves, a_refused_allocation_leaves_the_sets_as_they_were)
