/*
 * error - a status with its words for people, on the caller's stack.
 *
 * Return it or log it, never both:
 *
 *     return error_set(err, ERR_CORRUPT, "crc mismatch at offset %zu", offset);
 *     return error_wrap(err, "replay segment %u: ", n);     on the way up
 *
 * A NULL err is allowed, but for error_wrap: the status still comes back, the words are dropped.
 */
#ifndef HEARTH_BASE_ERROR_H
#define HEARTH_BASE_ERROR_H

#include "base/compiler.h"
#include "base/status.h"

enum { ERROR_TEXT_BYTES = 480 };

struct error {
    enum status status;
    char text[ERROR_TEXT_BYTES]; /* NUL-terminated, cut to fit at a UTF-8 boundary; no newline */
};

/* Store st and the text; returns st, so that it can be returned on. */
PRINTF_LIKE(3, 4) enum status error_set(struct error *err, enum status st, const char *format, ...);

/* As error_set, with ": <strerror(errno_value)>" behind the text. */
PRINTF_LIKE(4, 5)
enum status error_set_errno(struct error *err, enum status st, int errno_value, const char *format,
                            ...);

/* Put words in front of what is there; returns the status it already has. err is not NULL. */
PRINTF_LIKE(2, 3) enum status error_wrap(struct error *err, const char *format, ...);

#endif
