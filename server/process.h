#ifndef SPINDLE_PROCESS_H
#define SPINDLE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* The process and its surroundings: descriptors, daemons, supervisors. Main thread only. */

/* Raises the limit of open files so that this many clients fit beside the server's own files; lowers
 * *max_clients to what is possible, with a line in the log. */
void process_raise_file_limit(int64_t *max_clients);

/* Processors that this process may use: those of its affinity mask, or less when its control group has a
 * quota of processor time. At least 1. */
int process_processor_count(void);

/* Detaches from the terminal. Returns 0 or -errno; the parent exits. */
int process_daemonize(void);

/* Writes the process's number to a file; logs when that fails. */
void process_write_pid_file(const char *path);

/* Tells the supervisor ("systemd", "upstart" or "no") that the server is ready. */
void process_notify_ready(const char *supervised);
void process_notify_stopping(const char *supervised);

/* Switches transparent huge pages off for this process: a write after a fork would copy 2 MB. */
void process_disable_huge_pages(void);

/* Claims the room of main's arguments and of the environment for the title: once, at start. Do not use argv
 * afterwards. */
void process_claim_title(int argc, char **argv);
/* Sets the name that ps shows; without effect before process_claim_title. */
void process_set_title(const char *title);

enum process_oom_mode { PROCESS_OOM_KEEP, PROCESS_OOM_RELATIVE, PROCESS_OOM_ABSOLUTE };

/* Tells the kernel how gladly to kill this process when memory runs out: a score from -1000 to 1000, by
 * itself or added to the one the process started with; KEEP goes back to that one. Returns 0 or -errno. */
int process_set_oom_score(enum process_oom_mode mode, int score);

#endif
