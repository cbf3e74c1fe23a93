/*
 * json - a writer that cannot produce bad JSON.
 *
 *     struct json j;
 *     json_init(&j, &buf);
 *     json_object_begin(&j);
 *     json_key(&j, STR("status"));
 *     json_string(&j, STR("success"));
 *     json_object_end(&j);                {"status":"success"}
 *     ASSERT(json_is_complete(&j));
 *
 * Commas and colons are placed by the writer; a call in the wrong place (a value without a key, an
 * end without its begin) is a bug and ends the process. Running out of room is the buffer's sticky
 * failure: check buf_status once, at the end.
 *
 * Strings are escaped as Prometheus' answers are: < > & U+2028 U+2029 as \u003c and so on, control
 * characters as \n \r \t or \u00XX; bytes that are not UTF-8 become \ufffd.
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_WIRE_JSON_H
#define HEARTH_WIRE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/buf.h"
#include "base/str.h"
#include "model/labels.h"

enum { JSON_DEPTH_MAX = 63 };

struct json {
    struct buf *out;
    uint64_t objects; /* bit d: the container at depth d is an object, not an array */
    uint64_t filled;  /* bit d: it has an element already */
    uint8_t depth;    /* open containers */
    bool keyed;       /* a key is written, its value is not */
};

/* Start writing one value behind what is in out. */
void json_init(struct json *j, struct buf *out);
/* Exactly one value has been written, all containers are closed. */
bool json_is_complete(const struct json *j);

void json_object_begin(struct json *j);
void json_object_end(struct json *j);
void json_array_begin(struct json *j);
void json_array_end(struct json *j);
void json_key(struct json *j, struct str key);

void json_string(struct json *j, struct str text);
/* "key":"text", "key":1 */
void json_text(struct json *j, const char *key, struct str text);
void json_count(struct json *j, const char *key, uint64_t v);
void json_integer(struct json *j, const char *key, int64_t v);
void json_int(struct json *j, int64_t v);
void json_uint(struct json *j, uint64_t v);
void json_bool(struct json *j, bool v);
void json_null(struct json *j);
/* A JSON number in the form of number_format_json; NaN and infinities, which JSON has not, as
 * null. */
void json_number(struct json *j, double v);

/* What the query API is made of: a sample, [1435781451.781,"1.5"], whose value may be "NaN" or
 * "+Inf"; an object of labels. */
void json_point(struct json *j, int64_t t_ms, double v);
void json_labels(struct json *j, struct labels set);

#endif
