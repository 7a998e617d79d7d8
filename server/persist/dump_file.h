#ifndef SPINDLE_PERSIST_DUMP_FILE_H
#define SPINDLE_PERSIST_DUMP_FILE_H

#include "persist/persist_settings.h"
#include "persist/system_calls.h"
#include "store/keyspace.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * One dump, written so that the old one is safe until the new one is: temporary file, write, sync, read back
 * and verify, rename, sync the directory. Runs in the server or in a forked child; takes no locks, logs
 * nothing.
 */

enum { DUMP_FAILURE_TEXT_BYTES = 384 };

/* What the writer is at; on a page that a child shares with the server. Written by one process. */
struct dump_progress {
    _Atomic uint64_t beat; /* changes as long as there is progress of any kind */
    _Atomic uint64_t keys_done;
    uint64_t keys_total;
    _Atomic uint64_t cow_bytes, cow_peak_bytes;
    _Atomic int64_t cow_measured_us; /* monotonic */
    uint64_t file_bytes;
    _Atomic bool succeeded;
    char failure[DUMP_FAILURE_TEXT_BYTES]; /* why dump_write failed; read it after the writer has ended */
};

struct dump_job {
    const struct system_calls *calls;
    const struct keyspace *keyspace;
    const struct persist_settings *settings;
    int directory; /* where the dump goes */
    struct dump_progress *progress;
    bool consume; /* see struct rdb_write_options */
    /* Called every so many keys, and when all keys are written; may be NULL. */
    void (*keys_written)(struct dump_job *job);
    int64_t cow_next_us; /* keys_written's own */
};

enum { DUMP_TEMPORARY_NAME_BYTES = 32 };

/* Name of the temporary file of a writer. */
void dump_temporary_name(char name[static DUMP_TEMPORARY_NAME_BYTES], int pid);

/* Returns 0 or -errno, then progress->failure says what happened and the temporary file is gone. */
int dump_write(struct dump_job *job);

#endif
