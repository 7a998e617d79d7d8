/* Writing one dump safely: see dump_file.h. */
#include "dump_file.h"

#include "base/clock.h"
#include "base/mem.h"
#include "persist/rdb_read.h"
#include "persist/rdb_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void dump_temporary_name(char name[static DUMP_TEMPORARY_NAME_BYTES], int pid)
{
    snprintf(name, DUMP_TEMPORARY_NAME_BYTES, "temp-%d.rdb", pid);
}

static int job_failed(struct dump_job *job, const char *doing, int error)
{
    snprintf(job->progress->failure, sizeof(job->progress->failure), "%s: %s", doing, strerror(-error));
    return error;
}

static void job_beat(void *context)
{
    struct dump_job *job = context;
    atomic_fetch_add_explicit(&job->progress->beat, 1, memory_order_relaxed);
}

/* ---- writing ---- */

static void job_keys_written(void *context, uint64_t keys_done)
{
    struct dump_job *job = context;
    atomic_store_explicit(&job->progress->keys_done, keys_done, memory_order_relaxed);
    job_beat(job);
    if (job->settings->key_save_delay_us)
        usleep(job->settings->key_save_delay_us > 0 ? (useconds_t)job->settings->key_save_delay_us : 1);
    if (job->keys_written)
        job->keys_written(job);
}

static uint32_t report_keys(const struct persist_settings *settings)
{
    int delay_us = settings->key_save_delay_us;
    if (delay_us > 0)
        return 1;
    return delay_us < 0 ? (uint32_t) - (int64_t)delay_us : RDB_WRITE_REPORT_KEYS;
}

static int job_write(struct dump_job *job, int file)
{
    struct file_sink sink;
    int error =
        file_sink_open(&sink, job->calls, file, job->settings->checksum, job->settings->incremental_sync);
    if (error)
        return error;
    sink.drained = job_beat;
    sink.context = job;
    struct rdb_write_options options = {
        .compression = job->settings->compression,
        .consume = job->consume,
        .created_s = clock_wall_ms() / 1000,
        .used_bytes = mem_used_bytes(),
        .report_keys = report_keys(job->settings),
        .progress = job_keys_written,
        .context = job,
    };
    rdb_write(&sink.sink, job->keyspace, &options);
    error = file_sink_close(&sink);
    job->progress->file_bytes = sink.sink.drained_bytes;
    return error;
}

/* ---- verifying ---- */

struct dump_verification {
    struct dump_job *job;
    uint64_t keys;
};

static int verify_records(void *context, struct rdb_record *records, size_t count, struct rdb_error *error)
{
    (void)records;
    (void)error;
    struct dump_verification *verification = context;
    verification->keys += count;
    return 0;
}

static int verify_progress(void *context, uint64_t offset)
{
    (void)offset;
    struct dump_verification *verification = context;
    job_beat(verification->job);
    return 0;
}

/* Reads the file back: what the disk and the kernel made of it is what a later start will get. */
static int job_verify(struct dump_job *job, int file)
{
    if (lseek(file, 0, SEEK_SET) < 0)
        return job_failed(job, "reading back", -errno);
    struct source source;
    int error = source_open_file(&source, job->calls, file);
    if (error)
        return job_failed(job, "reading back", error);
    struct dump_verification verification = {.job = job};
    struct rdb_visitor visitor = {
        .records = verify_records, .progress = verify_progress, .context = &verification};
    struct rdb_summary summary;
    struct rdb_error fault = {.text = ""};
    error = rdb_read(&source, &(struct rdb_read_options){.structure_only = true}, &visitor, &summary, &fault);
    source_close(&source);
    if (error == 0 &&
        (summary.end_offset != job->progress->file_bytes || verification.keys != job->progress->keys_total))
        error =
            rdb_fault(&fault, summary.end_offset, "%llu keys instead of %llu",
                      (unsigned long long)verification.keys, (unsigned long long)job->progress->keys_total);
    if (error)
        snprintf(job->progress->failure, sizeof(job->progress->failure), "verifying: offset %llu: %s",
                 (unsigned long long)fault.offset, fault.text);
    return error;
}

/* ---- the whole ---- */

static int job_create(struct dump_job *job, const char *name)
{
    int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int file = job->calls->openat(job->directory, name, flags, 0666);
    if (file < 0 && errno == EEXIST) {
        /* Left by a writer that had this process identifier before. */
        job->calls->unlinkat(job->directory, name, 0);
        file = job->calls->openat(job->directory, name, flags, 0666);
    }
    return file < 0 ? job_failed(job, "creating the temporary file", -errno) : file;
}

static int job_fsync(struct dump_job *job, int file)
{
    while (job->calls->fsync(file) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static int job_fill(struct dump_job *job, int file)
{
    int error = job_write(job, file);
    if (error)
        return job_failed(job, "writing", error);
    error = job_fsync(job, file);
    if (error)
        return job_failed(job, "syncing", error);
    job_beat(job);
    return job_verify(job, file);
}

static int job_put_in_place(struct dump_job *job, const char *name)
{
    if (job->calls->renameat(job->directory, name, job->directory, job->settings->file_name) < 0)
        return job_failed(job, "renaming", -errno);
    return 0;
}

/* Some file systems cannot sync directories and say EINVAL: nothing is lost by going on. */
static int job_sync_directory(struct dump_job *job)
{
    int error = job_fsync(job, job->directory);
    return error && error != -EINVAL ? job_failed(job, "syncing the directory", error) : 0;
}

static int job_run(struct dump_job *job)
{
    char name[DUMP_TEMPORARY_NAME_BYTES];
    dump_temporary_name(name, getpid());
    int file = job_create(job, name);
    if (file < 0)
        return file;
    int error = job_fill(job, file);
    if (job->calls->close(file) < 0 && error == 0)
        error = job_failed(job, "closing", -errno);
    if (error == 0)
        error = job_put_in_place(job, name);
    if (error) {
        job->calls->unlinkat(job->directory, name, 0);
        return error;
    }
    return job_sync_directory(job);
}

int dump_write(struct dump_job *job)
{
    int error = job_run(job);
    atomic_store(&job->progress->succeeded, error == 0);
    return error;
}
