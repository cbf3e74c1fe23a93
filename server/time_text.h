/*
 * time_text - times for people: RFC 3339 in UTC with milliseconds.
 */
#ifndef HEARTH_SERVER_TIME_TEXT_H
#define HEARTH_SERVER_TIME_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { TIME_TEXT_BYTES = 48 };

/* "2026-01-31T12:00:00.000Z"; returns the length, a NUL is behind it. */
size_t time_text_format(char out[TIME_TEXT_BYTES], int64_t t_ms);

#endif
