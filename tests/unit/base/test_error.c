/* error: formatting, wrapping, cutting at a character, and no words at all. */
#include "base/error.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/suite.h"

START_TEST(set_keeps_status_and_words)
{
    struct error err;
    ck_assert_int_eq(error_set(&err, ERR_CORRUPT, "crc mismatch at offset %d", 7), ERR_CORRUPT);
    ck_assert_int_eq(err.status, ERR_CORRUPT);
    ck_assert_str_eq(err.text, "crc mismatch at offset 7");
}
END_TEST

START_TEST(wrapping_puts_words_in_front)
{
    struct error err;
    error_set(&err, ERR_IO, "disk full");
    ck_assert_int_eq(error_wrap(&err, "segment %d: ", 3), ERR_IO);
    ck_assert_int_eq(error_wrap(&err, "replay: "), ERR_IO);
    ck_assert_str_eq(err.text, "replay: segment 3: disk full");
}
END_TEST

START_TEST(errno_is_spelled_out)
{
    struct error err;
    ck_assert_int_eq(error_set_errno(&err, ERR_IO, ENOENT, "open %s", "x"), ERR_IO);
    ck_assert_str_eq(err.text, "open x: No such file or directory");
}
END_TEST

START_TEST(no_error_is_allowed)
{
    ck_assert_int_eq(error_set(NULL, ERR_INVALID, "words"), ERR_INVALID);
    ck_assert_int_eq(error_set_errno(NULL, ERR_IO, ENOENT, "words"), ERR_IO);
}
END_TEST

/* Whether text ends at a whole character, when it is made of two-byte ones behind some letters. */
static void ends_whole(const char *text)
{
    size_t size = strlen(text);
    size_t letters = strspn(text, "x");
    ck_assert_uint_lt(size, ERROR_TEXT_BYTES);
    ck_assert_uint_ge(size, ERROR_TEXT_BYTES - 2);
    ck_assert_uint_eq((size - letters) % 2, 0);
}

START_TEST(long_texts_are_cut_between_characters)
{
    char text[2 * ERROR_TEXT_BYTES];
    struct error err;
    for (size_t i = 0; i + 1 < sizeof(text); i += 2)
        memcpy(text + i, "\xC3\xA9", 2);
    text[sizeof(text) - 2] = '\0';
    error_set(&err, ERR_INVALID, "%s", text);
    ends_whole(err.text);
    error_set(&err, ERR_INVALID, "x%s", text);
    ends_whole(err.text);
    error_set(&err, ERR_INVALID, "%.400s", text);
    error_wrap(&err, "%.300s", text);
    ends_whole(err.text);
    error_set(&err, ERR_INVALID, "%.400s", text);
    error_wrap(&err, "x%.300s", text);
    ends_whole(err.text);
}
END_TEST

START_TEST(a_text_that_just_fits_is_whole)
{
    char text[ERROR_TEXT_BYTES];
    struct error err;
    memset(text, 'x', sizeof(text));
    memcpy(text + sizeof(text) - 3, "\xC3\xA9", 3);
    error_set(&err, ERR_INVALID, "%s", text);
    ck_assert_str_eq(err.text, text);
}
END_TEST

START_TEST(every_status_has_a_name)
{
    for (int i = 0; i < STATUS_COUNT; i++) {
        ck_assert_ptr_nonnull(status_name((enum status)i));
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(status_name((enum status)i), status_name((enum status)j));
    }
    ck_assert_str_eq(status_name(OK), "ok");
    ck_assert_str_eq(status_name(STATUS_COUNT), "unknown");
}
END_TEST

SUITE(error, set_keeps_status_and_words, wrapping_puts_words_in_front, errno_is_spelled_out,
      no_error_is_allowed, long_texts_are_cut_between_characters, a_text_that_just_fits_is_whole,
      every_status_has_a_name)
