/*
 * log - one event, one line on stderr, in logfmt or JSON.
 *
 *     log_info("wal", "segment sealed", "segment=%u", n);
 *     ts=2026-01-01T00:00:00.000Z level=info component=wal msg="segment sealed" segment=7
 *
 * The fields are written by the caller as key=value; text from outside goes through LOG_TEXT, which
 * quotes and escapes it. A line is formatted in a fixed buffer (LOG_LINE_BYTES, cut beyond) and
 * written by one write(2): no allocation, no lock.
 *
 * error: someone must act. warn: we degraded. info: start, stop, recover, snapshot. debug: one
 * request.
 */
#ifndef HEARTH_BASE_LOG_H
#define HEARTH_BASE_LOG_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };
enum { LOG_LINE_BYTES = 2048, LOG_TEXT_BYTES = 600 };

/* Before threads start; the default is info and logfmt. */
void log_configure(enum log_level least, enum log_format format);
/* A copy of every line that is written, for tests; NULL to stop. line is NUL-terminated. */
void log_tap(void (*tap)(const char *line));

bool log_enabled(enum log_level level);

PRINTF_LIKE(4, 5)
void log_write(enum log_level level, const char *component, const char *message, const char *fields,
               ...);

/* Put text into quotes, with quotes, backslashes and control characters escaped, so that a line
 * stays one line; what does not fit the buffer is cut off. Returns buffer->data. */
struct log_text {
    char data[LOG_TEXT_BYTES];
};
const char *log_quote(struct log_text *buffer, struct str text);
#define LOG_TEXT(text) log_quote(&(struct log_text){0}, (text))

#define log_debug(component, message, ...)                                                         \
    (log_enabled(LOG_DEBUG) ? log_write(LOG_DEBUG, component, message, __VA_ARGS__) : (void)0)
#define log_info(component, message, ...)  log_write(LOG_INFO, component, message, __VA_ARGS__)
#define log_warn(component, message, ...)  log_write(LOG_WARN, component, message, __VA_ARGS__)
#define log_error(component, message, ...) log_write(LOG_ERROR, component, message, __VA_ARGS__)

#endif
