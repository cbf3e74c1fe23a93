/*
 * hearth - a Prometheus-compatible time series database that keeps its data in memory.
 *
 *     flags -> open -> recover -> serve until SIGTERM -> stop
 *
 * Exit codes: 0 stopped as asked, 1 could not start, 2 wrong flags, 3 stopped at once, since it was
 * asked a second time.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alloc/heap.h"
#include "alloc/leaks.h"
#include "base/log.h"
#include "server/config.h"
#include "server/explain.h"
#include "server/hearth.h"
#include "server/version.h"
#include "snapshot/inspect.h"

enum { EXIT_STOPPED = 0, EXIT_CANNOT_START = 1, EXIT_USAGE = 2, EXIT_FORCED = 3 };

/* While starting there is nothing to finish: whatever is on disk is as good as after a crash. */
static void exit_while_starting(int number)
{
    static const char text[] = "hearth: stopped while starting\n";
    (void)number;
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(EXIT_STOPPED);
}

static void exit_at_once(int number)
{
    static const char text[] = "hearth: stopped at once, asked twice\n";
    (void)number;
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(EXIT_FORCED);
}

static sigset_t stop_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

static void handle_stop_with(void (*handler)(int number))
{
    struct sigaction action = {.sa_handler = handler};
    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
}

static void wait_for_stop(void)
{
    sigset_t set = stop_signals();
    int number;
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    while ((number = sigwaitinfo(&set, NULL)) < 0 && errno == EINTR) {
    }
    log_info("server", "stopping", "signal=%d", number);
    handle_stop_with(exit_at_once);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void fail(const struct error *err)
{
    (void)fprintf(stderr, "hearth: %s\n", err->text);
}

static int run(const struct config *config)
{
    struct hearth *h;
    struct error err;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN); /* nothing to reload */
    handle_stop_with(exit_while_starting);
    log_configure((enum log_level)config->log_level, (enum log_format)config->log_format);
    if (hearth_open(config, &h, &err) != OK) {
        fail(&err);
        return EXIT_CANNOT_START;
    }
    if (hearth_recover(h, &err) != OK) {
        hearth_close(h);
        fail(&err);
        return EXIT_CANNOT_START;
    }
    wait_for_stop();
    hearth_close(h);
    (void)leaks_report(HEAP_PROCESS); /* debug builds */
    return EXIT_STOPPED;
}

/* The words behind "inspect"; the exit codes are in the text. */
static int inspect(int count, char **words)
{
    static const char usage[] = "usage: hearth inspect [--verify] FILE_OR_FOLDER...\n";
    static const char help[] =
        "\n"
        "Tells what each file of a data folder is and holds, what of it is damaged and where,\n"
        "and what a start would do with it. It only reads and takes no lock: a server may be\n"
        "running on the folder.\n"
        "\n"
        "      --verify    Also decode every chunk, and compare files with their manifests.\n"
        "\n"
        "Exit codes: 0 all is good, 1 something is damaged, 2 something cannot be read, or the\n"
        "words are wrong.\n";
    bool verify = false;
    int paths = 0;
    int worst = INSPECT_GOOD;
    if (count > 0 && config_is_help(words[0])) {
        printf("%s%s", usage, help);
        return EXIT_STOPPED;
    }
    for (int i = 0; i < count; i++) {
        if (strcmp(words[i], "--verify") == 0)
            verify = true;
        else if (words[i][0] == '-')
            paths = INT_MIN;
        else
            paths++;
    }
    if (paths <= 0) {
        (void)fputs(usage, stderr);
        return EXIT_USAGE;
    }
    for (int i = 0; i < count; i++) {
        if (words[i][0] == '-') continue;
        int verdict = (int)inspect_path(words[i], verify, stdout);
        if (verdict > worst) worst = verdict;
    }
    return worst;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "inspect") == 0) return inspect(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "explain") == 0) return explain_main(argc - 2, argv + 2);
    struct config config;
    enum config_action action;
    struct error err;
    heap_red_zones();
    if (config_parse(&config, argc, (const char *const *)argv, &action, &err) != OK) {
        fail(&err);
        return EXIT_USAGE;
    }
    switch (action) {
    case CONFIG_SHOW_HELP: config_print_help(stdout); return EXIT_STOPPED;
    case CONFIG_SHOW_VERSION:
        printf("hearth %s (revision %s)\n", HEARTH_VERSION, HEARTH_REVISION);
        return EXIT_STOPPED;
    case CONFIG_RUN: break;
    }
    return run(&config);
}
