/*
 * promqltest - runs scripts of Prometheus' test language against the real storage and engine.
 *
 *     promqltest [--optional] [-v] [--filter TEXT] [--features LIST] [--parts N] [--starve] PATH...
 *
 * A PATH is a script, or a folder whose *.test files are run. Every feature of the language is on,
 * unless LIST names others, as --enable-feature of the server does.
 * Each failure is printed with what was expected and what came; then one line per file: passed,
 * failed, and skipped by tag. A case is tagged native_histograms when a selector of its query
 * matches a series that has them, or when it expects them, and start_timestamps in the same way;
 * the engine has neither.
 *
 * --parts evaluates aggregations over more than N series in parts of N, with a crew of threads
 * (promql/parts.h).
 *
 * --starve asks each query with its n-th allocation refused, that one alone, and again with all
 * from the n-th on, for every n: it answers as it should or says that the memory limit is reached.
 * A debug build refuses those of arenas, too.
 *
 * As Prometheus' own runner does, an instant query is also asked with @ on its selectors, at other
 * times, and each of those again as the middle step of a range query.
 *
 * --filter runs only cases whose "file:line: query" contains TEXT; -v names every case. Exit
 * status: 0, 1 when a case failed, 2 when a script cannot be read, 77 when --optional is given and
 * no PATH is there.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "base/clock.h"
#include "promql/crew.h"
#include "promql/engine.h"
#include "promql/func_impl.h"
#include "promql/parser.h"
#include "promql/printer.h"
#include "storage/appender.h"
#include "tests/tools/test_compare.h"

enum { EXIT_UNREADABLE = 2, EXIT_SKIPPED = 77, MINUTE_MS = 60000, SAMPLES_MAX = 10000, CREW = 2 };

enum skip_tag { SKIP_NONE, SKIP_HISTOGRAMS, SKIP_START_TIMESTAMPS, SKIP_TAG_COUNT };

static const char *const tag_words[] = {"", "native_histograms", "start_timestamps"};

struct label_sets VEC_OF(struct labels);

struct runner {
    const char *path;
    const char *filter;
    const char *features;
    size_t parts;
    bool verbose;
    bool starves;
    struct engine engine;
    struct arena script; /* lines, cases: as long as the file */
    struct arena loaded; /* what is in the storage: until clear */
    struct label_sets histograms;
    struct label_sets start_timestamps;
    unsigned passed, failed;
    unsigned starved; /* queries that met a refusal */
    unsigned skipped[SKIP_TAG_COUNT];
};

static void die(const struct runner *r, size_t line, const struct error *err)
{
    fprintf(stderr, "%s:%zu: %s\n", r->path, line, err->text);
    exit(EXIT_UNREADABLE);
}

static void storage_renew(struct runner *r)
{
    struct error err;
    struct storage_options options = storage_options_default();
    options.chunk_ms = INT64_C(365) * 24 * 60 * MINUTE_MS;
    options.shards = 4;
    if (r->engine.db) storage_close(r->engine.db);
    clock_freeze(options.chunk_ms / 2); /* all times of a script are in the current window */
    r->engine.options = engine_options_default();
    r->engine.options.samples_max = SAMPLES_MAX;
    if (r->parts) r->engine.options.part_series = r->parts;
    r->engine.options.threads_max = CREW + 1;
    if (storage_open(&options, &r->engine.db, &err) ||
        engine_enable_features(&r->engine.options, str_from(r->features), &err))
        die(r, 0, &err);
    arena_reset(&r->loaded);
    r->histograms = (struct label_sets){0};
    r->start_timestamps = (struct label_sets){0};
}

/* --- load ----------------------------------------------------------------------------------- */

static void remember(struct label_sets *sets, struct labels labels, struct arena *a)
{
    struct labels *slot = VEC_PUSH(sets, a);
    ASSERT(slot);
    if (labels_copy(labels, a, slot, NULL)) abort();
}

/* A classic histogram's series stand for a native one with load_with_nhcb: the base name, no le. */
static void remember_custom_buckets(struct runner *r, struct labels labels)
{
    static const char *const suffixes[] = {"_bucket", "_count", "_sum"};
    struct str name = labels_get(labels, LABEL_METRIC_NAME);
    struct labels base = labels;
    for (size_t i = 0; i < ARRAY_COUNT(suffixes); i++) {
        size_t size = strlen(suffixes[i]);
        if (name.size < size || memcmp(name.data + name.size - size, suffixes[i], size) != 0)
            continue;
        name.size -= size;
        if (labels_set(base, LABEL_METRIC_NAME, name, &r->loaded, &base, NULL) ||
            labels_set(base, STR("le"), STR(""), &r->loaded, &base, NULL))
            abort();
        remember(&r->histograms, base, &r->loaded);
        return;
    }
}

static void load_series(struct runner *r, size_t line, const struct series_notation *series,
                        int64_t gap_ms)
{
    struct error err = {0};
    struct arena batch;
    struct appender *app;
    struct append_result result;
    arena_init(&batch, HEAP_QUERY, UINT64_MAX);
    struct sample *samples = arena_alloc_array(&batch, series->values.count, sizeof(*samples));
    ASSERT(samples);
    size_t count = 0;
    for (size_t i = 0; i < series->values.count; i++)
        if (series->values.items[i].kind == NOTATION_FLOAT)
            samples[count++] =
                (struct sample){.t_ms = (int64_t)i * gap_ms, .v = series->values.items[i].v};
    if (appender_begin(r->engine.db, &batch, &app, &err) ||
        appender_add(app, series->labels, samples, count, &err) ||
        appender_commit(app, &result, &err))
        die(r, line, &err);
    arena_release(&batch);
}

static void run_load(struct runner *r, const struct lines *lines, size_t *at)
{
    struct load_command load;
    struct error err;
    if (script_load(lines, at, &r->loaded, &load, &err)) die(r, *at + 1, &err);
    for (size_t i = 0; i < load.start_ts.count; i++)
        remember(&r->start_timestamps, load.start_ts.items[i].labels, &r->loaded);
    for (size_t i = 0; i < load.series.count; i++) {
        const struct series_notation *series = &load.series.items[i];
        if (series->has_histograms) remember(&r->histograms, series->labels, &r->loaded);
        if (load.custom_buckets) remember_custom_buckets(r, series->labels);
        load_series(r, *at + 1, series, load.gap_ms);
    }
}

/* --- what to skip --------------------------------------------------------------------------- */

static bool selects_any(const struct ast *selector, const struct label_sets *sets)
{
    for (size_t i = 0; i < sets->count; i++) {
        bool all = true;
        for (size_t k = 0; all && k < selector->selector.matcher_count; k++) {
            const struct matcher *m = &selector->selector.matchers[k];
            all = matcher_matches(m, labels_get(sets->items[i], m->name));
        }
        if (all) return true;
    }
    return false;
}

/* Does any selector of the tree match one of the sets? Recursion: AST_DEPTH_MAX. */
static bool tree_selects(const struct ast *node, const struct label_sets *sets)
{
    if (!node) return false;
    switch (node->kind) {
    case AST_VECTOR_SELECTOR: return selects_any(node, sets);
    case AST_MATRIX_SELECTOR: return selects_any(node->matrix.selector, sets);
    case AST_SUBQUERY: return tree_selects(node->subquery.expr, sets);
    case AST_CALL:
        for (size_t i = 0; i < node->call.arg_count; i++)
            if (tree_selects(node->call.args[i], sets)) return true;
        return false;
    case AST_AGGREGATE:
        return tree_selects(node->aggregate.expr, sets) ||
               tree_selects(node->aggregate.param, sets);
    case AST_BINARY:
        return tree_selects(node->binary.lhs, sets) || tree_selects(node->binary.rhs, sets);
    case AST_UNARY: return tree_selects(node->unary.expr, sets);
    case AST_PAREN:
    case AST_STEP_INVARIANT: return tree_selects(node->inner, sets);
    case AST_NUMBER:
    case AST_STRING:
    case AST_DURATION: return false;
    }
    return false;
}

static enum skip_tag skip_of(const struct runner *r, const struct test_case *c)
{
    struct error err;
    struct arena a;
    struct ast *tree;
    enum skip_tag tag = SKIP_NONE;
    if (c->expects_histograms) return SKIP_HISTOGRAMS;
    arena_init(&a, HEAP_QUERY, UINT64_MAX);
    if (!parse_expr(c->expr, &r->engine.options.syntax, &a, &tree, &err)) {
        if (tree_selects(tree, &r->start_timestamps)) tag = SKIP_START_TIMESTAMPS;
        if (tree_selects(tree, &r->histograms)) tag = SKIP_HISTOGRAMS;
        ast_release(tree);
    }
    arena_release(&a);
    return tag;
}

/* --- eval ----------------------------------------------------------------------------------- */

struct attempt {
    const struct runner *r;
    const struct test_case *c;
    struct str text;
    int64_t start_ms, end_ms, step_ms;
    struct verdict verdict;
};

static struct query query_of(const struct attempt *t, struct arena *a)
{
    return (struct query){.text = t->text,
                          .start_ms = t->start_ms,
                          .end_ms = t->end_ms,
                          .step_ms = t->step_ms,
                          .arena = a};
}

static struct str without_prefix(const char *text)
{
    static const char prefix[] = "invalid parameter \"query\": ";
    struct str s = str_from(text);
    return str_starts_with(s, STR(prefix)) ? str_from(text + sizeof(prefix) - 1) : s;
}

/* Name what was asked, and show all of what came. */
static void explain(const struct attempt *t, const char *form, const struct query *q)
{
    printf("%s:%u: %.*s\n    %s: %.*s\n    %s\n", t->r->path, t->c->line, TEXT_ARG(t->c->expr),
           form, TEXT_ARG(t->text), t->verdict.why);
    printf("    got at %lld to %lld by %lld:\n", (long long)t->start_ms, (long long)t->end_ms,
           (long long)t->step_ms);
    print_value(&q->value, q->arena);
    for (size_t i = 0; i < q->annotations.warning_count; i++)
        printf("      %s\n", q->annotations.warnings[i].data);
    for (size_t i = 0; i < q->annotations.info_count; i++)
        printf("      %s\n", q->annotations.infos[i].data);
}

static void judge(struct attempt *t, enum status st, const struct error *err, const struct query *q,
                  struct arena *a)
{
    if (t->c->fail.count) {
        if (st)
            compare_error(t->c, without_prefix(err->text), &t->verdict);
        else
            verdict_fail(&t->verdict, "expected an error");
    } else if (st) {
        verdict_fail(&t->verdict, "%s: %s", status_name(st), err->text);
    } else {
        /* Remarks name places of the query as it was written or printed. */
        compare_remarks(t->c, &q->annotations, &t->verdict);
        struct test_case at_this_time = *t->c;
        at_this_time.at_ms = q->value.t_ms;
        compare_value(&at_this_time, &q->value, a, &t->verdict);
    }
}

/* *type: what kind of value came; VALUE_NONE after an error that was expected. */
static void ask(struct attempt *t, const char *form, struct arena *a, enum value_type *type)
{
    struct error err = {0};
    struct query q = query_of(t, a);
    enum status st = query_run(&t->r->engine, &q, &err);
    *type = st ? VALUE_NONE : q.value.type;
    judge(t, st, &err, &q, a);
    if (t->verdict.failed) explain(t, form, &q);
    query_finish(&q);
    arena_reset(a);
}

/* The same again as the middle step of three. */
static void ask_middle(struct attempt *t, const char *form, bool was_scalar, struct arena *a)
{
    struct error err = {0};
    struct test_case at_this_time = *t->c;
    struct query q = query_of(t, a);
    at_this_time.at_ms = t->start_ms;
    q.start_ms -= MINUTE_MS;
    q.end_ms += MINUTE_MS;
    q.step_ms = MINUTE_MS;
    enum status st = query_run(&t->r->engine, &q, &err);
    if (st)
        verdict_fail(&t->verdict, "as a range query: %s: %s", status_name(st), err.text);
    else if (!t->c->ordered)
        compare_middle(&at_this_time, &q.value, was_scalar, a, &t->verdict);
    if (t->verdict.failed) explain(t, form, &q);
    query_finish(&q);
    arena_reset(a);
}

/* The memory goes each time, so that arenas ask for it again. */
static bool ask_starved_one_way(struct attempt *t, uint64_t (*refuse)(uint64_t count),
                                const char *which, struct arena *a, unsigned *starved)
{
    bool whole = false;
    for (uint64_t n = 0; !whole && !t->verdict.failed; n++) {
        struct error err = {0};
        struct query q = query_of(t, a);
        (void)refuse(n);
        enum status st = query_run(&t->r->engine, &q, &err);
        whole = heap_fail_after(UINT64_MAX) > 0;
        *starved += !whole;
        if (whole || st != ERR_NO_MEMORY) judge(t, st, &err, &q, a);
        if (t->verdict.failed) {
            printf("allocation %llu%s refused: ", (unsigned long long)n, which);
            explain(t, "starved", &q);
        }
        query_finish(&q);
        arena_release(a);
    }
    return !t->verdict.failed;
}

static bool ask_starved(struct attempt *t, struct arena *a, unsigned *starved)
{
    return ask_starved_one_way(t, heap_fail_once, " alone", a, starved) &&
           ask_starved_one_way(t, heap_fail_after, " and all behind it", a, starved);
}

static bool contains(struct str text, const char *part)
{
    return text.size && memmem(text.data, text.size, part, strlen(part)) != NULL;
}

/* The times of the query itself change with the range. */
static bool may_repeat_as_range(const struct test_case *c)
{
    return !c->from_range_vector && !c->has_string && !contains(c->expr, "start()") &&
           !contains(c->expr, "end()") && !contains(c->expr, "step()") &&
           !contains(c->expr, "range()");
}

static bool ask_instant(const struct runner *r, const struct test_case *c, struct str text,
                        int64_t at_ms, const char *form, struct arena *a)
{
    struct attempt t = {.r = r, .c = c, .text = text, .start_ms = at_ms, .end_ms = at_ms};
    enum value_type type;
    ask(&t, form, a, &type);
    if (!t.verdict.failed && type != VALUE_NONE && may_repeat_as_range(c))
        ask_middle(&t, form, type == VALUE_SCALAR, a);
    return !t.verdict.failed;
}

/* Set @ on every selector and outermost subquery that has none; false when the tree calls a
 * function of the time of evaluation. Recursion: AST_DEPTH_MAX. */
static bool pin(struct ast *node, int64_t at_ms)
{
    struct ast_time_shift *shift = NULL;
    bool pinned = true;
    if (!node) return true;
    switch (node->kind) {
    case AST_VECTOR_SELECTOR: shift = &node->selector.shift; break;
    case AST_MATRIX_SELECTOR: shift = &node->matrix.selector->selector.shift; break;
    case AST_SUBQUERY: shift = &node->subquery.shift; break;
    case AST_CALL: {
        const struct function_impl *impl = node->call.function->impl;
        pinned = impl && !impl->uses_time;
        for (size_t i = 0; i < node->call.arg_count; i++)
            pinned = pin(node->call.args[i], at_ms) && pinned;
        return pinned;
    }
    case AST_AGGREGATE:
        pinned = pin(node->aggregate.param, at_ms);
        return pin(node->aggregate.expr, at_ms) && pinned;
    case AST_BINARY:
        pinned = pin(node->binary.lhs, at_ms);
        return pin(node->binary.rhs, at_ms) && pinned;
    case AST_UNARY: return pin(node->unary.expr, at_ms);
    case AST_PAREN:
    case AST_STEP_INVARIANT: return pin(node->inner, at_ms);
    case AST_NUMBER:
    case AST_STRING:
    case AST_DURATION: return true;
    }
    if (shift && shift->at != AT_TIMESTAMP) {
        shift->at = AT_TIMESTAMP;
        shift->at_ms = at_ms;
    }
    return true;
}

/* The query with @ on its selectors; empty when the time of evaluation matters. */
static struct str pinned_text(const struct runner *r, const struct test_case *c, struct arena *a)
{
    struct error err;
    struct ast *tree;
    struct str text = STR("");
    if (parse_expr(c->expr, &r->engine.options.syntax, a, &tree, &err)) return text;
    if (pin(tree, c->at_ms) && ast_print(tree, a, &text, &err)) text = STR("");
    ast_release(tree);
    return text;
}

static bool ask_pinned(const struct runner *r, const struct test_case *c, struct arena *a)
{
    struct arena texts;
    bool passed = true;
    int64_t at = c->at_ms;
    const int64_t times[] = {-10 * at, 0, at / 5, at, 10 * at};
    const int64_t times_of_zero[] = {-1000, 0, 1000};
    size_t count = at ? ARRAY_COUNT(times) : ARRAY_COUNT(times_of_zero);
    arena_init(&texts, HEAP_QUERY, UINT64_MAX);
    struct str text = pinned_text(r, c, &texts);
    for (size_t i = 0; text.size && passed && i < count; i++)
        passed = ask_instant(r, c, text, at ? times[i] : times_of_zero[i], "with @", a);
    arena_release(&texts);
    return passed;
}

static bool run_attempts(struct runner *r, const struct test_case *c, struct arena *a)
{
    enum value_type type;
    struct attempt t = {.r = r,
                        .c = c,
                        .text = c->expr,
                        .start_ms = c->is_range ? c->start_ms : c->at_ms,
                        .end_ms = c->is_range ? c->end_ms : c->at_ms,
                        .step_ms = c->is_range ? c->step_ms : 0};
    if (r->starves) return ask_starved(&t, a, &r->starved);
    if (!c->is_range)
        return ask_instant(r, c, c->expr, c->at_ms, "as it is", a) && ask_pinned(r, c, a);
    ask(&t, "as it is", a, &type);
    return !t.verdict.failed;
}

static bool is_wanted(const struct runner *r, const struct test_case *c, struct arena *a)
{
    if (!r->filter) return true;
    struct str text = arena_printf(a, "%s:%u: %.*s", r->path, c->line, TEXT_ARG(c->expr));
    return contains(text, r->filter);
}

static void run_case(struct runner *r, const struct test_case *c)
{
    struct arena a;
    enum skip_tag tag = skip_of(r, c);
    const char *outcome = tag_words[tag];
    arena_init(&a, HEAP_QUERY, UINT64_C(1) << 30);
    if (is_wanted(r, c, &a)) {
        if (tag) {
            r->skipped[tag]++;
        } else if (run_attempts(r, c, &a)) {
            r->passed++;
            outcome = "passed";
        } else {
            r->failed++;
            outcome = "failed";
        }
        if (r->verbose)
            printf("%s:%u: %s%s: %.*s\n", r->path, c->line, tag ? "skipped " : "", outcome,
                   TEXT_ARG(c->expr));
    }
    arena_release(&a);
}

static void run_script(struct runner *r, struct str text)
{
    struct lines lines = script_lines(text, &r->script);
    storage_renew(r);
    for (size_t i = 0; i < lines.count; i++) {
        struct str line = lines.items[i];
        if (!line.size) continue;
        if (str_equal(line, STR("clear"))) {
            storage_renew(r);
        } else if (str_starts_with(line, STR("load"))) {
            run_load(r, &lines, &i);
        } else {
            struct test_case c;
            struct error err;
            if (script_eval(&lines, &i, &r->script, &c, &err)) die(r, i + 1, &err);
            run_case(r, &c);
        }
    }
}

static void print_summary(const struct runner *r)
{
    unsigned skipped = 0;
    for (size_t i = 0; i < SKIP_TAG_COUNT; i++)
        skipped += r->skipped[i];
    printf("%s: %u passed, %u failed, %u skipped", r->path, r->passed, r->failed, skipped);
    for (size_t i = 1; i < SKIP_TAG_COUNT; i++)
        if (r->skipped[i]) printf(" (%s: %u)", tag_words[i], r->skipped[i]);
    if (r->starves) printf(", %u starved", r->starved);
    printf("\n");
}

static struct str read_file(FILE *file, struct arena *a)
{
    enum { FILE_BYTES_MAX = 4 << 20 };
    char *data = arena_alloc(a, FILE_BYTES_MAX);
    ASSERT(data);
    return (struct str){.data = data, .size = fread(data, 1, FILE_BYTES_MAX, file)};
}

struct totals {
    const char *filter;
    const char *features;
    size_t parts;
    struct crew *crew;
    bool verbose;
    bool starves;
    unsigned files, passed, failed, starved;
    unsigned skipped[SKIP_TAG_COUNT];
};

/* False when there is no such file. */
static bool run_file(const char *path, struct totals *totals)
{
    struct runner r = {.path = path,
                       .filter = totals->filter,
                       .features = totals->features,
                       .parts = totals->parts,
                       .engine = {.crew = totals->crew},
                       .verbose = totals->verbose,
                       .starves = totals->starves};
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    arena_init(&r.script, HEAP_QUERY, UINT64_MAX);
    arena_init(&r.loaded, HEAP_QUERY, UINT64_MAX);
    run_script(&r, read_file(file, &r.script));
    fclose(file);
    print_summary(&r);
    totals->files++;
    totals->passed += r.passed;
    totals->failed += r.failed;
    totals->starved += r.starved;
    for (size_t i = 0; i < SKIP_TAG_COUNT; i++)
        totals->skipped[i] += r.skipped[i];
    storage_close(r.engine.db);
    arena_release(&r.loaded);
    arena_release(&r.script);
    return true;
}

/* Returns how many files there were. */
static unsigned run_path(const char *path, struct totals *totals)
{
    char pattern[4096];
    glob_t found;
    struct stat about;
    unsigned before = totals->files;
    if (stat(path, &about) == 0 && S_ISDIR(about.st_mode)) {
        (void)snprintf(pattern, sizeof(pattern), "%s/*.test", path);
        if (glob(pattern, 0, NULL, &found) == 0) {
            for (size_t i = 0; i < found.gl_pathc; i++)
                (void)run_file(found.gl_pathv[i], totals);
            globfree(&found);
        }
    } else {
        (void)run_file(path, totals);
    }
    return totals->files - before;
}

int main(int argc, char **argv)
{
    struct totals totals = {.features = "all"};
    bool optional = false;
    bool missing = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--optional") == 0) {
            optional = true;
        } else if (strcmp(argv[i], "-v") == 0) {
            totals.verbose = true;
        } else if (strcmp(argv[i], "--starve") == 0) {
            totals.starves = true;
        } else if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc) {
            totals.filter = argv[++i];
        } else if (strcmp(argv[i], "--features") == 0 && i + 1 < argc) {
            totals.features = argv[++i];
        } else if (strcmp(argv[i], "--parts") == 0 && i + 1 < argc) {
            totals.parts = (size_t)atoi(argv[++i]);
            if (!totals.crew && crew_open(CREW, &totals.crew, NULL)) return EXIT_FAILURE;
        } else if (!run_path(argv[i], &totals)) {
            printf("%s: skipped: not present\n", argv[i]);
            missing = true;
        }
    }
    crew_close(totals.crew);
    printf("%u files: %u passed, %u failed", totals.files, totals.passed, totals.failed);
    for (size_t i = 1; i < SKIP_TAG_COUNT; i++)
        printf(", %u skipped (%s)", totals.skipped[i], tag_words[i]);
    printf("\n");
    if (totals.failed || (missing && !optional)) return EXIT_FAILURE;
    if (totals.starves && totals.starved < totals.passed) return EXIT_FAILURE; /* nothing refused */
    return totals.files ? EXIT_SUCCESS : EXIT_SKIPPED;
}
