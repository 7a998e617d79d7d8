/*
 * Runs a fuzz target on the files of a folder, as an ordinary test without libFuzzer: one TAP point per file.
 * What a target finds ends the process, and the test with it; the last comment then names the file.
 */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        return NULL;
    long length = ftell(file);
    uint8_t *data = length < 0 ? NULL : malloc((size_t)length + 1);
    rewind(file);
    if (data)
        *size = fread(data, 1, (size_t)length, file);
    fclose(file);
    return data;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    struct dirent **entries = NULL;
    int count = argc == 2 ? scandir(argv[1], &entries, is_visible, alphasort) : -1;
    if (count <= 0) {
        printf("Bail out! usage: %s FOLDER (with files)\n", argv[0]);
        return 1;
    }
    printf("1..%d\n", count);
    int failures = 0;
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], entries[i]->d_name);
        printf("# %s\n", path);
        fflush(stdout);
        size_t size = 0;
        uint8_t *data = read_file(path, &size);
        if (data)
            LLVMFuzzerTestOneInput(data, size);
        failures += !data;
        printf("%s %d - %s\n", data ? "ok" : "not ok", i + 1, entries[i]->d_name);
        free(data);
        free(entries[i]);
    }
    free(entries);
    return failures > 0;
}
