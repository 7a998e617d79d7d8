#ifndef SPINDLE_PERSIST_DUMP_CHILD_H
#define SPINDLE_PERSIST_DUMP_CHILD_H

#include "persist/dump_file.h"

#include <signal.h>
#include <sys/types.h>

/*
 * The life of a forked child that writes a dump. It uses the server's memory, read-only, and nothing else of
 * it: no descriptors but the directory and the standard ones, no handlers, no logging (the log and the C
 * library's clock take locks that another thread may have held), no libuv.
 */

/* Runs the job and exits: status 0 or 1. Parent: who must be alive; when it dies, so does the child. */
_Noreturn void dump_child_run(struct dump_job *job, pid_t parent);

/* Blocks every signal, so that none finds the server's handlers in the child; before and after fork. */
void dump_child_block_signals(sigset_t *before);
void dump_child_restore_signals(const sigset_t *before);

#endif
