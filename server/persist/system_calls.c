/* The system calls of libc: see system_calls.h. */
#include "system_calls.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int libc_openat(int directory, const char *name, int flags, mode_t mode)
{
    return openat(directory, name, flags, mode);
}

const struct system_calls system_calls_libc = {
    .openat = libc_openat,
    .read = read,
    .write = write,
    .sync_range = sync_file_range,
    .fsync = fsync,
    .renameat = renameat,
    .unlinkat = unlinkat,
    .close = close,
    .fork = fork,
};
