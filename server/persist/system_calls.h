#ifndef SPINDLE_PERSIST_SYSTEM_CALLS_H
#define SPINDLE_PERSIST_SYSTEM_CALLS_H

#include <stddef.h>
#include <sys/types.h>

/*
 * The system calls of a snapshot, as a table, so that the fault tests can make any of them fail, stop short
 * or be interrupted. Contracts are those of the manual pages (-1 and errno). Written once, then only read.
 */

struct system_calls {
    int (*openat)(int directory, const char *name, int flags, mode_t mode);
    ssize_t (*read)(int file, void *data, size_t count);
    ssize_t (*write)(int file, const void *data, size_t count);
    int (*sync_range)(int file, off_t offset, off_t count, unsigned flags);
    int (*fsync)(int file);
    int (*renameat)(int from_directory, const char *from, int to_directory, const char *to);
    int (*unlinkat)(int directory, const char *name, int flags);
    int (*close)(int file);
    pid_t (*fork)(void);
};

/* The table of libc. */
extern const struct system_calls system_calls_libc;

#endif
