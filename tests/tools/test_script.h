/*
 * test_script - commands of Prometheus' test language, parsed: load, clear, eval.
 *
 *     load 5m
 *       requests{job="a"} 0+10x10
 *     eval instant at 50m rate(requests[5m])
 *       expect no_warn
 *       {job="a"} 0.0333
 *
 * The old forms (eval_fail, eval_warn, eval_info, eval_ordered, expected_fail_message,
 * expected_fail_regexp) say the same as expect lines.
 */
#ifndef HEARTH_TESTS_TOOLS_TEST_SCRIPT_H
#define HEARTH_TESTS_TOOLS_TEST_SCRIPT_H

#include "tests/tools/series_notation.h"

struct lines VEC_OF(struct str);
struct notations VEC_OF(struct series_notation);

/* One expect line about an error or a remark. */
struct expectation {
    struct str text;
    bool is_regex;
    bool any;
};
struct expectations VEC_OF(struct expectation);

struct test_case {
    struct str expr;
    unsigned line;
    bool is_range;
    bool from_range_vector; /* expect range vector ...: start, end and step are of the answer */
    int64_t at_ms;
    int64_t start_ms, end_ms, step_ms;
    bool ordered, no_warn, no_info;
    struct expectations fail, warn, info;
    bool has_string, has_scalar;
    struct str string;
    double scalar;
    struct notations series;
    bool expects_histograms;
};

struct load_command {
    int64_t gap_ms;
    bool custom_buckets;       /* load_with_nhcb */
    struct notations series;   /* one given twice: the last time counts */
    struct notations start_ts; /* of @st lines: labels only */
};

/* Trimmed lines; those of comments are empty. */
struct lines script_lines(struct str text, struct arena *a);

/* Each parses the command at line *at and moves *at to the last line that belongs to it.
 * ERR_INVALID says what was wrong and where. */
MUST_USE enum status script_load(const struct lines *lines, size_t *at, struct arena *a,
                                 struct load_command *out, struct error *err);
MUST_USE enum status script_eval(const struct lines *lines, size_t *at, struct arena *a,
                                 struct test_case *out, struct error *err);

#endif
