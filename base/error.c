/* error - formats into fixed buffers; never allocates, so it also works at the memory limit. */
#include "base/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const char *const names[STATUS_COUNT] = {
    [OK] = "ok",
    [ERR_INVALID] = "invalid",
    [ERR_TOO_LARGE] = "too_large",
    [ERR_NOT_FOUND] = "not_found",
    [ERR_CONFLICT] = "conflict",
    [ERR_OUT_OF_RANGE] = "out_of_range",
    [ERR_NO_MEMORY] = "no_memory",
    [ERR_TIMEOUT] = "timeout",
    [ERR_CANCELLED] = "cancelled",
    [ERR_UNAVAILABLE] = "unavailable",
    [ERR_CORRUPT] = "corrupt",
    [ERR_IO] = "io",
    [ERR_UNSUPPORTED] = "unsupported",
};

const char *status_name(enum status st)
{
    return st < STATUS_COUNT ? names[st] : "unknown";
}

/* A text cut inside a UTF-8 sequence would make the JSON around it invalid: drop its beginning. */
static void cut_at_character(char *text, size_t length)
{
    text[str_whole_characters(text, length)] = '\0';
}

static void format_text(char *text, const char *format, va_list args)
{
    int length = vsnprintf(text, ERROR_TEXT_BYTES, format, args);
    if (length < 0) text[0] = '\0';
    if (length >= ERROR_TEXT_BYTES) cut_at_character(text, ERROR_TEXT_BYTES - 1);
}

static void append_text(char *text, const char *more)
{
    size_t length = strlen(text);
    size_t room = ERROR_TEXT_BYTES - 1 - length;
    size_t bytes = strlen(more);
    bool cut = bytes > room;
    if (cut) bytes = room;
    memmove(text + length, more, bytes);
    text[length + bytes] = '\0';
    if (cut) cut_at_character(text, length + bytes);
}

enum status error_set(struct error *err, enum status st, const char *format, ...)
{
    if (!err) return st;
    va_list args;
    va_start(args, format);
    err->status = st;
    format_text(err->text, format, args);
    va_end(args);
    return st;
}

enum status error_set_errno(struct error *err, enum status st, int errno_value, const char *format,
                            ...)
{
    if (!err) return st;
    char reason[128];
    va_list args;
    va_start(args, format);
    err->status = st;
    format_text(err->text, format, args);
    va_end(args);
    append_text(err->text, ": ");
    append_text(err->text, strerror_r(errno_value, reason, sizeof(reason)));
    return st;
}

enum status error_wrap(struct error *err, const char *format, ...)
{
    char inner[ERROR_TEXT_BYTES];
    va_list args;
    memcpy(inner, err->text, sizeof(inner));
    va_start(args, format);
    format_text(err->text, format, args);
    va_end(args);
    append_text(err->text, inner);
    return err->status;
}
