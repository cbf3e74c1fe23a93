/*
 * known - labels as remote write sends them, and batches that recognize series by them.
 */
#ifndef HEARTH_TESTS_UNIT_STORAGE_KNOWN_H
#define HEARTH_TESTS_UNIT_STORAGE_KNOWN_H

#include "model/label_bytes.h"
#include "tests/unit/storage/store.h"

/* The labels one after the other; on the arena. */
static inline struct str known_message(struct arena *a, struct labels set)
{
    size_t size = 0;
    for (size_t i = 0; i < set.count; i++)
        size += label_bytes_head(set.items[i]) + set.items[i].value.size;
    uint8_t *bytes = arena_calloc(a, 1, LABEL_BYTES_FRONT + size);
    ck_assert_ptr_nonnull(bytes);
    bytes += LABEL_BYTES_FRONT;
    size = 0;
    for (size_t i = 0; i < set.count; i++) {
        label_bytes_put(set.items[i], bytes + size);
        size += label_bytes_head(set.items[i]) + set.items[i].value.size;
    }
    return (struct str){(const char *)bytes, size};
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
