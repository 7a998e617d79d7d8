#ifndef SPINDLE_BASE_LOG_H
#define SPINDLE_BASE_LOG_H

#include <stdbool.h>

/*
 * The server's log: one line per event, to a file, standard output or syslog.
 *
 * The destination is process state, because a log line may come from anywhere. Any thread may write: each
 * line is one write to a descriptor. Lines read "PID:ROLE DD Mon YYYY HH:MM:SS.mmm LEVEL text", the shape
 * Redis log readers know (ROLE M for the server, C for a snapshot child; LEVEL one of . - * #).
 */

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_VERBOSE, LOG_LEVEL_NOTICE, LOG_LEVEL_WARNING };

struct log_options {
    enum log_level level; /* quieter lines are dropped */
    const char
        *file_path; /* "" or NULL: standard output; opened for append at each line, so rotation works */
    bool syslog_enabled;
    const char *syslog_ident;
    int syslog_facility; /* LOG_LOCAL0 and so on of <syslog.h> */
};

/* Applies options; strings are copied. Returns 0, or -errno when the file cannot be opened for append
 * (the previous destination stays). */
int log_configure(const struct log_options *options);
void log_set_level(enum log_level level);

/* Marks lines of this process as a snapshot child's. */
void log_set_child(void);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_verbose(...) log_write(LOG_LEVEL_VERBOSE, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)

#endif
