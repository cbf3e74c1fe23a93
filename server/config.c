/* config - the table of flags, and the one parser that walks it. */
#include "server/config.h"

#include <inttypes.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/log.h"
#include "model/duration.h"
#include "model/number.h"
#include "model/regex.h"
#include "promql/engine.h"
#include "snapshot/durability.h"
#include "storage/storage.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

enum flag_kind {
    FLAG_SWITCH,   /* bool */
    FLAG_DURATION, /* int64_t, milliseconds */
    FLAG_COUNT,    /* uint64_t */
    FLAG_BYTES,    /* uint64_t */
    FLAG_LIMIT,    /* struct config_limit: bytes or a percentage */
    FLAG_WORD,     /* uint64_t, index into words */
    FLAG_TEXT,     /* const char *, not empty */
    FLAG_REGEX,    /* const char *, compiles */
    FLAG_ADDRESS,  /* appended to listen_addresses; may be given several times */
    FLAG_FEATURES  /* appended to features; may be given several times */
};

struct flag {
    const char *name;
    enum flag_kind kind;
    size_t offset; /* of the field in struct config */
    const char *fallback;
    uint64_t least, most; /* allowed range of durations, counts and bytes */
    const char *const *words;
    const char *help;
};

/* In the order of the enums they fill. */
static const char *const wal_sync_words[] = {[WAL_SYNC_INTERVAL] = "interval",
                                             [WAL_SYNC_ALWAYS] = "always",
                                             [WAL_SYNC_NEVER] = "never",
                                             NULL};
static const char *const memory_release_words[] = {
    [MEMORY_RELEASE_DONTNEED] = "dontneed", [MEMORY_RELEASE_FREE] = "free", NULL};
static const char *const log_level_words[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error", NULL};
static const char *const log_format_words[] = {
    [LOG_FORMAT_LOGFMT] = "logfmt", [LOG_FORMAT_JSON] = "json", NULL};

#define FIELD(name) offsetof(struct config, name)

static const struct flag flags[] = {
    {"web.listen-address", FLAG_ADDRESS, FIELD(listen_addresses), "127.0.0.1:9428", 0, 0, NULL,
     "Address to listen on, host:port; \":9428\" is every address. May be repeated."},
    {"web.max-connections", FLAG_COUNT, FIELD(web_connections_max), "1024", 8, 65536, NULL,
     "Connections open at once."},
    {"web.threads", FLAG_COUNT, FIELD(web_threads), "0", 0, 64, NULL,
     "Threads that serve connections; 0: one per core, at least 2 and at most 16."},
    {"web.read-timeout", FLAG_DURATION, FIELD(web_read_timeout_ms), "30s", SECOND_MS, HOUR_MS, NULL,
     "A request that makes no progress for so long is given up."},
    {"web.idle-timeout", FLAG_DURATION, FIELD(web_idle_timeout_ms), "5m", SECOND_MS, DAY_MS, NULL,
     "A connection without a request is closed after so long."},
    {"web.max-body-size", FLAG_BYTES, FIELD(web_body_bytes_max), "32MiB", KIB, GIB, NULL,
     "Largest request body as sent; more is answered with 413."},
    {"web.cors.origin", FLAG_REGEX, FIELD(cors_origin), ".*", 0, 0, NULL,
     "Regular expression of the whole origin that scripts may call from, for example "
     "'https?://(a|b)\\.example'."},
    {"web.enable-lifecycle", FLAG_SWITCH, FIELD(web_lifecycle), "false", 0, 0, NULL,
     "Allow POST /-/quit and /-/reload."},
    {"web.enable-admin-api", FLAG_SWITCH, FIELD(web_admin), "false", 0, 0, NULL,
     "Allow snapshots and ending queries (/api/v1/admin), looking at the allocator "
     "(/debug/heap), and giving free memory back (/debug/heap/release)."},
    {"web.enable-remote-write-receiver", FLAG_SWITCH, FIELD(web_remote_write), "true", 0, 0, NULL,
     "Accept remote write on /api/v1/write, as it does by default."},
    {"storage.path", FLAG_TEXT, FIELD(storage_path), "./data", 0, 0, NULL,
     "Folder of the write-ahead log and the snapshots; created when missing."},
    {"storage.chunk-duration", FLAG_DURATION, FIELD(chunk_ms), "4h", SECOND_MS, 7 * DAY_MS, NULL,
     "Width of a window; samples expire a window at a time."},
    {"storage.windows", FLAG_COUNT, FIELD(windows), "8", 1, 64, NULL,
     "Windows that are kept, the current one included."},
    {"storage.future-tolerance", FLAG_DURATION, FIELD(future_ms), "10m", 0, DAY_MS, NULL,
     "How far ahead of the clock a sample may be."},
    {"storage.clock-patience", FLAG_DURATION, FIELD(patience_ms), "1m", 0, DAY_MS, NULL,
     "How long samples have to confirm a jump of the clock before windows expire by it."},
    {"storage.memory-limit", FLAG_LIMIT, FIELD(memory_limit), "75%", 16 * MIB, 512 * TIB, NULL,
     "Hard limit of all memory: bytes, or a percentage of the cgroup's or the machine's."},
    {"storage.memory-release", FLAG_WORD, FIELD(memory_release), "dontneed", 0, 0,
     memory_release_words,
     "How free memory goes back to the system: dontneed (at once), free (when the kernel wants it; "
     "cheaper, but it counts as resident until then)."},
    {"storage.max-series", FLAG_COUNT, FIELD(max_series), "0", 0, UINT32_MAX - 1, NULL,
     "Series held at once; 0: as many as fit into the memory limit."},
    {"wal.sync", FLAG_WORD, FIELD(wal_sync), "interval", 0, 0, wal_sync_words,
     "When the write-ahead log is synced to disk: interval, always (before every answer), never."},
    {"wal.sync-interval", FLAG_DURATION, FIELD(wal_sync_interval_ms), "1s", 1, HOUR_MS, NULL,
     "Time between syncs with --wal.sync=interval."},
    {"wal.segment-size", FLAG_BYTES, FIELD(wal_segment_bytes), "1GiB", 64 * KIB, 4 * GIB, NULL,
     "Size at which the write-ahead log starts a new file."},
    {"snapshot.interval", FLAG_DURATION, FIELD(snapshot_interval_ms), "5m", SECOND_MS, DAY_MS, NULL,
     "Time between snapshots; bounds what is replayed after a crash."},
    {"query.timeout", FLAG_DURATION, FIELD(query_timeout_ms), "2m", 1, DAY_MS, NULL,
     "A query that takes longer is answered with 503."},
    {"query.max-samples", FLAG_COUNT, FIELD(query_samples_max), "50000000", 1, INT64_MAX, NULL,
     "Samples one query may hold in memory."},
    {"query.max-concurrency", FLAG_COUNT, FIELD(query_concurrency), "20", 1, 512, NULL,
     "Queries evaluated at once."},
    {"query.max-queue", FLAG_COUNT, FIELD(query_queue_max), "1024", 1, 65536, NULL,
     "Queries waiting for their turn; more are answered with 503."},
    {"query.max-workers-per-query", FLAG_COUNT, FIELD(query_threads), "0", 0, 64, NULL,
     "Threads that evaluate one query over many series; those beyond the first are shared by all "
     "queries. 0: one per core."},
    {"query.max-memory", FLAG_LIMIT, FIELD(query_memory), "25%", MIB, 512 * TIB, NULL,
     "Memory one query may take: bytes, or a percentage of the memory limit."},
    {"query.lookback-delta", FLAG_DURATION, FIELD(query_lookback_ms), "5m", 1, 365 * DAY_MS, NULL,
     "How far back an instant selector looks for the latest sample."},
    {"enable-feature", FLAG_FEATURES, FIELD(features), "", 0, 0, NULL,
     "Experimental parts of PromQL by Prometheus' names, separated by commas: "
     "promql-experimental-functions, promql-extended-range-selectors, promql-binop-fill-modifiers, "
     "promql-delayed-name-removal, promql-per-step-stats, all of these (all), and "
     "type-and-unit-labels. May be repeated."},
    {"self-scrape.interval", FLAG_DURATION, FIELD(self_scrape_ms), "15s", 0, DAY_MS, NULL,
     "How often our own metrics are stored, under job=\"prometheus\"; 0: never."},
    {"log.level", FLAG_WORD, FIELD(log_level), "info", 0, 0, log_level_words,
     "Least level that is logged: debug, info, warn, error."},
    {"log.format", FLAG_WORD, FIELD(log_format), "logfmt", 0, 0, log_format_words,
     "Form of the log lines: logfmt, json."},
};

enum { FLAG_ROWS = ARRAY_COUNT(flags) };
_Static_assert(ARRAY_COUNT(flags) <= CONFIG_FLAGS_MAX, "flag_texts has a slot for every flag");

static bool parse_u64(struct str text, uint64_t *out)
{
    uint64_t v = 0;
    if (text.size == 0) return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
            __builtin_add_overflow(v, (uint64_t)(text.data[i] - '0'), &v))
            return false;
    }
    *out = v;
    return true;
}

enum status config_parse_bytes(struct str text, uint64_t *out, struct error *err)
{
    static const struct {
        const char *unit;
        uint64_t bytes;
    } units[] = {{"", 1},      {"B", 1},    {"KB", KIB},  {"KiB", KIB}, {"MB", MIB},
                 {"MiB", MIB}, {"GB", GIB}, {"GiB", GIB}, {"TB", TIB},  {"TiB", TIB}};
    size_t digits = 0;
    while (digits < text.size &&
           ((text.data[digits] >= '0' && text.data[digits] <= '9') || text.data[digits] == '.'))
        digits++;
    struct str unit = {text.data + digits, text.size - digits};
    double number = 0;
    bool valid = digits > 0 && number_parse((struct str){text.data, digits}, &number);
    for (size_t i = 0; valid && i < ARRAY_COUNT(units); i++) {
        if (!str_equal(unit, str_from(units[i].unit))) continue;
        double bytes = number * (double)units[i].bytes;
        if (!(bytes < 0x1p63)) break;
        *out = (uint64_t)bytes;
        return OK;
    }
    return error_set(err, ERR_INVALID, "\"%.*s\" is not a size; use for example 512MiB or 2GiB",
                     STR_ARG(text));
}

enum status config_split_address(struct str address, struct str *host, struct str *port,
                                 struct error *err)
{
    const char *colon = address.size ? memrchr(address.data, ':', address.size) : NULL;
    uint64_t number;
    if (!colon)
        return error_set(err, ERR_INVALID, "\"%.*s\" has no port; use host:port", STR_ARG(address));
    *host = (struct str){address.data, (size_t)(colon - address.data)};
    *port = (struct str){colon + 1, address.size - host->size - 1};
    if (!parse_u64(*port, &number) || number > 65535)
        return error_set(err, ERR_INVALID, "\"%.*s\" is not a port number in \"%.*s\"",
                         STR_ARG(*port), STR_ARG(address));
    bool bracketed = host->size > 0 && host->data[0] == '[';
    if (bracketed) {
        if (host->size < 3 || host->data[host->size - 1] != ']')
            return error_set(err, ERR_INVALID, "\"%.*s\" lacks the closing bracket",
                             STR_ARG(address));
        host->data++;
        host->size -= 2;
    } else if (host->size && memchr(host->data, ':', host->size)) {
        return error_set(err, ERR_INVALID, "an IPv6 address is written in brackets, [::1]:9428");
    }
    return OK;
}

static enum status check_range(const struct flag *flag, uint64_t value, const char *text,
                               struct error *err)
{
    if (value >= flag->least && value <= flag->most) return OK;
    if (flag->kind == FLAG_DURATION) {
        char least[DURATION_TEXT_BYTES];
        char most[DURATION_TEXT_BYTES];
        size_t least_size = duration_format(least, (int64_t)flag->least);
        size_t most_size = duration_format(most, (int64_t)flag->most);
        return error_set(err, ERR_INVALID, "%s is outside %.*s to %.*s", text, (int)least_size,
                         least, (int)most_size, most);
    }
    return error_set(err, ERR_INVALID, "%s is outside %" PRIu64 " to %" PRIu64, text, flag->least,
                     flag->most);
}

static enum status parse_limit(const struct flag *flag, const char *text, struct config_limit *out,
                               struct error *err)
{
    size_t size = strlen(text);
    if (size > 1 && text[size - 1] == '%') {
        uint64_t percent;
        if (!parse_u64((struct str){text, size - 1}, &percent) || percent < 1 || percent > 100)
            return error_set(err, ERR_INVALID, "%s is not a percentage from 1%% to 100%%", text);
        *out = (struct config_limit){.percent = percent};
        return OK;
    }
    uint64_t bytes = 0;
    enum status st = config_parse_bytes(str_from(text), &bytes, err);
    if (st) return st;
    *out = (struct config_limit){.bytes = bytes};
    return check_range(flag, bytes, text, err);
}

enum { WORDS_BYTES = 64 };

/* "debug, info, warn, error"; returns out. */
static const char *list_words(const char *const *words, char out[WORDS_BYTES])
{
    size_t size = 0;
    for (size_t i = 0; words[i] && size < WORDS_BYTES; i++)
        size += (size_t)snprintf(out + size, WORDS_BYTES - size, "%s%s", i ? ", " : "", words[i]);
    return out;
}

static enum status parse_word(const struct flag *flag, const char *text, uint64_t *out,
                              struct error *err)
{
    for (uint64_t i = 0; flag->words[i]; i++) {
        if (strcmp(flag->words[i], text) != 0) continue;
        *out = i;
        return OK;
    }
    return error_set(err, ERR_INVALID, "\"%s\" is none of %s", text,
                     list_words(flag->words, (char[WORDS_BYTES]){0}));
}

static enum status add_address(struct config *config, const char *text, struct error *err)
{
    struct str host;
    struct str port;
    enum status st = config_split_address(str_from(text), &host, &port, err);
    if (st) return st;
    if (config->listen_address_count == CONFIG_ADDRESSES_MAX)
        return error_set(err, ERR_INVALID, "at most %d addresses", CONFIG_ADDRESSES_MAX);
    config->listen_addresses[config->listen_address_count++] = text;
    return OK;
}

static enum status add_features(struct config *config, const char *text, struct error *err)
{
    struct engine_options unused = engine_options_default();
    enum status st = engine_enable_features(&unused, str_from(text), err);
    if (st || !*text) return st;
    if (config->feature_count == CONFIG_FEATURES_MAX)
        return error_set(err, ERR_INVALID, "given more than %d times; separate names with commas",
                         CONFIG_FEATURES_MAX);
    config->features[config->feature_count++] = text;
    return OK;
}

static enum status check_regex(const char *text, struct error *err)
{
    struct regex *regex;
    enum status st = regex_create_matching(str_from(text), &regex, err);
    if (!st) regex_destroy(regex);
    return st;
}

static enum status store_value(struct config *config, const struct flag *flag, const char *text,
                               struct error *err)
{
    void *field = (char *)config + flag->offset;
    uint64_t number = 0;
    int64_t ms = 0;
    enum status st;
    switch (flag->kind) {
    case FLAG_SWITCH:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return error_set(err, ERR_INVALID, "\"%s\" is neither true nor false", text);
        *(bool *)field = text[0] == 't';
        return OK;
    case FLAG_DURATION:
        st = duration_parse(str_from(text), &ms, err);
        if (st) return st;
        *(int64_t *)field = ms;
        return check_range(flag, (uint64_t)ms, text, err);
    case FLAG_COUNT:
        if (!parse_u64(str_from(text), &number))
            return error_set(err, ERR_INVALID, "\"%s\" is not a whole number", text);
        *(uint64_t *)field = number;
        return check_range(flag, number, text, err);
    case FLAG_BYTES:
        st = config_parse_bytes(str_from(text), &number, err);
        if (st) return st;
        *(uint64_t *)field = number;
        return check_range(flag, number, text, err);
    case FLAG_LIMIT: return parse_limit(flag, text, field, err);
    case FLAG_WORD: return parse_word(flag, text, field, err);
    case FLAG_TEXT:
        if (!*text) return error_set(err, ERR_INVALID, "the value is empty");
        *(const char **)field = text;
        return OK;
    case FLAG_REGEX: *(const char **)field = text; return check_regex(text, err);
    case FLAG_ADDRESS: return add_address(config, text, err);
    case FLAG_FEATURES: return add_features(config, text, err);
    }
    UNREACHABLE();
}

static const struct flag *flag_find(struct str name)
{
    for (size_t i = 0; i < FLAG_ROWS; i++)
        if (str_equal(str_from(flags[i].name), name)) return &flags[i];
    return NULL;
}

/* Edits (insert, delete, replace) from a to b; Wagner and Fischer with one row. */
static size_t edit_distance(struct str a, struct str b)
{
    enum { NAME_MAX_BYTES = 64 };
    size_t row[NAME_MAX_BYTES + 1] = {0};
    if (a.size > NAME_MAX_BYTES || b.size > NAME_MAX_BYTES) return SIZE_MAX;
    for (size_t j = 0; j <= b.size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            size_t replaced = diagonal + (a.data[i - 1] != b.data[j - 1]);
            size_t shifted = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
            diagonal = row[j];
            row[j] = replaced < shifted ? replaced : shifted;
        }
    }
    return row[b.size];
}

static void name_unknown_flag(struct str name, struct error *err)
{
    enum { NEAR = 6 };
    const char *nearest = NULL;
    size_t least = NEAR;
    for (size_t i = 0; i < FLAG_ROWS; i++) {
        size_t distance = edit_distance(name, str_from(flags[i].name));
        if (distance >= least) continue;
        least = distance;
        nearest = flags[i].name;
    }
    if (nearest)
        error_set(err, ERR_INVALID, "unknown flag --%.*s, did you mean --%s?", STR_ARG(name),
                  nearest);
    else
        error_set(err, ERR_INVALID, "unknown flag --%.*s, see --help", STR_ARG(name));
}

/* One --argument taken apart. */
struct argument {
    const struct flag *flag;
    const char *value; /* NULL: it is in the next argument */
};

static enum status read_argument(const char *text, struct argument *out, struct error *err)
{
    *out = (struct argument){0};
    if (strncmp(text, "--", 2) != 0) {
        error_set(err, ERR_INVALID, "unexpected argument \"%s\", see --help", text);
        return ERR_INVALID;
    }
    const char *equals = strchr(text, '=');
    struct str name = {text + 2, (equals ? (size_t)(equals - text) : strlen(text)) - 2};
    out->flag = flag_find(name);
    out->value = equals ? equals + 1 : NULL;
    if (out->flag) {
        if (out->flag->kind == FLAG_SWITCH && !out->value) out->value = "true";
        return OK;
    }
    if (!equals && str_starts_with(name, STR("no-"))) {
        out->flag = flag_find((struct str){name.data + 3, name.size - 3});
        if (out->flag && out->flag->kind == FLAG_SWITCH) {
            out->value = "false";
            return OK;
        }
    }
    name_unknown_flag(name, err);
    return ERR_INVALID;
}

static enum status take_argument(struct config *config, const struct argument *argument,
                                 struct error *err)
{
    size_t row = (size_t)(argument->flag - flags);
    const char *name = argument->flag->name;
    enum status st = OK;
    if (!argument->value) return error_set(err, ERR_INVALID, "flag --%s needs a value", name);
    bool repeats = argument->flag->kind == FLAG_ADDRESS || argument->flag->kind == FLAG_FEATURES;
    if (config->flag_texts[row] && !repeats)
        return error_set(err, ERR_INVALID, "flag --%s is given twice", name);
    st = store_value(config, argument->flag, argument->value, err);
    if (st) return err ? error_wrap(err, "flag --%s: ", name) : st;
    config->flag_texts[row] = argument->value;
    return OK;
}

static enum status fill_defaults(struct config *config, struct error *err)
{
    for (size_t i = 0; i < FLAG_ROWS; i++) {
        if (config->flag_texts[i]) continue;
        enum status st = store_value(config, &flags[i], flags[i].fallback, err);
        if (st) return err ? error_wrap(err, "default of --%s: ", flags[i].name) : st;
        config->flag_texts[i] = flags[i].fallback;
    }
    return OK;
}

/* A series' ring has a slot for each. */
static enum status check_windows(const struct config *config, struct error *err)
{
    struct storage_options options = storage_options_default();
    options.chunk_ms = config->chunk_ms;
    options.windows = (uint32_t)config->windows;
    options.future_ms = config->future_ms;
    enum status st = storage_options_check(&options, err);
    if (!st || !err) return st;
    return error_wrap(err, "flags --storage.chunk-duration, --storage.windows and "
                           "--storage.future-tolerance do not fit together: ");
}

bool config_is_help(const char *word)
{
    return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0;
}

enum status config_parse(struct config *config, int argc, const char *const *argv,
                         enum config_action *action, struct error *err)
{
    *config = (struct config){0};
    *action = CONFIG_RUN;
    for (int i = 1; i < argc; i++) {
        struct argument argument;
        if (config_is_help(argv[i])) {
            *action = CONFIG_SHOW_HELP;
            return OK;
        }
        if (strcmp(argv[i], "--version") == 0) {
            *action = CONFIG_SHOW_VERSION;
            return OK;
        }
        enum status st = read_argument(argv[i], &argument, err);
        if (st) return st;
        if (!argument.value && i + 1 < argc && strncmp(argv[i + 1], "--", 2) != 0)
            argument.value = argv[++i];
        st = take_argument(config, &argument, err);
        if (st) return st;
    }
    enum status st = fill_defaults(config, err);
    return st ? st : check_windows(config, err);
}

/* A paragraph in the column of the texts, on lines that a terminal has room for. */
static void print_help_text(FILE *out, const char *text)
{
    enum { INDENT = 29, WIDTH = 80 - INDENT };
    while (*text) {
        size_t size = strlen(text);
        if (size > WIDTH) {
            size = WIDTH;
            while (size > 1 && text[size] != ' ')
                size--;
        }
        fprintf(out, "%*s%.*s\n", INDENT, "", (int)size, text);
        text += size;
        text += *text == ' ';
    }
}

void config_print_help(FILE *out)
{
    fputs("usage: hearth [<flags>]\n"
          "       hearth explain --help     what a query costs, and where\n"
          "       hearth inspect --help     what is in a data folder\n\n"
          "Keeps the last hours of a monitoring system in memory: remote write in, PromQL out.\n\n"
          "Flags:\n"
          "  -h, --help                 Show this text and exit.\n"
          "      --version              Show the version and exit.\n",
          out);
    for (size_t i = 0; i < FLAG_ROWS; i++) {
        bool is_switch = flags[i].kind == FLAG_SWITCH;
        fprintf(out, "      --%s%s%s%s\n", is_switch ? "[no-]" : "", flags[i].name,
                is_switch ? "" : "=", is_switch ? "" : flags[i].fallback);
        print_help_text(out, flags[i].help);
    }
}

bool config_flag_at(const struct config *config, uint32_t index, struct config_flag *out)
{
    if (index >= FLAG_ROWS) return false;
    *out = (struct config_flag){.name = flags[index].name, .text = config->flag_texts[index]};
    return true;
}
