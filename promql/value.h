/*
 * value - what a query answers: a scalar, a string, a vector (one point per series) or a matrix.
 *
 * Everything lives on the query's arena; label texts may view storage until the query is finished.
 */
#ifndef HEARTH_PROMQL_VALUE_H
#define HEARTH_PROMQL_VALUE_H

#include "model/labels.h"
#include "model/sample.h"
#include "promql/ast.h"

struct series_points {
    struct labels labels;
    struct sample *points; /* ascending time; exactly one in a vector */
    size_t count;
};

struct value {
    enum value_type type; /* SCALAR, STRING, VECTOR or MATRIX */
    int64_t t_ms;         /* of the scalar, string or vector */
    double scalar;
    struct str string;
    struct series_points *series; /* vector and matrix */
    size_t series_count;
};

/* Remarks that do not fail a query: "PromQL warning: ...", "PromQL info: ...", each once; of either
 * kind at most ANNOTATIONS_SHOWN, then how many more there are. */
enum { ANNOTATIONS_SHOWN = 10 };
struct annotations {
    struct str *warnings;
    size_t warning_count;
    struct str *infos;
    size_t info_count;
};

#endif
