/* series_match: a series is known by the bytes of its labels, with AVX2 and without. */
#include "storage/series_match.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tests/unit/storage/place.h"
#include "tests/unit/suite.h"

static struct series *create(struct place *p, struct labels labels)
{
    struct resolver resolver;
    struct resolved set;
    resolver_init(&resolver, &p->symbols, &p->arena);
    ck_assert(resolve(&resolver, labels, &set));
    ck_assert(symbols_acquire(&p->symbols, labels, set.symbols));
    struct series *s = series_create(&set, 1);
    ck_assert_ptr_nonnull(s);
    return s;
}

/* Both ways say the same; message[size] is not readable behind its end. */
static size_t match(const struct series *s, const uint8_t *message, size_t size)
{
    uint8_t *exact = malloc(LABEL_BYTES_FRONT + size);
    for (size_t i = 0; i < LABEL_BYTES_FRONT; i++)
        exact[i] = (uint8_t)random();
    memcpy(exact + LABEL_BYTES_FRONT, message, size);
    struct str text = {.data = (const char *)exact + LABEL_BYTES_FRONT, .size = size};
    size_t bytes = series_match(s, text);
    ck_assert_uint_eq(series_match_plain(s, text), bytes);
    free(exact);
    return bytes;
}

enum { MATCH_LABELS_MAX = 10, MATCH_VALUE_MAX = 150, MATCH_NAME_MAX = 30 };
enum { MATCH_BYTES_MAX = MATCH_LABELS_MAX * (MATCH_VALUE_MAX + MATCH_NAME_MAX + 16) + 40 };

/* Up to so many labels in order of name; short ones are likelier. */
static struct labels any_labels(struct arena *a)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
    size_t count = (size_t)random() % MATCH_LABELS_MAX + 1;
    struct label *items = arena_alloc_array(a, count, sizeof(*items));
    ck_assert_ptr_nonnull(items);
    for (size_t i = 0; i < count; i++) {
        size_t most = random() % 3 ? 20 : MATCH_VALUE_MAX;
        char *value = arena_alloc(a, MATCH_VALUE_MAX);
        ck_assert_ptr_nonnull(value);
        for (size_t n = 0; n < MATCH_VALUE_MAX; n++)
            value[n] = (char)(random() % 128);
        items[i].name = (struct str){letters + i, (size_t)random() % MATCH_NAME_MAX + 1};
        items[i].value = (struct str){value, (size_t)random() % most + 1};
    }
    return (struct labels){.items = items, .count = count};
}

START_TEST(a_series_is_known_by_the_bytes_of_its_labels_and_by_no_others)
{
    unsigned seed = (unsigned)clock_mono_ns();
    struct place p;
    printf("seed %u\n", seed);
    srandom(seed);
    place_open(&p);
    for (int round = 0; round < 200; round++) {
        static uint8_t message[MATCH_BYTES_MAX];
        struct labels labels = any_labels(&p.arena);
        struct series *s = create(&p, labels);
        struct str bytes = label_bytes_of(labels, &p.arena);
        size_t size = bytes.size;
        ck_assert_uint_le(size + 40, sizeof(message));
        memcpy(message, bytes.data, size);
        memset(message + size, 0x12, 40);
        for (size_t more = 0; more <= 40; more += 20)
            ck_assert_uint_eq(match(s, message, size + more), size);
        for (size_t less = 1; less <= size; less += less < 40 ? 1 : 17)
            ck_assert_uint_eq(match(s, message, size - less), 0);
        for (size_t at = 0; at < size; at++) {
            uint8_t bit = (uint8_t)(1u << random() % 8);
            message[at] ^= bit;
            ck_assert_uint_eq(match(s, message, size + 20), 0);
            message[at] ^= bit;
        }
        symbols_drop(&p.symbols, series_symbols(s), s->label_count);
        series_destroy(s);
    }
    place_close(&p);
}
END_TEST

SUITE(series_match, a_series_is_known_by_the_bytes_of_its_labels_and_by_no_others)
