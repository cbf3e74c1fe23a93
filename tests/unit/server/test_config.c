/* config: defaults, every kind of flag, wrong flags and values, addresses, sizes. */
#include "server/config.h"

#include <string.h>

#include "base/compiler.h"
#include "base/log.h"
#include "snapshot/durability.h"
#include "tests/unit/suite.h"

enum { ARGUMENTS_MAX = 16 };

static struct config config;
static enum config_action action;
static struct error err;

/* Parse "a b c", split at blanks. */
static enum status parse(const char *line)
{
    static char text[512];
    const char *argv[ARGUMENTS_MAX] = {"hearth"};
    int argc = 1;
    snprintf(text, sizeof(text), "%s", line);
    char *rest = text;
    for (char *word = strsep(&rest, " "); word; word = strsep(&rest, " "))
        if (*word) argv[argc++] = word;
    err = (struct error){0};
    return config_parse(&config, argc, argv, &action, &err);
}

static void expect_refused(const char *line, const char *words)
{
    ck_assert_msg(parse(line) == ERR_INVALID, "accepted: %s", line);
    ck_assert_msg(strstr(err.text, words) != NULL, "\"%s\" lacks \"%s\"", err.text, words);
    ck_assert_msg(strchr(err.text, '\n') == NULL, "more than one line: %s", err.text);
}

START_TEST(defaults_are_the_documented_ones)
{
    ck_assert_int_eq(parse(""), OK);
    ck_assert_int_eq(action, CONFIG_RUN);
    ck_assert_uint_eq(config.listen_address_count, 1);
    ck_assert_str_eq(config.listen_addresses[0], "127.0.0.1:9428");
    ck_assert_str_eq(config.storage_path, "./data");
    ck_assert_int_eq(config.chunk_ms, 14400000);
    ck_assert_uint_eq(config.windows, 8);
    ck_assert_uint_eq(config.memory_limit.percent, 75);
    ck_assert_uint_eq(config.memory_release, MEMORY_RELEASE_DONTNEED);
    ck_assert_uint_eq(config.wal_sync, WAL_SYNC_INTERVAL);
    ck_assert_int_eq(config.wal_sync_interval_ms, 1000);
    ck_assert_int_eq(config.snapshot_interval_ms, 300000);
    ck_assert_int_eq(config.query_timeout_ms, 120000);
    ck_assert_uint_eq(config.query_samples_max, 50000000);
    ck_assert_uint_eq(config.query_concurrency, 20);
    ck_assert_int_eq(config.query_lookback_ms, 300000);
    ck_assert_int_eq(config.self_scrape_ms, 15000);
    ck_assert_uint_eq(config.log_level, LOG_INFO);
    ck_assert_uint_eq(config.web_body_bytes_max, 32 << 20);
    ck_assert(!config.web_lifecycle);
    ck_assert(config.web_remote_write);
}
END_TEST

START_TEST(values_come_behind_an_equals_sign_or_a_blank)
{
    ck_assert_int_eq(parse("--storage.path=/a --query.timeout 1h30m"), OK);
    ck_assert_str_eq(config.storage_path, "/a");
    ck_assert_int_eq(config.query_timeout_ms, 5400000);
    ck_assert_int_eq(parse("--wal.sync=never --log.level=debug --log.format json"), OK);
    ck_assert_uint_eq(config.wal_sync, WAL_SYNC_NEVER);
    ck_assert_uint_eq(config.log_level, LOG_DEBUG);
    ck_assert_uint_eq(config.log_format, LOG_FORMAT_JSON);
}
END_TEST

START_TEST(memory_may_go_at_once_or_lazily)
{
    ck_assert_int_eq(parse("--storage.memory-release=free"), OK);
    ck_assert_uint_eq(config.memory_release, MEMORY_RELEASE_FREE);
    ck_assert_int_eq(parse("--storage.memory-release=dontneed"), OK);
    ck_assert_uint_eq(config.memory_release, MEMORY_RELEASE_DONTNEED);
}
END_TEST

START_TEST(switches_are_named_negated_or_given_a_word)
{
    ck_assert_int_eq(parse("--web.enable-lifecycle"), OK);
    ck_assert(config.web_lifecycle);
    ck_assert_int_eq(parse("--no-web.enable-lifecycle"), OK);
    ck_assert(!config.web_lifecycle);
    ck_assert_int_eq(parse("--web.enable-lifecycle=true --web.enable-remote-write-receiver=false"),
                     OK);
    ck_assert(config.web_lifecycle);
    ck_assert(!config.web_remote_write);
    expect_refused("--web.enable-lifecycle=yes", "neither true nor false");
    expect_refused("--no-storage.path", "unknown flag --no-storage.path");
    expect_refused("--no-web.enable-lifecycle=false", "unknown flag");
}
END_TEST

START_TEST(the_listen_address_may_be_repeated)
{
    ck_assert_int_eq(parse("--web.listen-address=:9428 --web.listen-address=[::1]:0"), OK);
    ck_assert_uint_eq(config.listen_address_count, 2);
    ck_assert_str_eq(config.listen_addresses[1], "[::1]:0");
    expect_refused("--web.listen-address=:1 --web.listen-address=:2 --web.listen-address=:3 "
                   "--web.listen-address=:4 --web.listen-address=:5 --web.listen-address=:6 "
                   "--web.listen-address=:7 --web.listen-address=:8 --web.listen-address=:9",
                   "at most 8");
}
END_TEST

START_TEST(wrong_flags_are_named)
{
    expect_refused("--frobnicate-entirely", "unknown flag --frobnicate-entirely");
    expect_refused("--storage.pth=/a", "did you mean --storage.path?");
    expect_refused("--query.time-out=1s", "did you mean --query.timeout?");
    expect_refused("positional", "unexpected argument \"positional\"");
    expect_refused("-x", "unexpected argument \"-x\"");
    expect_refused("--storage.path", "flag --storage.path needs a value");
    expect_refused("--storage.path --query.timeout=1s", "flag --storage.path needs a value");
    expect_refused("--storage.path=", "the value is empty");
    expect_refused("--query.timeout=1s --query.timeout=2s", "flag --query.timeout is given twice");
}
END_TEST

START_TEST(wrong_values_are_explained)
{
    static const char *const durations[] = {"5", "5x", "-1s", "9999999y", "1m1h", "s"};
    char line[64];
    for (size_t i = 0; i < ARRAY_COUNT(durations); i++) {
        snprintf(line, sizeof(line), "--query.timeout=%s", durations[i]);
        expect_refused(line, "flag --query.timeout: ");
    }
    expect_refused("--storage.memory-limit=0", "is outside");
    expect_refused("--storage.memory-limit=-1", "is not a size");
    expect_refused("--storage.memory-limit=10XB", "is not a size");
    expect_refused("--storage.memory-limit=101%", "is not a percentage");
    expect_refused("--storage.memory-limit=0%", "is not a percentage");
    expect_refused("--query.max-samples=0", "is outside 1 to");
    expect_refused("--query.max-samples=9223372036854775808", "is outside 1 to");
    expect_refused("--query.max-samples=18446744073709551616", "not a whole number");
    expect_refused("--query.max-samples=1e6", "not a whole number");
    expect_refused("--storage.windows=65", "is outside 1 to 64");
    expect_refused("--wal.sync=sometimes", "\"sometimes\" is none of interval, always, never");
    expect_refused("--storage.memory-release=later", "\"later\" is none of dontneed, free");
    expect_refused("--snapshot.interval=0", "is outside 1s to");
    expect_refused("--web.listen-address=:65536", "is not a port number");
    expect_refused("--web.listen-address=:-1", "is not a port number");
    expect_refused("--web.listen-address=:abc", "is not a port number");
    expect_refused("--web.cors.origin=http://(a", "flag --web.cors.origin: error parsing regexp");
    expect_refused("--web.listen-address=localhost", "has no port");
    expect_refused("--web.listen-address=::1:9428", "brackets");
}
END_TEST

START_TEST(help_and_version_win_over_the_rest)
{
    ck_assert_int_eq(parse("--query.timeout=1s -h --nonsense"), OK);
    ck_assert_int_eq(action, CONFIG_SHOW_HELP);
    ck_assert_int_eq(parse("--help"), OK);
    ck_assert_int_eq(action, CONFIG_SHOW_HELP);
    ck_assert_int_eq(parse("--version"), OK);
    ck_assert_int_eq(action, CONFIG_SHOW_VERSION);
}
END_TEST

START_TEST(addresses_are_split_at_the_last_colon)
{
    struct str host;
    struct str port;
    ck_assert_int_eq(config_split_address(STR("[::1]:80"), &host, &port, &err), OK);
    ck_assert(str_equal(host, STR("::1")) && str_equal(port, STR("80")));
    ck_assert_int_eq(config_split_address(STR("example.org:0"), &host, &port, &err), OK);
    ck_assert(str_equal(host, STR("example.org")) && str_equal(port, STR("0")));
    ck_assert_int_eq(config_split_address(STR(":80"), &host, &port, &err), OK);
    ck_assert_uint_eq(host.size, 0);
    ck_assert_int_eq(config_split_address(STR("[::1:80"), &host, &port, &err), ERR_INVALID);
    ck_assert_int_eq(config_split_address(STR("[]:80"), &host, &port, &err), ERR_INVALID);
    ck_assert_int_eq(config_split_address(STR(""), &host, &port, &err), ERR_INVALID);
    ck_assert_int_eq(config_split_address(STR("a:"), &host, &port, &err), ERR_INVALID);
}
END_TEST

START_TEST(sizes_have_units)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {{"0", 0},
                 {"4096", 4096},
                 {"1KB", 1024},
                 {"1KiB", 1024},
                 {"512MB", UINT64_C(512) << 20},
                 {"1.5GiB", UINT64_C(3) << 29},
                 {"2TiB", UINT64_C(2) << 40},
                 {"7B", 7}};
    uint64_t bytes;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        ck_assert_int_eq(config_parse_bytes(str_from(cases[i].text), &bytes, &err), OK);
        ck_assert_uint_eq(bytes, cases[i].bytes);
    }
    static const char *const wrong[] = {"",    "MB",    "-1",  "1 MB",
                                        "1mb", "1.2.3", "1e3", "99999999999TiB"};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        ck_assert_msg(config_parse_bytes(str_from(wrong[i]), &bytes, &err) == ERR_INVALID, "%s",
                      wrong[i]);
}
END_TEST

START_TEST(flags_are_shown_as_given_or_as_defaulted)
{
    struct config_flag flag;
    uint32_t count = 0;
    bool seen_given = false;
    bool seen_default = false;
    ck_assert_int_eq(parse("--query.timeout=90s"), OK);
    for (; config_flag_at(&config, count, &flag); count++) {
        if (strcmp(flag.name, "query.timeout") == 0) seen_given = strcmp(flag.text, "90s") == 0;
        if (strcmp(flag.name, "storage.windows") == 0) seen_default = strcmp(flag.text, "8") == 0;
        ck_assert_ptr_nonnull(flag.text);
    }
    ck_assert_uint_gt(count, 10);
    ck_assert(seen_given);
    ck_assert(seen_default);
}
END_TEST

START_TEST(features_are_prometheus_names_and_may_be_repeated)
{
    ck_assert_int_eq(parse(""), OK);
    ck_assert_uint_eq(config.feature_count, 0);
    ck_assert_int_eq(parse("--enable-feature=promql-experimental-functions,old-ui "
                           "--enable-feature promql-delayed-name-removal"),
                     OK);
    ck_assert_uint_eq(config.feature_count, 2);
    ck_assert_str_eq(config.features[1], "promql-delayed-name-removal");
    ck_assert_int_eq(parse("--enable-feature=all"), OK);
    expect_refused("--enable-feature=promql-experimental", "there is no feature");
}
END_TEST

SUITE(config, defaults_are_the_documented_ones, values_come_behind_an_equals_sign_or_a_blank,
      switches_are_named_negated_or_given_a_word, memory_may_go_at_once_or_lazily,
      the_listen_address_may_be_repeated, wrong_flags_are_named, wrong_values_are_explained,
      help_and_version_win_over_the_rest, addresses_are_split_at_the_last_colon, sizes_have_units,
      flags_are_shown_as_given_or_as_defaulted, features_are_prometheus_names_and_may_be_repeated)
