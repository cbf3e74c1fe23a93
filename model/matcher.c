/* matcher - comparison or regular expression, nothing else. */
#include "model/matcher.h"

#include "base/assert.h"

enum status matcher_init(struct matcher *m, enum matcher_type type, struct str name,
                         struct str value, struct error *err)
{
    *m = (struct matcher){.type = type, .name = name, .value = value, .regex = NULL};
    if (type == MATCH_EQUAL || type == MATCH_NOT_EQUAL) return OK;
    return regex_create_matching(value, &m->regex, err);
}

void matcher_release(struct matcher *m)
{
    regex_destroy(m->regex);
    m->regex = NULL;
}

bool matcher_matches(const struct matcher *m, struct str value)
{
    switch (m->type) {
    case MATCH_EQUAL: return str_equal(m->value, value);
    case MATCH_NOT_EQUAL: return !str_equal(m->value, value);
    case MATCH_REGEX: return regex_matches(m->regex, value);
    case MATCH_NOT_REGEX: return !regex_matches(m->regex, value);
    }
    UNREACHABLE();
}

bool matcher_matches_empty(const struct matcher *m)
{
    return matcher_matches(m, STR(""));
}

const char *matcher_symbol(enum matcher_type type)
{
    static const char *const symbols[] = {[MATCH_EQUAL] = "=",
                                          [MATCH_NOT_EQUAL] = "!=",
                                          [MATCH_REGEX] = "=~",
                                          [MATCH_NOT_REGEX] = "!~"};
    return symbols[type];
}
