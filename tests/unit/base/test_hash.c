/* hash: known values of XXH3 and XXH64, and mixing that minds the order. */
#include "base/hash.h"

#include "tests/unit/suite.h"

START_TEST(known_values_of_xxh3)
{
    ck_assert_uint_eq(hash_bytes(NULL, 0, 0), UINT64_C(0x2D06800538D394C2));
    ck_assert_uint_eq(hash_bytes("", 0, 0), UINT64_C(0x2D06800538D394C2));
    ck_assert_uint_eq(hash_bytes("a", 1, 0), UINT64_C(0xE6C632B61E964E1F));
}
END_TEST

START_TEST(known_values_of_xxh64)
{
    ck_assert_uint_eq(hash_xxh64("", 0), UINT64_C(0xEF46DB3751D8E999));
    ck_assert_uint_eq(hash_xxh64("a", 1), UINT64_C(0xD24EC4F1A98C6E5B));
}
END_TEST

START_TEST(seed_and_content_both_count)
{
    ck_assert_uint_ne(hash_bytes("abc", 3, 0), hash_bytes("abc", 3, 1));
    ck_assert_uint_ne(hash_bytes("abc", 3, 0), hash_bytes("abd", 3, 0));
    ck_assert_uint_ne(hash_bytes("abc", 3, 0), hash_bytes("abc", 2, 0));
}
END_TEST

START_TEST(mixing_minds_the_order)
{
    ck_assert_uint_ne(hash_mix(hash_mix(0, 1), 2), hash_mix(hash_mix(0, 2), 1));
    ck_assert_uint_ne(hash_mix(0, 0), 0);
}
END_TEST

SUITE(hash, known_values_of_xxh3, known_values_of_xxh64, seed_and_content_both_count,
      mixing_minds_the_order)
