/*
 * replay_main - feed files to a fuzz target, for the builds that have no libFuzzer.
 *
 * Arguments are files or folders of files; each file is one input. Exit 1 when there was none, or
 * when one cannot be read: a corpus that went missing must not look like a pass.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PATH_BYTES_MAX = 4096 };

static size_t inputs_replayed;

static bool replay_file(const char *path)
{
    struct stat info;
    FILE *file = fopen(path, "rb");
    bool ok = file != NULL && fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode);
    size_t size = ok ? (size_t)info.st_size : 0;
    /* Exactly as large as the input, so that ASan sees a read of one byte too many. */
    uint8_t *data = malloc(size > 0 ? size : 1);

    ok = ok && data != NULL && fread(data, 1, size, file) == size;
    if (ok) {
        LLVMFuzzerTestOneInput(data, size);
        inputs_replayed++;
    } else {
        fprintf(stderr, "replay: cannot read %s\n", path);
    }
    if (file != NULL) fclose(file);
    free(data);
    return ok;
}

static bool replay_folder(const char *path)
{
    DIR *folder = opendir(path);
    bool ok = folder != NULL;

    while (ok) {
        const struct dirent *entry = readdir(folder);
        char name[PATH_BYTES_MAX];
        if (entry == NULL) break;
        if (entry->d_name[0] == '.') continue;
        int length = snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        ok = length < (int)sizeof(name) && replay_file(name);
    }
    if (folder != NULL) closedir(folder);
    return ok;
}

static bool replay_path(const char *path)
{
    struct stat info;
    bool is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);

    return is_folder ? replay_folder(path) : replay_file(path);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!replay_path(argv[i])) return EXIT_FAILURE;
    printf("replayed %zu inputs\n", inputs_replayed);
    return inputs_replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
