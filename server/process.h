#ifndef SPINDLE_PROCESS_H
#define SPINDLE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* The process and its surroundings: descriptors, daemons, supervisors. Main thread only. */

/* Raises the limit of open files so that this many clients fit beside the server's own files; lowers
 * *max_clients to what is possible, with a line in the log. */
void process_raise_file_limit(int64_t *max_clients);

/* Detaches from the terminal. Returns 0 or -errno; the parent exits. */
int process_daemonize(void);

/* Writes the process's number to a file; logs when that fails. */
void process_write_pid_file(const char *path);

/* Tells the supervisor ("systemd", "upstart" or "no") that the server is ready. */
void process_notify_ready(const char *supervised);
void process_notify_stopping(const char *supervised);

/* Switches transparent huge pages off for this process: a write after a fork would copy 2 MB. */
void process_disable_huge_pages(void);

/* Sets the name that ps shows; arguments of main. Keep argv usable before the first call only. */
void process_set_title(int argc, char **argv, const char *title);

#endif
