/*
 * params - the parameters of an API request, read and checked with Prometheus' words.
 *
 * URL and urlencoded body are merged, values of the body first, as Go's FormValue has it; a body of
 * another type is left alone, its parameters are then those of the URL. A multipart form is
 * refused.
 *
 * Errors name the parameter: invalid parameter "time": cannot parse "x" to a valid timestamp
 */
#ifndef HEARTH_SERVER_PARAMS_H
#define HEARTH_SERVER_PARAMS_H

#include "model/matcher.h"
#include "server/http.h"
#include "wire/form.h"

/* Read once: later calls give the same.
 * ERR_INVALID, ERR_TOO_LARGE, ERR_NO_MEMORY as form_parse. */
MUST_USE enum status params_read(struct request *req, struct form *form, struct error *err);

/* Absent: fallback. */
MUST_USE enum status params_time(const struct form *form, const char *name, int64_t fallback_ms,
                                 int64_t *out_ms, struct error *err);
/* Present or not, it has to be valid. */
MUST_USE enum status params_required_time(const struct form *form, const char *name,
                                          int64_t *out_ms, struct error *err);
MUST_USE enum status params_duration(const struct form *form, const char *name, int64_t *out_ms,
                                     struct error *err);
/* A whole number, not negative; absent: fallback. */
MUST_USE enum status params_count(const struct form *form, const char *name, uint64_t fallback,
                                  uint64_t *out, struct error *err);

/* A whole number of either sign, or nothing. ERR_INVALID: limit must be a number. */
MUST_USE enum status params_number(const struct form *form, const char *name, struct error *err);

/* The selectors of match[]. Release with params_release_selectors, also after an error. */
struct params_selector {
    struct matcher *matchers;
    size_t count;
};
struct params_selectors {
    struct params_selector *items;
    size_t count;
};
MUST_USE enum status params_selectors(const struct form *form, struct arena *a,
                                      struct params_selectors *out, struct error *err);
void params_release_selectors(struct params_selectors *selectors);

#endif
