/* The log's destination and format. State is behind this file; lines are written with one write(2). Any
 * thread. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { LOG_LINE_MAX_BYTES = 1024, LOG_PATH_MAX_BYTES = 4096, LOG_IDENT_MAX_BYTES = 64 };

static struct {
    enum log_level level;
    bool child;
    bool syslog_enabled;
    char path[LOG_PATH_MAX_BYTES];
    char ident[LOG_IDENT_MAX_BYTES];
} log_state = {.level = LOG_LEVEL_NOTICE};

int log_configure(const struct log_options *options)
{
    const char *path = options->file_path ? options->file_path : "";
    if (strlen(path) >= sizeof(log_state.path))
        return -ENAMETOOLONG;
    if (path[0]) {
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0)
            return -errno;
        close(fd);
    }
    memcpy(log_state.path, path, strlen(path) + 1);
    log_state.level = options->level;
    if (log_state.syslog_enabled)
        closelog();
    log_state.syslog_enabled = options->syslog_enabled;
    if (options->syslog_enabled) {
        snprintf(log_state.ident, sizeof(log_state.ident), "%s", options->syslog_ident);
        openlog(log_state.ident, LOG_PID | LOG_NDELAY | LOG_NOWAIT, options->syslog_facility);
    }
    return 0;
}

void log_set_level(enum log_level level)
{
    log_state.level = level;
}

void log_set_child(void)
{
    log_state.child = true;
}

static void log_write_line(const char *line, size_t length)
{
    int fd = STDOUT_FILENO;
    if (log_state.path[0]) {
        fd = open(log_state.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0)
            return;
    }
    ssize_t written = write(fd, line, length);
    (void)written; /* nowhere left to report it */
    if (fd != STDOUT_FILENO)
        close(fd);
}

void log_write(enum log_level level, const char *format, ...)
{
    if (level < log_state.level)
        return;

    char text[LOG_LINE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);

    struct timeval now;
    gettimeofday(&now, NULL);
    struct tm local;
    localtime_r(&now.tv_sec, &local);
    char stamp[64];
    strftime(stamp, sizeof(stamp), "%d %b %Y %H:%M:%S", &local);

    char line[LOG_LINE_MAX_BYTES + 128];
    int length = snprintf(line, sizeof(line), "%d:%c %s.%03d %c %s\n", (int)getpid(),
                          log_state.child ? 'C' : 'M', stamp, (int)(now.tv_usec / 1000), ".-*#"[level], text);
    log_write_line(line, (size_t)length);
    if (log_state.syslog_enabled) {
        static const int priorities[] = {LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING};
        syslog(priorities[level], "%s", text);
    }
}
