/*
 * series_notation - lines of the test language that describe a series:
 *
 *     up{job="a"} 1 2+1x3 _ stale _x2 {{count:1}}x4
 *
 * a+bxn is n + 1 values, from a in steps of b; _ is a gap; {{...}} a native histogram, which this
 * reader notes and passes over.
 */
#ifndef HEARTH_TESTS_TOOLS_SERIES_NOTATION_H
#define HEARTH_TESTS_TOOLS_SERIES_NOTATION_H

#include "alloc/vec.h"
#include "model/labels.h"

enum notation_kind { NOTATION_GAP, NOTATION_FLOAT, NOTATION_HISTOGRAM };

struct notation_value {
    enum notation_kind kind;
    double v;
};

struct notation_values VEC_OF(struct notation_value);

struct series_notation {
    struct labels labels;
    struct notation_values values;
    bool has_histograms;
};

/* Everything lives on the arena. ERR_INVALID says where. */
MUST_USE enum status series_notation_parse(struct str line, struct arena *a,
                                           struct series_notation *out, struct error *err);

#endif
