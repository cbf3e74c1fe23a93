/*
 * known - labels as remote write sends them, and batches that recognize series by them.
 */
#ifndef HEARTH_TESTS_UNIT_STORAGE_KNOWN_H
#define HEARTH_TESTS_UNIT_STORAGE_KNOWN_H

#include "model/label_bytes.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

static inline struct str known_message(struct arena *a, struct labels set)
{
    struct str message = label_bytes_of(set, a);
    ck_assert_ptr_nonnull(message.data);
    return message;
}

enum known_how { KNOWN_EXPECTED, KNOWN_FOUND, KNOWN_NOT };

/* Stage one sample as a reader of remote write does. */
static inline enum known_how known_add(struct appender *app, struct str message, struct labels set,
                                       const struct sample *samples, size_t count)
{
    size_t bytes = 0;
    enum known_how how = KNOWN_EXPECTED;
    struct series *s = appender_expect(app, message, &bytes);
    if (!s || bytes < message.size) {
        s = appender_find(app, set);
        how = s ? KNOWN_FOUND : KNOWN_NOT;
    }
    if (s)
        EXPECT(appender_add_to(app, s, samples, count, NULL) == OK);
    else
        EXPECT(appender_add(app, set, samples, count, NULL) == OK);
    return how;
}

#endif
