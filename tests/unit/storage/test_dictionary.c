/* dictionary: what resolve() makes of labels, by numbers; what is refused; and every reference
 * comes back. */
#include "storage/dictionary.h"

#include "storage/resolve.h"
#include "tests/unit/storage/place.h"
#include "tests/unit/suite.h"

enum { NAME, UP, JOB, NODE, BROKEN, EMPTY, TEXTS };

static const char broken[] = "\xFF";

static void texts_of(struct str out[TEXTS])
{
    out[NAME] = STR("__name__");
    out[UP] = STR("up");
    out[JOB] = STR("job");
    out[NODE] = STR("node");
    out[BROKEN] = str_from(broken);
    out[EMPTY] = STR("");
}

struct open {
    struct place at;
    struct str texts[TEXTS];
    struct dictionary d;
};

static void open_all(struct open *o)
{
    place_open(&o->at);
    texts_of(o->texts);
    ck_assert(dictionary_open(&o->d, &o->at.symbols, o->texts, TEXTS, &o->at.arena));
}

/* Nobody refers to anything any more. */
static void close_all(struct open *o)
{
    dictionary_close(&o->d);
    ck_assert_int_eq(gauge_read(&o->at.symbols.symbol_count), 0);
    symbols_check(&o->at.symbols);
    place_close(&o->at);
}

START_TEST(numbers_are_resolved_like_labels)
{
    static const uint32_t numbers[] = {NAME, UP, JOB, NODE};
    struct open o;
    struct symbol *symbols[2];
    struct resolver resolver;
    struct resolved set;
    uint64_t hash;
    open_all(&o);
    ck_assert_int_eq(dictionary_take(&o.d, numbers, 2, symbols, &hash, NULL), OK);
    const struct label items[] = {{o.texts[NAME], o.texts[UP]}, {o.texts[JOB], o.texts[NODE]}};
    resolver_init(&resolver, &o.at.symbols, &o.at.arena);
    ck_assert(resolve(&resolver, (struct labels){items, 2}, &set));
    ck_assert(set.complete);
    ck_assert_uint_eq(set.hash, hash);
    ck_assert_ptr_eq(set.symbols[0], symbols[0]);
    ck_assert_ptr_eq(set.symbols[1], symbols[1]);
    dictionary_give_back(&o.d, numbers, 2, symbols);
    close_all(&o);
}
END_TEST

START_TEST(references_that_are_kept_stay)
{
    enum { TIMES = 5000 }; /* the stock has to be filled up */
    static const uint32_t numbers[] = {NAME, UP, JOB, NODE};
    struct open o;
    struct symbol *symbols[2];
    uint64_t hash;
    open_all(&o);
    for (int i = 0; i < TIMES; i++)
        ck_assert_int_eq(dictionary_take(&o.d, numbers, 2, symbols, &hash, NULL), OK);
    dictionary_close(&o.d);
    ck_assert_uint_eq(symbols[0]->refs, TIMES);
    ck_assert_uint_eq(symbols[1]->refs, TIMES);
    symbols_give_back(&o.at.symbols, symbols[0], TIMES);
    symbols_give_back(&o.at.symbols, symbols[1], TIMES - 1);
    symbols_drop(&o.at.symbols, &symbols[1], 1);
    close_all(&o);
}
END_TEST

START_TEST(a_value_of_two_names_is_two_symbols)
{
    static const uint32_t first[] = {NAME, UP};
    static const uint32_t second[] = {JOB, UP};
    struct open o;
    struct symbol *symbols[4];
    uint64_t hashes[4];
    open_all(&o);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(
            dictionary_take(&o.d, i % 2 ? second : first, 1, &symbols[i], &hashes[i], NULL), OK);
    ck_assert_ptr_ne(symbols[0], symbols[1]);
    ck_assert_ptr_eq(symbols[0], symbols[2]);
    ck_assert_ptr_eq(symbols[1], symbols[3]);
    ck_assert_uint_eq(hashes[0], hashes[2]);
    ck_assert_uint_ne(hashes[0], hashes[1]);
    for (int i = 0; i < 4; i++)
        dictionary_give_back(&o.d, i % 2 ? second : first, 1, &symbols[i]);
    close_all(&o);
}
END_TEST

START_TEST(what_no_label_set_is_is_refused_and_refers_to_nothing)
{
    static const struct {
        uint32_t numbers[4];
        size_t count;
    } cases[] = {
        {{NAME, UP, JOB, TEXTS}, 2},  /* no such text */
        {{TEXTS, UP}, 1},             /* no such name */
        {{JOB, NODE, NAME, UP}, 2},   /* out of order */
        {{NAME, UP, NAME, NODE}, 2},  /* twice */
        {{NAME, UP, JOB, BROKEN}, 2}, /* not UTF-8 */
        {{NAME, UP, BROKEN, UP}, 2},
        {{NAME, UP, JOB, EMPTY}, 2}, /* no value */
        {{EMPTY, UP}, 1},            /* no name */
    };
    struct open o;
    open_all(&o);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct symbol *symbols[2];
        struct error err = {0};
        uint64_t hash;
        ck_assert_int_eq(
            dictionary_take(&o.d, cases[i].numbers, cases[i].count, symbols, &hash, &err),
            ERR_CORRUPT);
        ck_assert(err.text[0] != '\0');
    }
    close_all(&o);
}
END_TEST

START_TEST(at_the_memory_limit_nothing_is_referred_to)
{
    static const uint32_t numbers[] = {NAME, UP, JOB, NODE};
    for (uint64_t after = 0;; after++) {
        struct open o;
        struct symbol *symbols[2];
        uint64_t hash;
        open_all(&o);
        heap_fail_after(after);
        enum status st = dictionary_take(&o.d, numbers, 2, symbols, &hash, NULL);
        heap_fail_after(UINT64_MAX);
        if (st == OK) dictionary_give_back(&o.d, numbers, 2, symbols);
        ck_assert(st == OK || st == ERR_NO_MEMORY);
        close_all(&o);
        if (st == OK) break;
    }
}
END_TEST

SUITE(dictionary, numbers_are_resolved_like_labels, references_that_are_kept_stay,
      a_value_of_two_names_is_two_symbols, what_no_label_set_is_is_refused_and_refers_to_nothing,
      at_the_memory_limit_nothing_is_referred_to)
