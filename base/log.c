/*
 * log - logfmt and JSON lines. JSON is made from the same "key=value" fields, so that call sites
 * write one form: a quoted value is already a valid JSON string, a bare one is quoted unless it is
 * a number, true or false.
 */
#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static _Atomic int least_level = LOG_INFO;
static _Atomic int line_format = LOG_FORMAT_LOGFMT;
static void (*_Atomic line_tap)(const char *line);

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};

/* A line under construction; writes past the end are dropped, room for "\n" and NUL is kept. */
struct line {
    char text[LOG_LINE_BYTES];
    size_t size;
};

void log_configure(enum log_level least, enum log_format format)
{
    atomic_store(&least_level, (int)least);
    atomic_store(&line_format, (int)format);
}

void log_tap(void (*tap)(const char *line))
{
    atomic_store(&line_tap, tap);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

static size_t room_left(const struct line *line)
{
    return sizeof(line->text) - 2 - line->size;
}

static void add_bytes(struct line *line, const char *bytes, size_t size)
{
    size_t room = room_left(line);
    if (size > room) size = room;
    memcpy(line->text + line->size, bytes, size);
    line->size += size;
}

static void add_text(struct line *line, const char *text)
{
    add_bytes(line, text, strlen(text));
}

static void add_timestamp(struct line *line)
{
    int64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;
    char text[64];
    gmtime_r(&seconds, &utc);
    size_t size = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    add_bytes(line, text, size);
    snprintf(text, sizeof(text), ".%03dZ", (int)(now_ms % 1000));
    add_text(line, text);
}

static bool is_json_literal(const char *value, size_t size)
{
    if ((size == 4 && memcmp(value, "true", 4) == 0) ||
        (size == 5 && memcmp(value, "false", 5) == 0))
        return true;
    size_t i = size > 0 && value[0] == '-';
    if (i >= size || (value[i] == '0' && i + 1 < size && value[i + 1] != '.')) return false;
    size_t dots = 0;
    for (; i < size; i++) {
        if (value[i] == '.' && i + 1 < size && i > 0)
            dots++;
        else if (!isdigit((unsigned char)value[i]))
            return false;
    }
    return dots <= 1;
}

/* The end of the value that starts at `at`: past the closing quote, or at the next blank. */
static const char *value_end(const char *at)
{
    if (*at != '"') return at + strcspn(at, " ");
    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1]) at++;
    }
    return *at ? at + 1 : at;
}

/* A field that does not fit whole is left out with all behind it: the line stays valid JSON. Fields
 * cut by vsnprintf never fit, because the line holds more than they do. */
static void add_fields_as_json(struct line *line, const char *fields)
{
    while (*fields) {
        fields += strspn(fields, " ");
        size_t key_size = strcspn(fields, "= ");
        if (fields[key_size] != '=') return;
        const char *value = fields + key_size + 1;
        const char *end = value_end(value);
        size_t value_size = (size_t)(end - value);
        bool bare = *value == '"' || is_json_literal(value, value_size);
        size_t field_size = strlen(",\"\":\"\"") + key_size + value_size;
        if (field_size + strlen("}") > room_left(line)) return;
        add_text(line, ",\"");
        add_bytes(line, fields, key_size);
        add_text(line, bare ? "\":" : "\":\"");
        add_bytes(line, value, value_size);
        if (!bare) add_text(line, "\"");
        fields = end;
    }
}

static void build_line(struct line *line, enum log_level level, const char *component,
                       const char *message, const char *fields)
{
    bool json = atomic_load_explicit(&line_format, memory_order_relaxed) == LOG_FORMAT_JSON;
    add_text(line, json ? "{\"ts\":\"" : "ts=");
    add_timestamp(line);
    add_text(line, json ? "\",\"level\":\"" : " level=");
    add_text(line, level_names[level]);
    add_text(line, json ? "\",\"component\":\"" : " component=");
    add_text(line, component);
    add_text(line, json ? "\",\"msg\":" : " msg=");
    add_text(line, LOG_TEXT(str_from(message)));
    if (json) {
        add_fields_as_json(line, fields);
        add_text(line, "}");
    } else if (*fields) {
        add_text(line, " ");
        add_text(line, fields);
    }
}

void log_write(enum log_level level, const char *component, const char *message, const char *fields,
               ...)
{
    if (!log_enabled(level)) return;
    char formatted[LOG_LINE_BYTES];
    struct line line = {.size = 0};
    va_list args;
    va_start(args, fields);
    if (vsnprintf(formatted, sizeof(formatted), fields, args) < 0) formatted[0] = '\0';
    va_end(args);
    build_line(&line, level, component, message, formatted);
    line.text[line.size] = '\0';
    void (*tap)(const char *) = atomic_load(&line_tap);
    if (tap) tap(line.text);
    line.text[line.size++] = '\n';
    ssize_t written;
    do {
        written = write(STDERR_FILENO, line.text, line.size);
    } while (written < 0 && errno == EINTR);
}

const char *log_quote(struct log_text *buffer, struct str text)
{
    enum { ESCAPE_BYTES = 6, CLOSING_BYTES = 2 };
    char *out = buffer->data;
    char *limit = buffer->data + sizeof(buffer->data) - ESCAPE_BYTES - CLOSING_BYTES;
    *out++ = '"';
    for (size_t i = 0; i < text.size && out < limit; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\') {
            *out++ = '\\';
            *out++ = (char)c;
        } else if (c == '\n') {
            *out++ = '\\';
            *out++ = 'n';
        } else if (c < 0x20 || c == 0x7F) {
            out += snprintf(out, ESCAPE_BYTES + 1, "\\u%04x", c);
        } else {
            *out++ = (char)c;
        }
    }
    out = buffer->data + str_whole_characters(buffer->data, (size_t)(out - buffer->data));
    *out++ = '"';
    *out = '\0';
    return buffer->data;
}
