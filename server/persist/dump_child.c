/* The writing child: see dump_child.h. */
#include "dump_child.h"

#include "base/clock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    /* Measuring reads the page tables: at most this often, and at most a hundredth of the time. */
    COW_INTERVAL_US = 500 * 1000,
    COW_COST_SHARE = 100,
    CHILD_DIRECTORY_FILE = 3,
};

void dump_child_block_signals(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

void dump_child_restore_signals(const sigset_t *before)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

static void child_reset_signals(void)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    /* A terminal that goes away must not take the dump with it. */
    signal(SIGHUP, SIG_IGN);
    /* Then a limit of the file's size is an error like a full disk. */
    signal(SIGXFSZ, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static int child_close_files(int directory)
{
    if (directory != CHILD_DIRECTORY_FILE && dup2(directory, CHILD_DIRECTORY_FILE) < 0)
        return directory;
    close_range(CHILD_DIRECTORY_FILE + 1, ~0u, 0);
    return CHILD_DIRECTORY_FILE;
}

/* When memory runs out, better the child than the server. Only advice. */
static void child_offer_to_oom_killer(void)
{
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return;
    ssize_t ignored = write(file, "1000", 4);
    (void)ignored;
    close(file);
}

/* Bytes of memory that are the child's alone: its own, and pages the server has changed since the fork. */
static uint64_t child_private_bytes(void)
{
    char text[4096];
    int file = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    size_t length = 0;
    ssize_t got;
    while (length < sizeof(text) - 1 && (got = read(file, text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)got;
    close(file);
    text[length] = 0;
    const char *line = strstr(text, "Private_Dirty:");
    return line ? strtoull(line + strlen("Private_Dirty:"), NULL, 10) * 1024 : 0;
}

static void child_measure(struct dump_job *job)
{
    struct dump_progress *progress = job->progress;
    int64_t start_us = clock_monotonic_us();
    bool done = atomic_load_explicit(&progress->keys_done, memory_order_relaxed) == progress->keys_total;
    if (start_us < job->cow_next_us && !done)
        return;
    uint64_t bytes = child_private_bytes();
    int64_t end_us = clock_monotonic_us();
    atomic_store_explicit(&progress->cow_bytes, bytes, memory_order_relaxed);
    if (bytes > atomic_load_explicit(&progress->cow_peak_bytes, memory_order_relaxed))
        atomic_store_explicit(&progress->cow_peak_bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&progress->cow_measured_us, end_us, memory_order_relaxed);
    int64_t pause_us = (end_us - start_us) * COW_COST_SHARE;
    job->cow_next_us = end_us + (pause_us > COW_INTERVAL_US ? pause_us : COW_INTERVAL_US);
}

_Noreturn void dump_child_run(struct dump_job *job, pid_t parent)
{
    /* A child that outlived the server could replace the dump of the server's successor. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    prctl(PR_SET_NAME, "spindle-save");
    job->directory = child_close_files(job->directory);
    child_reset_signals();
    child_offer_to_oom_killer();
    job->consume = true;
    job->keys_written = child_measure;
    job->cow_next_us = clock_monotonic_us() + COW_INTERVAL_US;
    _exit(dump_write(job) == 0 ? 0 : 1);
}
