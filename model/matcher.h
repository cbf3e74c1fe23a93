/*
 * matcher - one condition on one label: = != =~ !~.
 *
 * An absent label has the empty value, so {job=""} and {job!~".+"} match series without job.
 *
 * Threads: immutable once made.
 */
#ifndef HEARTH_MODEL_MATCHER_H
#define HEARTH_MODEL_MATCHER_H

#include "model/labels.h"
#include "model/regex.h"

enum matcher_type { MATCH_EQUAL, MATCH_NOT_EQUAL, MATCH_REGEX, MATCH_NOT_REGEX };

struct matcher {
    enum matcher_type type;
    struct str name;
    struct str value;    /* literal or pattern */
    struct regex *regex; /* for the two regex types; owned by the matcher */
};

/* Views name and value, compiles the pattern. Release with matcher_release.
 * ERR_INVALID, ERR_TOO_LARGE, ERR_NO_MEMORY as regex_create. */
MUST_USE enum status matcher_init(struct matcher *m, enum matcher_type type, struct str name,
                                  struct str value, struct error *err);
void matcher_release(struct matcher *m);

bool matcher_matches(const struct matcher *m, struct str value);
bool matcher_matches_empty(const struct matcher *m);

/* "=", "!=", "=~", "!~". */
const char *matcher_symbol(enum matcher_type type);

#endif
