/*
 * config - what the command line says, checked: every flag is one row of one table.
 *
 * Flags follow Prometheus: --name=value, --name value, --name and --no-name for switches, -h. A row
 * holds the name, the kind, the default as text, the allowed range and the help; the default goes
 * through the same parser as the user's text, so that both are checked alike and
 * /api/v1/status/flags can show every flag as it was said.
 *
 * Threads: filled once by config_parse, read-only afterwards.
 */
#ifndef HEARTH_SERVER_CONFIG_H
#define HEARTH_SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/str.h"

enum { CONFIG_ADDRESSES_MAX = 8, CONFIG_FEATURES_MAX = 32, CONFIG_FLAGS_MAX = 48 };

/* Bytes, or a share of something that is known only later. */
struct config_limit {
    uint64_t bytes;   /* 0 when it is a share */
    uint64_t percent; /* 1 to 100; 0 when it is bytes */
};

/* How free pages go back to the system. */
enum memory_release {
    MEMORY_RELEASE_DONTNEED, /* they leave the resident set at once */
    MEMORY_RELEASE_FREE      /* the kernel takes them when it wants them */
};

struct config {
    const char *listen_addresses[CONFIG_ADDRESSES_MAX]; /* "host:port", views argv */
    uint32_t listen_address_count;
    const char *cors_origin; /* a regular expression */
    uint64_t web_connections_max;
    uint64_t web_threads; /* 0: one per core */
    int64_t web_read_timeout_ms;
    int64_t web_idle_timeout_ms;
    uint64_t web_body_bytes_max;
    bool web_lifecycle;
    bool web_admin;
    bool web_remote_write;

    const char *storage_path;
    int64_t chunk_ms;
    uint64_t windows;
    int64_t future_ms;
    int64_t patience_ms;
    struct config_limit memory_limit;
    uint64_t memory_release; /* enum memory_release */
    uint64_t max_series;     /* 0: no limit of its own */

    uint64_t wal_sync; /* enum wal_sync */
    int64_t wal_sync_interval_ms;
    uint64_t wal_segment_bytes;
    int64_t snapshot_interval_ms;

    int64_t query_timeout_ms;
    uint64_t query_samples_max;
    uint64_t query_concurrency;
    uint64_t query_queue_max;
    uint64_t query_threads;           /* of one query; 0: one per core */
    struct config_limit query_memory; /* a share of the memory limit, or bytes */
    int64_t query_lookback_ms;
    const char *features[CONFIG_FEATURES_MAX]; /* lists of names, checked */
    uint32_t feature_count;

    int64_t self_scrape_ms; /* 0: off */
    uint64_t log_level;     /* enum log_level */
    uint64_t log_format;    /* enum log_format */

    const char *flag_texts[CONFIG_FLAGS_MAX]; /* by row of the table: as given, or the default */
};

enum config_action { CONFIG_RUN, CONFIG_SHOW_HELP, CONFIG_SHOW_VERSION };

/* Read argv[1..]; strings are viewed, not copied.
 *
 * OK            *config is complete and *action says what is wanted
 * ERR_INVALID   err names the flag and says why; nothing else happened */
MUST_USE enum status config_parse(struct config *config, int argc, const char *const *argv,
                                  enum config_action *action, struct error *err);

/* -h or --help. */
bool config_is_help(const char *word);
void config_print_help(FILE *out);

/* Every flag with its current text, in the order of the table; false at the end. */
struct config_flag {
    const char *name;
    const char *text;
};
bool config_flag_at(const struct config *config, uint32_t index, struct config_flag *out);

/* Split "host:port", "[::1]:9428", ":9428" (host empty: every address). The views are into address.
 * ERR_INVALID: no port, or not a number from 0 to 65535 (0: the system chooses one). */
MUST_USE enum status config_split_address(struct str address, struct str *host, struct str *port,
                                          struct error *err);

/* 4096, 512MB, 1.5GiB, 64KiB: bytes; MB and MiB are the same, as in Prometheus. */
MUST_USE enum status config_parse_bytes(struct str text, uint64_t *out, struct error *err);

#endif
