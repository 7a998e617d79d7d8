/* The process and its surroundings. See process.h. Main thread only. */
#include "process.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

extern char **environ;

enum { PROCESS_RESERVED_FILES = 32 };

void process_raise_file_limit(int64_t *max_clients)
{
    rlim_t wanted = (rlim_t)*max_clients + PROCESS_RESERVED_FILES;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    struct rlimit raised = {wanted, limit.rlim_max > wanted ? limit.rlim_max : wanted};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        return;
    raised = (struct rlimit){limit.rlim_max, limit.rlim_max}; /* not root: up to the hard limit */
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        limit.rlim_cur = limit.rlim_max;
    if (limit.rlim_cur >= wanted)
        return;
    int64_t possible =
        limit.rlim_cur > PROCESS_RESERVED_FILES ? (int64_t)limit.rlim_cur - PROCESS_RESERVED_FILES : 1;
    log_warning("You requested maxclients of %lld requiring at least %llu max file descriptors. Current "
                "maximum open files "
                "is %llu. maxclients has been reduced to %lld to compensate for low ulimit.",
                (long long)*max_clients, (unsigned long long)wanted, (unsigned long long)limit.rlim_cur,
                (long long)possible);
    *max_clients = possible;
}

/* Whole processors that a quota of microseconds in each period amounts to, rounded up; 0: no quota. */
static int quota_processors(long long quota_us, long long period_us)
{
    return quota_us > 0 && period_us > 0 ? (int)((quota_us + period_us - 1) / period_us) : 0;
}

/* The quota of the control group this process sees at the root of its hierarchy: version 2, or version 1. */
static int read_quota_processors(void)
{
    long long quota_us = 0, period_us = 0;
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (file) {
        int fields = fscanf(file, "%lld %lld", &quota_us, &period_us); /* "max 100000": no quota */
        fclose(file);
        return fields == 2 ? quota_processors(quota_us, period_us) : 0;
    }
    file = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "re");
    if (file == NULL)
        return 0;
    int fields = fscanf(file, "%lld", &quota_us);
    fclose(file);
    file = fields == 1 ? fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "re") : NULL;
    if (file == NULL)
        return 0;
    fields = fscanf(file, "%lld", &period_us);
    fclose(file);
    return fields == 1 ? quota_processors(quota_us, period_us) : 0;
}

int process_processor_count(void)
{
    cpu_set_t mask;
    int count = sched_getaffinity(0, sizeof(mask), &mask) == 0 ? CPU_COUNT(&mask) : 1;
    int quota = read_quota_processors();
    if (quota > 0 && quota < count)
        count = quota;
    return count > 0 ? count : 1;
}

int process_daemonize(void)
{
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child > 0)
        _exit(0);
    setsid();
    int null = open("/dev/null", O_RDWR);
    if (null < 0)
        return -errno;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    if (null > STDERR_FILENO)
        close(null);
    return 0;
}

void process_write_pid_file(const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL || fprintf(file, "%d\n", (int)getpid()) < 0)
        log_warning("Failed to write PID file %s: %s", path, strerror(errno));
    if (file)
        fclose(file);
}

void process_notify_ready(const char *supervised)
{
    if (strcmp(supervised, "systemd") == 0)
        sd_notify(0, "STATUS=Ready to accept connections\nREADY=1");
    else if (strcmp(supervised, "upstart") == 0)
        raise(SIGSTOP);
}

void process_notify_stopping(const char *supervised)
{
    if (strcmp(supervised, "systemd") == 0)
        sd_notify(0, "STOPPING=1");
}

void process_disable_huge_pages(void)
{
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

static struct {
    char *start;
    size_t capacity;
} title_room;

/* The arguments and the environment lie one behind the other: with the environment moved away, all that room
 * can hold the title. */
void process_claim_title(int argc, char **argv)
{
    char *end = argv[argc - 1] + strlen(argv[argc - 1]) + 1;
    size_t count = 0;
    while (environ[count])
        count++;
    char **copy = calloc(count + 1, sizeof(char *));
    if (copy == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        if (environ[i] == end)
            end += strlen(environ[i]) + 1;
        copy[i] = strdup(environ[i]);
        if (copy[i] == NULL)
            return;
    }
    environ = copy;
    title_room.start = argv[0];
    title_room.capacity = (size_t)(end - argv[0]);
}

void process_set_title(const char *title)
{
    if (title_room.capacity == 0)
        return;
    memset(title_room.start, 0, title_room.capacity);
    snprintf(title_room.start, title_room.capacity, "%s", title);
}

/* ---- when memory runs out ---- */

#define OOM_SCORE_PATH "/proc/self/oom_score_adj"

enum { OOM_SCORE_MAX = 1000 };

static int read_oom_score(int *score)
{
    FILE *file = fopen(OOM_SCORE_PATH, "re");
    if (file == NULL)
        return -errno;
    int found = fscanf(file, "%d", score);
    fclose(file);
    return found == 1 ? 0 : -EIO;
}

static int write_oom_score(int score)
{
    FILE *file = fopen(OOM_SCORE_PATH, "we");
    if (file == NULL)
        return -errno;
    int failed = fprintf(file, "%d\n", score) < 0 ? -errno : 0;
    if (fclose(file) != 0 && !failed)
        failed = -errno;
    return failed;
}

int process_set_oom_score(enum process_oom_mode mode, int score)
{
    static int start_score;
    static bool is_known;
    if (!is_known) {
        if (mode == PROCESS_OOM_KEEP)
            return 0;
        int failed = read_oom_score(&start_score);
        if (failed)
            return failed;
        is_known = true;
    }
    score = mode == PROCESS_OOM_KEEP       ? start_score
            : mode == PROCESS_OOM_RELATIVE ? start_score + score
                                           : score;
    score = score > OOM_SCORE_MAX ? OOM_SCORE_MAX : score < -OOM_SCORE_MAX ? -OOM_SCORE_MAX : score;
    return write_oom_score(score);
}
