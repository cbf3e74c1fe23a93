/* retain: what may be deleted. */
#include "snapshot/retain.h"

#include "tests/unit/suite.h"

static void make(struct manifest *m, uint64_t snapshot, uint64_t first_segment)
{
    *m = (struct manifest){
        .snapshot = snapshot,
        .first_segment = first_segment,
        .count = 2,
        .entries = {{.window = 0, .snapshot = snapshot - 1}, {.window = 1, .snapshot = snapshot}},
    };
}

START_TEST(what_either_generation_needs_stays)
{
    static struct manifest none;
    static struct manifest older;
    static struct manifest newer;
    make(&older, 10, 20);
    make(&newer, 12, 25);
    const struct retain both = {.generations = {&newer, &older}};
    ck_assert(retain_manifest(&both, 12) && retain_manifest(&both, 10));
    ck_assert(!retain_manifest(&both, 11) && !retain_manifest(&both, 0));
    ck_assert(retain_window(&both, 1, 12) && retain_window(&both, 1, 10));
    ck_assert(!retain_window(&both, 1, 11)); /* a snapshot that was never published */
    ck_assert(!retain_window(&both, 7, 12));
    ck_assert(retain_segment(&both, 20) && retain_segment(&both, 100));
    ck_assert(!retain_segment(&both, 19));

    const struct retain first = {.generations = {&newer, &none}};
    ck_assert(retain_segment(&first, 1)); /* the log stands in for a damaged first snapshot */
    ck_assert(!retain_manifest(&first, 10) && !retain_manifest(&first, 0));
    const struct retain nothing = {.generations = {&none, &none}};
    ck_assert(retain_segment(&nothing, 1));
    ck_assert(!retain_window(&nothing, 0, 0));
}
END_TEST

SUITE(retain, what_either_generation_needs_stays)
