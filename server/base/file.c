/* Reading and replacing small files. See file.h. Any thread. */
#include "file.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024 };

/* ---- reading ---- */

static int read_on(int file, size_t max_bytes, char **data, size_t *length)
{
    for (;;) {
        char *grown = realloc(*data, *length + READ_BYTES);
        if (grown == NULL)
            return -ENOMEM;
        *data = grown;
        ssize_t count = read(file, *data + *length, READ_BYTES);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count < 0 ? -errno : 0;
        *length += (size_t)count;
        if (*length > max_bytes)
            return -EFBIG;
    }
}

int file_read(const char *path, size_t max_bytes, char **data, size_t *length)
{
    *data = NULL;
    *length = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    int failed = read_on(file, max_bytes, data, length);
    close(file);
    if (failed || *length == 0) {
        free(*data);
        *data = NULL;
    }
    return failed;
}

/* ---- replacing ---- */

static int write_all(int file, const char *data, size_t length)
{
    while (length) {
        ssize_t count = write(file, data, length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        data += count;
        length -= (size_t)count;
    }
    return fsync(file) < 0 ? -errno : 0;
}

static int write_beside(const char *path, char *temporary, const char *data, size_t length)
{
    struct stat old;
    int file = mkostemp(temporary, O_CLOEXEC);
    if (file < 0)
        return -errno;
    int failed = 0;
    if (stat(path, &old) == 0) {
        int owned = fchown(file, old.st_uid, old.st_gid);
        (void)owned; /* only root may give files away; the file then belongs to whom the server runs as */
        failed = fchmod(file, old.st_mode & 07777) < 0 ? -errno : 0;
    }
    if (!failed)
        failed = write_all(file, data, length);
    close(file);
    if (failed)
        unlink(temporary);
    return failed;
}

static void sync_directory(char *path)
{
    int directory = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return;
    if (fsync(directory) < 0)
        log_warning("Cannot sync the directory %s: %s", path, strerror(errno));
    close(directory);
}

int file_replace(const char *path, const char *data, size_t length)
{
    char *temporary;
    if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
        return -ENOMEM;
    int failed = write_beside(path, temporary, data, length);
    if (!failed && rename(temporary, path) < 0) {
        failed = -errno;
        unlink(temporary);
    }
    if (!failed)
        sync_directory(temporary);
    free(temporary);
    return failed;
}
